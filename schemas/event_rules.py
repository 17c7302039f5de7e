"""What the fields of one event say together, and the forms that JSON has beside the fields.

A form is read before the fields are: `occurred_on` stands for an instant, `probability_unit` says what
a number is, and a win without amount is one whose amount is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

from schemas.catalogue import EventType
from schemas.field_checks import Refused, not_one_of, read_day, shown

Form = Callable[[Mapping[str, Any]], Mapping[str, Any]]
Rule = Callable[[Mapping[str, Any]], None]

DAY_FORM = "occurred_on"
UNIT_FORM = "probability_unit"
_UNITS = {"share": 1, "percent": 100}


def forms(event: EventType) -> tuple[tuple[str, Form], ...]:
    """(a name that JSON may hold, what makes fields of it) for an event; "" for one that is always asked."""
    names = {field["name"] for field in event.fields}
    found: list[tuple[str, Form]] = []
    if "is_day_only" in names:
        found.append((DAY_FORM, _midnight))
    if "probability" in names:
        found.append((UNIT_FORM, _share))
    if "is_amount_known" in names:
        found.append(("", _unknown_amount))
    return tuple(found)


def rules(event: EventType) -> tuple[Rule, ...]:
    """What a record of the event must satisfy once each of its fields is right. A rule raises Refused."""
    fields = {field["name"]: field["type"] for field in event.fields}
    found: list[Rule] = []
    if "is_day_only" in fields:
        found.append(_day_begins)
    if "is_amount_known" in fields:
        found.append(_amount_is_known_or_nothing)
    elif isinstance(fields.get("amount"), list):
        found.append(_amount_with_currency)
    return tuple(found)


def _midnight(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    if obj.get("occurred_at") is not None:
        raise Refused("stands beside occurred_at; a fact is known by its day or by its instant", DAY_FORM)
    if obj.get("is_day_only") is False:
        raise Refused("is a day, and is_day_only says false", DAY_FORM)
    try:
        begins = datetime.combine(read_day(obj[DAY_FORM]), time(), UTC)
    except Refused as refused:
        raise Refused(str(refused), DAY_FORM) from None
    others = {name: value for name, value in obj.items() if name != DAY_FORM}
    return {**others, "occurred_at": begins, "is_day_only": True}


def _share(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    unit, value = obj[UNIT_FORM], obj.get("probability")
    if not isinstance(unit, str) or unit not in _UNITS:
        raise Refused(not_one_of(unit, "a unit of probability", _UNITS), UNIT_FORM)
    others = {name: given for name, given in obj.items() if name != UNIT_FORM}
    if isinstance(value, bool) or not isinstance(value, int | float) or _UNITS[unit] == 1:
        return others
    if not 0 <= value <= 100:
        raise Refused(f"{value} is not a percentage from 0 to 100", "probability")
    # By way of decimals: 33.3 % is 0.333, and not 0.33299999999999996.
    return {**others, "probability": float(Decimal(repr(value)) / 100)}


def _unknown_amount(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    if any(obj.get(name) is not None for name in ("amount", "currency")) or obj.get("is_amount_known"):
        return obj
    return {**obj, "amount": 0, "currency": "", "is_amount_known": False}


def _amount_is_known_or_nothing(record: Mapping[str, Any]) -> None:
    if record["is_amount_known"] and not record["currency"]:
        raise Refused("is empty beside an amount; leave both out when the amount is not known", "currency")
    if not record["is_amount_known"] and (record["amount"] or record["currency"]):
        raise Refused("is false, and there is an amount or a currency", "is_amount_known")


def _amount_with_currency(record: Mapping[str, Any]) -> None:
    for there, missing in (("amount", "currency"), ("currency", "amount")):
        if record[there] is not None and record[missing] is None:
            raise Refused(f"is missing beside the {there}; money is both, or neither when not known", missing)


def _day_begins(record: Mapping[str, Any]) -> None:
    at = record["occurred_at"]
    if record["is_day_only"] and at.timetz() != time(tzinfo=UTC):
        raise Refused(
            f"is true, and occurred_at, {shown(at.isoformat())}, is no midnight in UTC; write {DAY_FORM}",
            "is_day_only",
        )
