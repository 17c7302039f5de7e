"""The reference of everything analysts see, written from the headers of the SQL files.

`python -m projections.reference` writes it, `--check` says whether it is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from projections.projection import Projection, views

REFERENCE = Path(__file__).parent.parent / "docs" / "reference" / "tables.md"

_HEAD = """# Tables

What analysts query, column by column. Written by `make reference` from the headers of the SQL files.

Read them with `baton sql "select * from funnel.handoff_latency limit 3"`. Minutes are decimal, instants
are in UTC, money is decimal with its currency beside it. Open clocks are read at the as-of of the warehouse:
now, or the instant it is pinned to.
"""


def render() -> str:
    """The whole page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "## Views"
    yield ""
    yield "| view | one row per |"
    yield "|---|---|"
    for view in sorted(views(), key=lambda view: view.name):
        yield f"| [funnel.{view.name}](#funnel{view.name}) | {view.grain.removeprefix('one row per ')} |"
    yield ""
    for view in sorted(views(), key=lambda view: view.name):
        yield from _section(view)


def _section(projection: Projection) -> Iterator[str]:
    yield f"### {projection.relation}"
    yield ""
    yield f"{projection.says[0].upper()}{projection.says[1:]}."
    yield ""
    if projection.means:
        yield projection.means
        yield ""
    yield f"Grain: {projection.grain}. Reads: {', '.join(projection.reads)}."
    yield ""
    yield "| column | says |"
    yield "|---|---|"
    for column in projection.columns:
        yield f"| {column.name} | {column.says.replace('|', chr(92) + '|')} |"
    yield ""


def main() -> None:
    """Write the page, or with --check exit 5 when it is stale."""
    if "--check" in sys.argv:
        if not REFERENCE.exists() or REFERENCE.read_text(encoding="utf-8") != render():
            print(f"{REFERENCE} is stale; next: make reference", file=sys.stderr)
            sys.exit(5)
        return
    REFERENCE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
