"""A view held against the oracle: which rows differ, and in what."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb

from tests.oracle.log import Row

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT")
MONEY = re.compile(r"-?\d+\.\d+")
MOST_EXAMPLES = 5


@dataclass(frozen=True)
class Difference:
    """One row that differs. `columns`: by name, what the view and what the oracle says; empty when only one
    of them has the row."""

    key: Mapping[str, Any]
    columns: Mapping[str, tuple[Any, Any]]
    only_in: str = ""

    def __str__(self) -> str:
        named = ", ".join(f"{name} {value}" for name, value in self.key.items())
        if self.only_in:
            return f"{named}: only the {self.only_in} has this row"
        said = (f"{name} is {view}, the oracle says {own}" for name, (view, own) in self.columns.items())
        return f"{named}: {'; '.join(said)}"


@dataclass(frozen=True)
class Comparison:
    """A view and the oracle over the same log at the same instant. `rows`: those of the oracle."""

    view: str
    rows: int
    differences: tuple[Difference, ...]


def compare(
    ask: Callable[[str], duckdb.DuckDBPyConnection], view: str, key: Iterable[str], expected: list[Row]
) -> Comparison:
    """Every row of the view with the row of the oracle that has the same key, in the oracle's columns.
    `ask`: what runs a SELECT."""
    columns = list(expected[0]) if expected else list(key)
    rows = ask(f"select {', '.join(columns)} from funnel.{view}").fetchall()
    return differences(view, key, [dict(zip(columns, row, strict=True)) for row in rows], expected)


def differences(view: str, key: Iterable[str], found: list[Row], expected: list[Row]) -> Comparison:
    """The same of rows. A repeated key is a difference too."""
    of_view, of_oracle = _by_key(key, found), _by_key(key, expected)
    differing = []
    for own in sorted(of_view.keys() | of_oracle.keys()):
        views, oracles = of_view.get(own, []), of_oracle.get(own, [])
        named = dict(zip(key, own, strict=True))
        for view_row, oracle_row in zip(views, oracles, strict=False):
            columns = {n: (view_row[n], o) for n, o in oracle_row.items() if not _is_same(view_row[n], o)}
            if columns:
                differing.append(Difference(named, columns))
        extra = len(views) - len(oracles)
        differing += [Difference(named, {}, "view" if extra > 0 else "oracle")] * abs(extra)
    return Comparison(view, len(expected), tuple(differing))


def _by_key(key: Iterable[str], rows: list[Row]) -> dict[tuple[str, ...], list[Row]]:
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        plain = {name: _plain(value) for name, value in row.items()}
        found.setdefault(tuple(str(plain[column]) for column in key), []).append(plain)
    return found


def _is_same(one: Any, other: Any) -> bool:
    """Floats may differ by what two ways of adding up make of the last digit."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=0, abs_tol=2e-9)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(one[name], other[name]) for name in one)
    return bool(one == other)


def _plain(value: Any) -> Any:
    """One form for both sides. Money is text in the oracle, and so are days and instants."""
    if isinstance(value, str) and INSTANT.match(value):
        return datetime.fromisoformat(value)
    if isinstance(value, str) and MONEY.fullmatch(value):
        return Decimal(value)
    if isinstance(value, float):
        return round(value, 9)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return str(value) if isinstance(value, date) and not isinstance(value, datetime) else value
