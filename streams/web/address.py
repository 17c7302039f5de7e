"""The address of what somebody looks at: everything a page shows follows from it, so that it can be sent to
another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import quote, urlencode

from projections.dimensions import DIMENSIONS
from schemas.limits import EARLIEST, LATEST
from streams.queries.audiences import AUDIENCES
from streams.queries.panel import Look, Opens
from streams.queries.row_selection import Selection, opened

WINDOWS = {"this_quarter": "this quarter", "last_quarter": "last quarter", "all": "all time"}
UNITS = ("day", "week", "month", "quarter", "fiscal_quarter", "year")
LIVES = {
    "lead_id": "lead",
    "handoff_id": "handoff",
    "opportunity_id": "deal",
    "account_id": "account",
}
_WHERE = "is."


@dataclass(frozen=True)
class Address:
    """What is looked at, by whom, and as known on which day (empty for now)."""

    look: Look = Look()
    audience: str = AUDIENCES[0].id
    known: str = ""

    def query(self) -> dict[str, str]:
        """What of it is not as it is anyway."""
        values = {
            "for": self.audience if self.audience != AUDIENCES[0].id else "",
            "dimension": self.look.dimension if self.look.dimension != "all" else "",
            "value": self.look.value if self.look.dimension != "all" else "",
            "window": self.look.window if self.look.window != "this_quarter" else "",
            "known": self.known,
        }
        return {name: value for name, value in values.items() if value}

    def to(self, path: str, **others: str) -> str:
        """A link to another page that looks at the same."""
        query = urlencode({**self.query(), **others})
        return f"{path}?{query}" if query else path

    def for_audience(self, audience: str) -> str:
        """A link to the overview for an audience."""
        return replace(self, audience=audience).to("/")

    @property
    def now(self) -> Address:
        """The same as of now."""
        return replace(self, known="")

    @property
    def everything(self) -> Address:
        """All leads of this quarter, as of now, for the same audience."""
        return Address(audience=self.audience)

    def to_rows(self, opens: Opens, row: Mapping[str, Any]) -> str:
        """A link to the rows that a count of a panel's row counts."""
        return self.to_selection(opened(opens, row))

    def to_selection(self, selection: Selection, path: str = "", **others: str) -> str:
        """A link to rows of a view."""
        return self.to(path or f"/rows/{selection.view}", **self.where(selection), **others)

    @staticmethod
    def where(selection: Selection) -> dict[str, str]:
        """What a query states to narrow rows down."""
        within = {"within": selection.within} if selection.within else {}
        return {f"{_WHERE}{name}": value for name, value in selection.where.items()} | within

    def to_life(self, column: str, value: Any) -> str:
        """A link to the life of what an id column names; empty when it has none."""
        if column not in LIVES or value is None:
            return ""
        return self.to(f"/life/{LIVES[column]}/{quote(str(value), safe='')}")


def read_address(query: Mapping[str, str]) -> Address:
    """The address that a query states. What it states wrongly is a ValueError."""
    dimension = query.get("dimension") or "all"
    if dimension not in DIMENSIONS:
        raise ValueError(f"leads are not grouped by {dimension!r}")
    value = (query.get("value") or "") if dimension != "all" else "all"
    window = query.get("window") or "this_quarter"
    if window not in WINDOWS:
        unit, _, first = window.partition(":")
        if unit not in UNITS:
            raise ValueError(f"there is no window {window!r}")
        window = f"{unit}:{date.fromisoformat(first)}"
    known = query.get("known") or ""
    if known:
        if not EARLIEST.date() < date.fromisoformat(known) < LATEST.date():
            raise ValueError(f"no day of events: {known}")
    audience = query.get("for") or AUDIENCES[0].id
    if audience not in {found.id for found in AUDIENCES}:
        raise ValueError(f"there is no audience {audience!r}")
    return Address(Look(dimension, value, window), audience, known)


def read_selection(view: str, query: Mapping[str, str]) -> Selection:
    """The rows that a query states. A view or column that is not documented is a ValueError."""
    where = {name.removeprefix(_WHERE): value for name, value in query.items() if name.startswith(_WHERE)}
    return Selection(view, where, query.get("within") or "")
