"""Numbers by name: a panel, the key of one of its rows and a figure, as in sla/answer/sales/kept_share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from schemas.errors import BatonError, ExitCode
from streams.queries.panel import NUMBERS, Figure, Panel
from streams.queries.panels import PANELS

# What a decision can move, and what is compared from week to week: panels whose rows are not single cases.
NAMED = (
    "goal",
    "gap",
    "clock",
    "bands",
    "sla",
    "black_hole",
    "funnel",
    "definition",
    "returns",
    "speed",
    "coverage",
)
_NONE = "-"
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Number:
    """One number of a panel. key: the values of the panel's key columns, as text."""

    panel: Panel
    key: tuple[str, ...]
    figure: Figure

    @property
    def address(self) -> str:
        """Stable; what `baton decide --number` takes."""
        return "/".join((self.panel.id, *(quote(part, safe=" ") for part in self.key), self.figure.name))

    def row(self, panels: Mapping[str, Rows]) -> Mapping[str, Any] | None:
        """Its row among the rows of each panel; None where there is none."""
        rows = panels.get(self.panel.id, ())
        return next((row for row in rows if key_of(self.panel, row) == self.key), None)


def numbers_of(panel: Panel, rows: Rows) -> Iterator[Number]:
    """Every number of a panel's rows, in their order."""
    for row in rows:
        for figure in panel.columns:
            if figure.unit in NUMBERS:
                yield Number(panel, key_of(panel, row), figure)


def read_number(address: str) -> Number:
    """The number of an address. Raises BatonError (exit 2) when no panel has such a one."""
    first, *parts = address.split("/")
    panel = next((panel for panel in PANELS if panel.id == first and first in NAMED), None)
    if panel is None:
        raise _unknown(address, f"it begins with one of {', '.join(NAMED)}")
    if len(parts) != len(panel.key) + 1:
        shape = "/".join((panel.id, *(column.upper() for column in panel.key), "FIGURE"))
        raise _unknown(address, f"the numbers of {panel.id} are written {shape}")
    figures = [figure for figure in panel.columns if figure.unit in NUMBERS]
    figure = next((figure for figure in figures if figure.name == parts[-1]), None)
    if figure is None:
        raise _unknown(address, f"the figures of {panel.id}: {', '.join(figure.name for figure in figures)}")
    return Number(panel, tuple(unquote(part) for part in parts[:-1]), figure)


def key_of(panel: Panel, row: Mapping[str, Any]) -> tuple[str, ...]:
    """What identifies a row of a panel, as text."""
    return tuple(_NONE if row[name] is None else str(row[name]) for name in panel.key)


def _unknown(address: str, why: str) -> BatonError:
    return BatonError(
        "There is no such number",
        where=address,
        why=why,
        next_command="baton decide --numbers   (lists them with their values)",
        exit_code=ExitCode.USAGE,
    )
