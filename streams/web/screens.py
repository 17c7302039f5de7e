"""Panels as a template wants them: cells with their text, their exact value, and where they lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from projections.projection import Projection, views
from streams.queries.audiences import audience
from streams.queries.panel import NUMBERS, Figure, Panel
from streams.queries.panels import PANELS
from streams.queries.shown import Shown, shown
from streams.web.address import LIVES, Address
from streams.web.answers import Answer

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """One value. href: where it leads, or empty. raw: the number, for a chart."""

    figure: Figure
    shown: Shown
    href: str
    raw: str


@dataclass(frozen=True)
class Heading:
    """A column's label and what it says, from the documentation of its view."""

    label: str
    says: str
    is_number: bool


@dataclass(frozen=True)
class Screen:
    """A panel to show. words: what it means for the audience. earlier: the moment it is of, where that
    is another than the page's. rows: keys of `cells` are names of figures."""

    panel: Panel
    view: Projection
    words: str
    stamp: str
    earlier: datetime | None
    headings: list[Heading]
    rows: list[dict[str, Cell]]
    raw: Sequence[Row] = field(repr=False)

    def heading(self, name: str) -> Heading:
        """The heading of a figure by name."""
        return next(h for h, f in zip(self.headings, self.panel.columns, strict=True) if f.name == name)

    def total(self, name: str) -> Any:
        """A value that every row repeats, as the number of all rows of which some are shown."""
        return self.raw[0][name] if self.raw else 0


def screens(answer: Answer, address: Address) -> list[Screen]:
    """All panels, in the order and the words of the audience."""
    whose = audience(address.audience)
    by_id = {panel.id: panel for panel in PANELS}
    return [
        _screen(by_id[panel_id], answer, address, whose.words.get(panel_id, ""))
        for panel_id in whose.panels()
    ]


def _screen(panel: Panel, answer: Answer, address: Address, words: str) -> Screen:
    rows = answer.panels[panel.id]
    return Screen(
        panel=panel,
        view=documented(panel.view),
        words=words,
        stamp=answer.stamps[panel.id],
        earlier=answer.earlier.get(panel.id),
        headings=[heading(panel, figure) for figure in panel.columns],
        rows=[{f.name: _cell(panel, f, row, answer, address) for f in panel.columns} for row in rows],
        raw=rows,
    )


def documented(view: str) -> Projection:
    """A view by name."""
    return next(found for found in views() if found.name == view)


def heading(panel: Panel, figure: Figure) -> Heading:
    """The heading of a figure, with the definition from its view."""
    view, _, column = (figure.column or figure.name).rpartition(".")
    says = next((c.says for c in documented(view or panel.view).columns if c.name == column), "")
    return Heading(figure.label, says, figure.unit in NUMBERS)


def _cell(panel: Panel, figure: Figure, row: Row, answer: Answer, address: Address) -> Cell:
    value = row[figure.name]
    text = shown(figure.unit, value, row, answer.found.zone)
    raw = f"{value}" if figure.unit in NUMBERS and value is not None else ""
    return Cell(figure, text, _href(panel, figure, row, address), raw)


def _href(panel: Panel, figure: Figure, row: Row, address: Address) -> str:
    value = row[figure.name]
    if value is None:
        return ""
    if figure.opens:
        return address.to_rows(figure.opens, row)
    if figure.name in LIVES:
        return address.to_life(figure.name, value)
    if figure.unit not in NUMBERS:
        return ""
    key = {f"is.{name}": "null" if row[name] is None else str(row[name]) for name in panel.key}
    return address.to(f"/number/{panel.id}/{figure.name}", **key)
