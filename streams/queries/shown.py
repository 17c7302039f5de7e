"""Values as the page shows them: rounded where people read, exact in the title, in the playbook's zone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from math import isnan
from typing import Any
from zoneinfo import ZoneInfo

from projections.changes.sentences import team_name
from streams.queries.values import NULL, printable

_WORDS = {
    "sla": "SLA",
    "icp": "ICP",
    "sdr": "SDR",
    "two_out": "two quarters out",
    "acknowledge_return": "answer to a return",
    "first_attempt": "first attempt",
    "attempts": "all attempts",
}
MINUTES_AN_HOUR, MINUTES_A_DAY = 60, 1440
# A word of ours, such as past_due or sales_development.
_SHARE = re.compile(r".*_(share|rate|completeness)|recall|precision_.*|probability|nrr|grr")
_OURS = re.compile(r"[a-z]+(_[a-z]+)*")
# From so many minutes on, hours are easier to read. Business time is never said in days.
MINUTES_AS_HOURS = 120
LONGEST_TEXT = 120


@dataclass(frozen=True)
class Shown:
    """A value as text. exact: the same, whole, where the text is rounded or cut; kind: number, text or
    none."""

    text: str
    exact: str = ""
    kind: str = "text"


def shown(unit: str, value: Any, row: Mapping[str, Any] | None = None, zone: str = "UTC") -> Shown:
    """A value of a unit of streams/queries/panel.py. row: where its currency is."""
    if value is None or isinstance(value, float) and isnan(value):
        return Shown(NULL, kind="none")
    match unit:
        case "count":
            return Shown(f"{value:,}", kind="number")
        case "share":
            return Shown(f"{100 * value:.1f} %", f"{100 * value:.10g} %", "number")
        case "multiple":
            return Shown(f"{value:.2f} ×", f"{value:.10g}", "number")
        case "money":
            return money(value, str((row or {}).get("currency") or ""))
        case "minutes":
            return Shown(_minutes(value), f"{value:,.6g} minutes", "number")
        case "days":
            return Shown(f"{value:,.1f}", f"{value:.10g} days", "number")
        case "instant":
            return _instant(value, zone)
        case "day":
            return Shown(f"{value:%-d %b %Y}", value.isoformat())
        case "flag":
            return Shown("yes" if value else "no")
        case "name":
            return Shown(name(str(value)))
        case "version":
            return Shown(printable(str(value)[:12]), printable(str(value)))
    return _text(str(value))


def money(value: Decimal | float, currency: str) -> Shown:
    """An amount in whole units of its currency, with its cents in the exact form."""
    return Shown(f"{value:,.0f} {currency}".strip(), f"{value:,.2f} {currency}".strip(), "number")


def short_money(value: Decimal | float | None, currency: str) -> Shown:
    """An amount for a headline: 4.24 M EUR."""
    if value is None:
        return Shown(NULL, kind="none")
    amount = float(value)
    for size, letter, digits in ((1_000_000, "M", 2), (1_000, "k", 0)):
        if abs(amount) >= size:
            text = f"{amount / size:,.{digits}f} {letter} {currency}"
            return Shown(text, money(value, currency).exact, "number")
    return money(value, currency)


def name(value: str) -> str:
    """An id of ours as people say it: sales_development is Sales Development, past_due is past due."""
    if value in _WORDS:
        return _WORDS[value]
    if value in ("marketing", "sales", "customer_success", "sales_development"):
        return team_name(value)
    return printable(value.replace("_", " "))


def any_value(column: str, value: Any, row: Mapping[str, Any], zone: str = "UTC") -> Shown:
    """A value of a view's column, whose unit follows from its type and name."""
    if isinstance(value, bool):
        return shown("flag", value)
    if isinstance(value, datetime):
        return shown("instant", value, row, zone)
    if isinstance(value, date):
        return shown("day", value)
    if isinstance(value, Decimal):
        return shown("money", value, row) if row.get("currency") else Shown(f"{value:,}", kind="number")
    if isinstance(value, int):
        return shown("count", value)
    if isinstance(value, float):
        if column.endswith("minutes"):
            return shown("minutes", value)
        is_share = _SHARE.fullmatch(column)
        return shown("share", value) if is_share else Shown(f"{value:,.4g}", f"{value:.12g}", "number")
    if isinstance(value, bytes):
        return _text(value.hex())
    if isinstance(value, list | dict):
        return _text(f"{len(value)} entries" if isinstance(value, list) else str(value))
    if value is None:
        return Shown(NULL, kind="none")
    if column == "playbook_version":
        return shown("version", value)
    is_ours = _OURS.fullmatch(str(value)) and not column.endswith(("_id", "owner", "source", "source_system"))
    return Shown(name(str(value)), str(value)) if is_ours else _text(str(value))


def late(minutes: float) -> Shown:
    """How long after it happened something was recorded, by the wall clock, so that days are 24 hours."""
    if abs(minutes) < MINUTES_A_DAY:
        return shown("minutes", minutes)
    return Shown(f"{minutes / MINUTES_A_DAY:,.1f} days", f"{minutes:,.6g} minutes", "number")


def sentence(text: str) -> str:
    """The text with its first letter as a capital; others stay as they are."""
    return text[:1].upper() + text[1:]


def event_name(event_type: str) -> str:
    """The name of an event in words: HandoffOffered is Handoff offered."""
    return sentence(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", event_type).lower())


def _text(value: str) -> Shown:
    text = printable(value)
    if len(text) <= LONGEST_TEXT:
        return Shown(text)
    return Shown(text[:LONGEST_TEXT] + " …", text)


def _minutes(value: float) -> str:
    if abs(value) < MINUTES_AS_HOURS:
        return f"{value:,.0f} min" if abs(value) >= 1 or value == 0 else f"{value:.1f} min"
    hours, minutes = divmod(round(abs(value)), MINUTES_AN_HOUR)
    return f"{'-' if value < 0 else ''}{hours:,} h" + (f" {minutes:02} min" if hours < 100 else "")


def _instant(value: datetime, zone: str) -> Shown:
    local = value.astimezone(ZoneInfo(zone))
    return Shown(f"{local:%-d %b %Y, %H:%M}", f"{local.isoformat(sep=' ')} {zone}")
