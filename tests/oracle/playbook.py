"""The playbook as the oracle reads it: from its file, as one version that is always in force."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from streams.simulator.clock import DAY, EPOCH, HOUR, MINUTE, Calendar, microseconds_of
from streams.simulator.rules import default_playbook, read_rules

UNITS = {"minute": MINUTE, "minutes": MINUTE, "hour": HOUR, "hours": HOUR, "day": DAY, "days": DAY}
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Sla:
    """One clause: what a pair of teams owes, by which clock, in microseconds."""

    id: str
    is_owed_by_receiver: bool
    allowed: int
    is_business: bool
    attempts: int


class Playbook:
    """One playbook. `text` is all that its file says; the rest are parts that more than one number reads."""

    def __init__(self, path: Path | None = None) -> None:
        """path: the packaged playbook if it is left out. Raises BatonError for a file that cannot be read."""
        path = path or default_playbook()
        self._staff = read_rules(path)
        self.text: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        self.zone = ZoneInfo(self.text["playbook"]["zone"])
        self.at_risk_share = float(self.text["playbook"]["at_risk_share"])
        self.minimum_n = int(self.text.get("cascade", {}).get("minimum_n", 30))

    def calendar(self, owner: str | None, team: str) -> Calendar:
        """The owner's own calendar if the playbook lists the owner, else the team's."""
        return self._staff.calendar(owner, team)

    @cached_property
    def slas(self) -> dict[tuple[str, str], list[Sla]]:
        """The clauses by (from_team, to_team)."""
        slas: dict[tuple[str, str], list[Sla]] = {}
        for row in self.text.get("sla", []):
            sla = Sla(
                id=row["id"],
                is_owed_by_receiver=row["owed_by"] == "receiver",
                allowed=microseconds(row["within"]),
                is_business=row["clock"] == "business",
                attempts=int(row.get("attempts", 0)),
            )
            slas.setdefault((row["from_team"], row["to_team"]), []).append(sla)
        return slas

    # --- days and instants ----------------------------------------------------------------------

    def day_of(self, instant: int) -> date:
        """The day of an instant in the playbook's zone."""
        return (EPOCH + timedelta(microseconds=instant)).astimezone(self.zone).date()

    def begins(self, day: date) -> int:
        """The instant at which a day of the playbook's zone begins."""
        return microseconds_of(datetime(day.year, day.month, day.day, tzinfo=self.zone))

    # --- money ----------------------------------------------------------------------------------

    @cached_property
    def currency(self) -> str:
        """The currency of goals and sums."""
        return str(self.text.get("money", {}).get("currency", "EUR"))

    @cached_property
    def gross_margin(self) -> Decimal:
        """The share of revenue that is left after what it costs to deliver."""
        return Decimal(self.text.get("money", {}).get("gross_margin", "1"))

    def priced(self, fields: Mapping[str, Any], day: date) -> Decimal | None:
        """The amount of an event in the playbook's currency, at the rate of the day it belongs to.

        It is exact: sums are rounded once, at the end. None without an amount or a rate.
        """
        currency, amount = fields.get("currency"), fields.get("amount")
        if amount is None or not currency:
            return None
        if currency == self.currency:
            return Decimal(amount)
        # Of all rates that have begun by then the one that began last.
        begun = [
            (row.get("from", date.min), Decimal(row["rate"]))
            for row in self.text.get("rate", [])
            if row["currency"] == currency and row.get("from", date.min) <= day
        ]
        return Decimal(amount) * max(begun)[1] if begun else None

    # --- periods --------------------------------------------------------------------------------

    def days_of(self, period: str) -> tuple[date, date]:
        """The first day of a period, and the first day after it."""
        fiscal = int(self.text["playbook"].get("fiscal_year_begins", 1))
        name = period.removeprefix("FY")
        year, _, part = name.partition("-")
        begins = fiscal if period.startswith("FY") else 1
        months_before = 3 * (int(part[1]) - 1) if part.startswith("Q") else int(part or 1) - 1
        length = 12 if not part else 3 if part.startswith("Q") else 1
        first = int(year) * 12 + begins - 1 + months_before
        return _first_of_month(first), _first_of_month(first + length)


def _first_of_month(months: int) -> date:
    """months: since the year 0."""
    return date(months // 12, months % 12 + 1, 1)


def microseconds(duration: str) -> int:
    """The playbook's "30 minutes", "2 hours" or "14 days"."""
    count, _, unit = duration.partition(" ")
    return int(count) * UNITS[unit]


def nearest_cent(amount: Decimal) -> Decimal:
    """To the cent, half away from zero."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def exact_cents(amount: Fraction) -> Decimal:
    """A fraction to the cent, half away from zero, without a rounding in between."""
    doubled = abs(amount) * 200 + 1
    cents = Decimal(doubled.numerator // doubled.denominator // 2) * CENT
    return -cents if amount < 0 else cents


def decimal_text(amount: Decimal | None) -> str | None:
    """Money as a row states it, rounded to cents."""
    return None if amount is None else f"{nearest_cent(amount):.2f}"
