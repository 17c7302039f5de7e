"""A change of a playbook: its sentence, the team it concerns, and the wording that all changes share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

EVERYBODY = "everybody"
_ACRONYMS = {"sdr", "bdr", "ae", "csm", "us", "uk", "eu"}
Row = TypeVar("Row")


@dataclass(frozen=True)
class Change:
    """One sentence; `team` is whom it concerns, by id, or everybody; `block` the part of the playbook."""

    team: str
    block: str
    says: str


def team_name(team: str) -> str:
    """A team's id as people say it: sales_development is Sales Development."""
    return " ".join(
        w.upper() if w in _ACRONYMS else w.capitalize() for w in team.replace("-", "_").split("_")
    )


def span(length: timedelta, clock: str = "elapsed") -> str:
    """A length of time in the largest unit that holds it whole: 1 hour, 90 minutes, 14 days.

    Business time is never said in days: they have no fixed length.
    """
    minutes = length // timedelta(minutes=1)
    if minutes % 1440 == 0 and minutes > 1440 and clock != "business":
        return counted(minutes // 1440, "day")
    return counted(minutes, "minute") if minutes % 60 else counted(minutes // 60, "hour")


def money(amount: Decimal, currency: str) -> str:
    """An amount with its cents: EUR 6,000,000.00."""
    return f"{currency} {amount:,.2f}"


def counted(number: int, unit: str) -> str:
    """1 hour, 2 hours."""
    return f"{number:,} {unit}{'' if number == 1 else 's'}"


def listed(words: Iterable[str], last_before: str = "and") -> str:
    """a, b and c."""
    *most, last = list(words) or ["nothing"]
    return f"{', '.join(most)} {last_before} {last}" if most else last


def pairs(
    old: Iterable[Row], new: Iterable[Row], key: Callable[[Row], Any]
) -> Iterator[tuple[Row | None, Row | None]]:
    """(before, after) of each that differs, in the new one's order; what is gone comes last."""
    before, after = {key(row): row for row in old}, {key(row): row for row in new}
    for name, row in after.items():
        if before.get(name) != row:
            yield before.get(name), row
    for name, row in before.items():
        if name not in after:
            yield row, None


def percent(share: float | Decimal) -> str:
    """75 %."""
    return f"{(Decimal(str(share)) * 100).normalize():f} %"
