"""The page of the mapping language: its words are in mapping.txt, its tables are those its reader checks
by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template

from streams.imports.known_events import DIFFERENCE, LATEST_COUNTS, REPEATED
from streams.mapping import keys
from streams.mapping.event_checks import importable
from streams.mapping.keys import Key

PAGE = Path(__file__).parent / "reference" / "mapping.md"
WORDS = Path(__file__).parent / "mapping.txt"


def page() -> str:
    """The page."""
    words = Template(WORDS.read_text(encoding="utf-8"))
    return words.substitute(
        parts="".join(_parts()), revisions="".join(_revisions()).rstrip(), latest=_names(LATEST_COUNTS)
    )


def _parts() -> Iterator[str]:
    yield from _table("## `[mapping]`", keys.MAPPING)
    yield from _table("## `[file.NAME]`", keys.FILE)
    yield "\n## `[lookup.NAME]`\n\nTexts of the files, and what each becomes."
    yield " A key with a blank or a point is quoted.\n"
    yield from _table("## `[[event]]`", keys.EVENT)
    yield f"\nEvents that can be imported: {_names(importable())}.\n"
    yield "\n`event_id`, `recorded_at`, `source`, `is_day_only` and `is_amount_known` are filled in."
    yield " Where a source knows the day only, set `occurred_on` in place of `occurred_at`.\n"
    yield from _table("## A field value", keys.FIELD)
    yield '\nA value alone may stand for its table: `lead_id = "{id}"`, `is_automated = false`.\n'
    yield from _table("## A condition", keys.CONDITION)
    yield f"\n`{{ any = [...] }}`: {keys.ANY.means[0].lower()}{keys.ANY.means[1:]}\n"


def _revisions() -> Iterator[str]:
    yield f"| {_names(REPEATED)} | the event again, with what it says now, at the time it had |\n"
    yield f"| {_names(DIFFERENCE)} | another booking, of what the amount differs by |\n"
    yield "| all others | nothing: the row fails |\n"


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(title: str, known: Sequence[Key]) -> Iterator[str]:
    yield f"\n{title}\n\n| key | is | means | without it |\n|---|---|---|---|\n"
    for key in known:
        kinds = _names(key.choices).replace(", ", " or ") if key.choices else " or ".join(key.kinds)
        yield f"| `{key.name}` | {kinds} | {key.means} | {'required' if key.is_required else key.default} |\n"
