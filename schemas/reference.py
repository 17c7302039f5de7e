"""docs/reference/events.md, written from the .avsc files: what each event says, in plain words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemas.avro_types import is_attributes
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
- A **day** is `YYYY-MM-DD`. Of deals, subscriptions, goals, costs and captured leads a source may know no
  more than the day: `"occurred_on": "2026-03-31"` stands for `occurred_at` then. It is read as the midnight
  in UTC that begins the day, with `is_day_only`.
- **Money** is a decimal as text, with at most 14 digits before the point and 4 after it. Whole numbers are
  taken too; binary floats are refused. So are more than 4 decimals that are not zero: sums are exact and
  rounded once, at the end, to cents, and an amount rounded on its way in could not be summed so. Book a sum
  of such amounts.
- A **currency** is a code of ISO 4217 in capitals, those withdrawn since 2000 among them. It and its amount
  come together or not at all.
- A **probability** is a number from 0 to 1. Beside `"probability_unit": "percent"` it is one from 0 to 100.
- **Text** is at most 32 KiB of UTF-8, without NUL. An id is never blank; blanks and invisible characters
  around it are taken off, and an invisible one inside it is refused.
- **Attributes** are an object, as in `{{"product": "basic", "utm_source": "newsletter"}}`: names in
  lower_case of at most 64 characters, values as text (numbers and flags are taken as they are written). In
  SQL: `map_from_entries(attributes)['product']`.
- A **period** is `2026`, `2026-Q1` or `2026-03`, or `FY2026` or `FY2026-Q1` by the playbook's fiscal year.
- A field that *may be left out* is null then, or what stands in brackets. A field that is not listed here
  is refused.
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
    is_amount_optional = any(field["name"] == "is_amount_known" for field in fields)
    for field in fields:
        presence = _presence(field)
        if is_amount_optional and field["name"] in ("amount", "currency"):
            presence = "may be left out, both"
        rows.append("| " + " | ".join(_cell(text) for text in _row(field, presence)) + " |")
    return "\n".join(rows) + "\n"


def _row(field: Mapping[str, Any], presence: str) -> Iterator[str]:
    yield f"`{field['name']}`"
    yield in_words(field)
    yield presence
    yield field["doc"] + (" **Personal.**" if field.get("pii") else "")


def _presence(field: Mapping[str, Any]) -> str:
    if "default" not in field:
        return "required"
    default = field["default"]
    return "may be left out" + ("" if default is None else f" (`{json.dumps(default)}`)")


def in_words(field: Mapping[str, Any]) -> str:
    """A field's type for people: 'money, at least 0'. KeyError for a type that events may not have."""
    avro = field["type"]
    if isinstance(avro, list):
        avro = next(branch for branch in avro if branch != "null")
    if is_attributes(avro):
        return "attributes"
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
    least = f", at least {field['minimum']}" if "minimum" in field else ""
    return words + least + (f", at most {field['maximum']}" if "maximum" in field else "")


def _cell(text: str) -> str:
    """Text that cannot break out of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _json_lines(example: Mapping[str, str]) -> str:
    """One object over two lines, so that it can be read without scrolling."""
    pairs = [f'"{name}": "{value}"' for name, value in example.items()]
    half = len(pairs) // 2
    return "{" + ", ".join(pairs[:half]) + ",\n " + ", ".join(pairs[half:]) + "}"
