"""docs/reference/events.md, written from the .avsc files: what each event says, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemas.catalogue import CATALOGUE, ENVELOPE, Catalogue, EventType

EXAMPLE = {
    "type": "HandoffOffered",
    "occurred_at": "2026-03-02T09:00:00Z",
    "source": "hubspot",
    "handoff_id": "handoff-1",
    "lead_id": "lead-1",
    "from_team": "marketing",
    "to_team": "sales_development",
}

_PREFACE = """\
# Events

Generated from `schemas/events` by `baton contract docs`. Do not edit: a test fails when this page is stale.

An event is a fact that a source reports. As JSON it is one flat object; `type` names the event:

```json
{example}
```

`baton publish FILE` sends a file of such objects, one to a line.

- An **instant** is ISO-8601 with a zone, from 2000 up to 2100; digits below a microsecond are cut off.
- A **day** is `YYYY-MM-DD`.
- **Money** is a decimal as text, with at most 14 digits before the point and 4 after it, and stands beside
  its currency. Whole numbers are taken too; binary floats are refused.
- **Text** is at most 32 KiB of UTF-8, without NUL. An id is never blank.
- A field that *may be left out* is null then. A field that is not listed here is refused.
- **Personal**: the field may identify a person, and erasure looks there.

Keys decide the Kafka partition: events with the same key keep their order.

## The envelope

Every event begins with these fields.

{envelope}
`recorded_at` and `event_id` may be left out when publishing: Baton then fills in its own clock, and an id
made from what the event says, so that publishing the same facts twice adds nothing.
"""
_NO_OWN_FIELDS = "Nothing but the envelope.\n"


def render(catalogue: Catalogue = CATALOGUE) -> str:
    """The whole page as Markdown, from the newest version of each event. Same catalogue, same bytes."""
    anyone = next(iter(catalogue.event_types.values()))
    envelope = _table([field for field in anyone.fields if field["name"] in ENVELOPE])
    sections = [_PREFACE.format(example=_json_lines(EXAMPLE), envelope=envelope)]
    for topic in catalogue.topics:
        events = [event for event in catalogue.event_types.values() if event.topic == topic]
        links = ", ".join(f"[{event.name}](#{event.name.lower()})" for event in events)
        sections.append(f"## {topic}\n\n{links}\n")
        sections += [_section(event) for event in events]
    return "\n".join(sections)


def _section(event: EventType) -> str:
    own = [field for field in event.fields if field["name"] not in ENVELOPE]
    version = f"Version {event.version}" + (" (older ones are still read)" if event.version > 1 else "")
    table = _table(own) if own else _NO_OWN_FIELDS
    return f"### {event.name}\n\n{event.schema['doc']}\n\n{version}, keyed by `{event.key}`.\n\n{table}"


def _table(fields: Sequence[Mapping[str, Any]]) -> str:
    rows = ["| field | type | presence | meaning |", "|---|---|---|---|"]
    rows += ["| " + " | ".join(_cell(text) for text in _row(field)) + " |" for field in fields]
    return "\n".join(rows) + "\n"


def _row(field: Mapping[str, Any]) -> Iterator[str]:
    yield f"`{field['name']}`"
    yield in_words(field)
    yield "may be left out" if isinstance(field["type"], list) else "required"
    yield field["doc"] + (" **Personal.**" if field.get("pii") else "")


def in_words(field: Mapping[str, Any]) -> str:
    """A field's type for people: 'money, at least 0'. KeyError for a type that events may not have."""
    avro = field["type"]
    if isinstance(avro, list):
        avro = next(branch for branch in avro if branch != "null")
    kind = avro if isinstance(avro, str) else avro.get("logicalType", avro["type"])
    words = {
        "string": "text",
        "boolean": "true or false",
        "int": "whole number",
        "long": "whole number",
        "double": "number",
        "timestamp-micros": "instant",
        "date": "day",
        "decimal": "money",
    }[kind]
    return words + (f", at least {field['minimum']}" if "minimum" in field else "")


def _cell(text: str) -> str:
    """Text that cannot break out of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _json_lines(example: Mapping[str, str]) -> str:
    """One object over two lines, so that it can be read without scrolling."""
    pairs = [f'"{name}": "{value}"' for name, value in example.items()]
    half = len(pairs) // 2
    return "{" + ", ".join(pairs[:half]) + ",\n " + ", ".join(pairs[half:]) + "}"
