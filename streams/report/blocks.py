"""What a pack is made of: sections of blocks, each block a table and perhaps a chart. Both the HTML and the
Markdown are written from these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from streams.queries.numbers import numbers_of
from streams.queries.panel import NUMBERS, Figure, Panel
from streams.queries.shown import shown

# Columns that a page on a screen has room for, and a sheet of paper does not.
_LEFT_OUT = {
    "goal": ("elapsed_share", "unpriced"),
    "gap": ("is_enough",),
    "definition": ("is_enough",),
    "clock": ("clock_suspect",),
    "talk": ("lead_id", "return_reason"),
}


@dataclass(frozen=True)
class Cell:
    """number: the address of the number it shows, empty for other values. unit: see
    streams/queries/panel.py."""

    text: str
    exact: str = ""
    is_number: bool = False
    number: str = ""
    unit: str = "text"


@dataclass(frozen=True)
class Table:
    """headings: label, and whether its values are numbers."""

    headings: Sequence[tuple[str, bool]]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Block:
    """says: what it shows; words: what that means for the audience; note: a line below; trace: the command
    that leads from its numbers to their events; nothing: what to say when there are no rows."""

    title: str
    says: str
    table: Table
    words: str = ""
    chart: Markup | None = None
    note: str = ""
    trace: str = ""
    nothing: str = "Nothing happened in this window."


@dataclass(frozen=True)
class Section:
    """panels: the ids of those it shows, by which an audience orders it."""

    id: str
    title: str
    blocks: Sequence[Block]
    panels: tuple[str, ...] = field(default=())


def panel_table(panel: Panel, rows: Sequence[Mapping[str, Any]], zone: str) -> Table:
    """The rows of a panel, each number with its address."""
    columns = [figure for figure in panel.columns if figure.name not in _LEFT_OUT.get(panel.id, ())]
    addresses = iter([number.address for number in numbers_of(panel, rows)])
    cells = []
    for row in rows:
        by_name = {figure.name: next(addresses) for figure in panel.columns if figure.unit in NUMBERS}
        cells.append([_cell(figure, row, zone, by_name.get(figure.name, "")) for figure in columns])
    return Table([(figure.label, figure.unit in NUMBERS) for figure in columns], cells)


def text_table(headings: Iterable[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> Table:
    """A table of texts whose last `numbers` columns are numbers."""
    names = list(headings)
    first = len(names) - numbers
    return Table(
        [(name, place >= first) for place, name in enumerate(names)],
        [[Cell(text, is_number=place >= first) for place, text in enumerate(row)] for row in rows],
    )


def _cell(figure: Figure, row: Mapping[str, Any], zone: str, number: str) -> Cell:
    found = shown(figure.unit, row[figure.name], row, zone)
    return Cell(found.text, found.exact, figure.unit in NUMBERS, number, figure.unit)
