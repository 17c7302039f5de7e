"""A panel: a sentence and one SELECT over a documented view, for a slice and a window. They are in
panels.py."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from projections.sql_literal import sql_literal

# Units of numbers, and of what is not added up or compared.
NUMBERS = ("count", "share", "multiple", "money", "minutes", "days")
UNITS = (*NUMBERS, "name", "text", "version", "id", "instant", "day", "flag")
# So many rows of a long list are shown, and how many there are.
MOST_SHOWN = 12
_SQL_FOLDER = Path(__file__).parent / "panel_sql"
_PARAMETER = re.compile(r"\$([a-z_]+)")
# The rows of a view whose name ends in _slice, and of others that have its columns.
_SLICE = """dimension = $dimension and value = $value and window_unit = $window_unit
    and window_start is not distinct from $window_start"""
# The rows of the leads of the slice, for views that have a lead_id and are not sliced.
_OF_SLICE = """($dimension = 'all' or lead_id in (
    select lead_id from funnel.lead_slice where dimension = $dimension and value = $value))"""


@dataclass(frozen=True)
class Opens:
    """The rows that a count counts: those of a view with these values, within the slice and the window.

    where: column -> a value as text, `null`, `not null`, or a column of the panel's own row (`=name`).
    within: the column of the view that lies in the window; empty when the count has none. There are as many
    rows as the count says.
    """

    view: str
    where: Mapping[str, str]
    within: str = ""


@dataclass(frozen=True)
class Figure:
    """A column of a panel. column: the documented column it comes from, where that is named otherwise or is
    of another view (`view.column`)."""

    name: str
    label: str
    unit: str
    opens: Opens | None = None
    column: str = ""


@dataclass(frozen=True)
class Panel:
    """One panel. Grain of its rows: that of the view, or what its SELECT groups by.

    id: stable, part of addresses. says: what it shows, in a sentence. view: the documented view whose numbers
    these are. key: the columns that identify a row. chart: how its rows are drawn (waterfall,
    parts, bands, funnel), or "". is_sliced: whether a slice narrows it down; is_windowed: whether the window
    does. is_slow: whether it looks at every event there is, so that a page asks it less often than others.
    """

    id: str
    title: str
    says: str
    view: str
    columns: tuple[Figure, ...]
    key: tuple[str, ...] = ()
    chart: str = ""
    is_sliced: bool = True
    is_windowed: bool = True
    is_slow: bool = False

    @property
    def select(self) -> str:
        """The SELECT, with parameters: those of Circumstances.parameters()."""
        return _sql(self.id)

    def statement(self, found: Circumstances) -> str:
        """The SELECT with its parameters filled in."""
        return _filled(self.select, found.parameters())


@dataclass(frozen=True)
class Look:
    """Which leads, and when: a value of a dimension, and a window.

    window: this_quarter, last_quarter, all, or a unit and a day of it, as in month:2026-03-01.
    """

    dimension: str = "all"
    value: str = "all"
    window: str = "this_quarter"


@dataclass(frozen=True)
class Circumstances:
    """A look at a moment. period: whose goal is looked at; current_period: that of today. until_on: the first
    day after the window."""

    look: Look
    as_of: datetime
    zone: str
    currency: str
    playbook_version: str
    period: str
    current_period: str
    window_unit: str
    window_start: date | None
    from_on: date
    until_on: date

    def parameters(self) -> dict[str, str]:
        """The parameters of a panel's SELECT. As literals: of a view that is sliced, only what is asked for
        is then computed."""
        simple = {
            "dimension": sql_literal(self.look.dimension),
            "value": sql_literal(self.look.value),
            "window_unit": sql_literal(self.window_unit),
            "window_start": f"date '{self.window_start}'" if self.window_start else "null::date",
            "period": sql_literal(self.period),
            "current_period": sql_literal(self.current_period),
            "from_on": f"date '{self.from_on}'",
            "until_on": f"date '{self.until_on}'",
            "today": f"date '{self.as_of.astimezone(ZoneInfo(self.zone)).date()}'",
            "most_shown": str(MOST_SHOWN),
        }
        return {**simple, "slice": _filled(_SLICE, simple), "of_slice": _filled(_OF_SLICE, simple)}


_LOCAL = "(as_of at time zone zone)"
_WINDOWS = {
    "this_quarter": ("quarter", _LOCAL),
    "last_quarter": ("quarter", f"(date_trunc('quarter', {_LOCAL}) - interval 1 day)"),
    "all": ("all", _LOCAL),
}


def circumstances_statement(look: Look) -> str:
    """The SELECT whose one row circumstances() reads. A window that is not understood is a ValueError."""
    if look.window in _WINDOWS:
        unit, day = _WINDOWS[look.window]
    else:
        unit, _, first = look.window.partition(":")
        if unit not in ("day", "week", "month", "quarter", "fiscal_quarter", "year"):
            raise ValueError(f"no window {look.window!r}")
        day = f"timestamp '{date.fromisoformat(first)}'"
    return _filled(_sql("circumstances"), {"unit": sql_literal(unit), "day": day})


def circumstances(look: Look, row: tuple[Any, ...]) -> Circumstances:
    """From the row that circumstances_statement() answers."""
    as_of, zone, currency, version, unit, period, current, start, from_on, until_on = row
    return Circumstances(
        look, as_of, zone, currency, version, period, current, unit, start, from_on, until_on
    )


@cache
def _sql(name: str) -> str:
    return (_SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8").strip()


def _filled(select: str, parameters: Mapping[str, str]) -> str:
    return _PARAMETER.sub(lambda name: parameters[name[1]], select)
