"""From a JSON object to a record ready for Avro: every event that enters Baton passes through here.

An event type is compiled once to a tuple of field checkers. A checker takes the value as JSON gave it
(or as Python holds it: datetime, date, Decimal) and returns what Avro wants. Nothing is coerced: the
text "true" is not a flag, 1.5 is not a count, and a binary float is not money.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from difflib import get_close_matches
from math import isfinite
from typing import Any

from schemas.catalogue import CATALOGUE, Catalogue, EventType
from schemas.errors import BatonError, ExitCode
from schemas.limits import EARLIEST, LATEST, LONGEST_TEXT, WIDEST_MONEY

TYPE_FIELD = "type"
DECIMALS = 4
EVENT_NAMESPACE = uuid.UUID("6d4f6f0e-6a1c-5c0e-9b61-5a4f1f7a2c11")

Clock = Callable[[], datetime]
Record = dict[str, Any]
Checker = Callable[[Any], Any]

_DECIMAL_TEXT = re.compile(r"-?[0-9]{1,14}(\.[0-9]{1,4})?")
_WHOLE_DIGITS = len(str(WIDEST_MONEY)) - 1
_EXACT_IN_A_DOUBLE = 2**53
_INTEGER_BITS = {"int": 31, "long": 63}
_ASK_FOR_A_ZONE = "write the zone, as in 2026-03-02T09:00:00Z or 2026-03-02T10:00:00+01:00"


class ContractViolation(BatonError):
    """One event that is not what the contract says. `field` names the place, `why` the reason.

    It stands for the first fault found, in the order: event type, fields of the contract, unknown fields.
    """

    def __init__(self, field: str, why: str, event_type: str = "") -> None:
        super().__init__(
            f"{event_type or 'The event'} breaks the contract",
            where=f"field {field}" if field else "the whole event",
            why=why,
            next_command="baton contract docs   (docs/reference/events.md says what each event may hold)",
            exit_code=ExitCode.DATA_PROBLEMS,
        )
        self.field = field
        self.event_type = event_type


class _Refused(Exception):
    """Why a single value is refused; read() adds the field and the event type."""


def system_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


class EventReader:
    """Reads events against one catalogue. Holds no state between events, so threads may share it."""

    def __init__(self, catalogue: Catalogue = CATALOGUE) -> None:
        self._plans = {name: (event, _compile(event)) for name, event in catalogue.event_types.items()}

    def read(self, obj: Mapping[str, Any], clock: Clock = system_clock) -> tuple[EventType, Record]:
        """The event's type and its record, with every field of the newest version present.

        Instants come back as datetime in UTC (digits below a microsecond are cut off), days as date, money
        as Decimal; left-out optional fields as None. `recorded_at`, left out, is the clock's now.
        `event_id`, left out, is event_identity(): the same facts get the same id, so publishing a
        file twice adds nothing. Raises ContractViolation.
        """
        event, plan = self._plan(obj)
        record: Record = {}
        present = 1
        get = obj.get
        name = ""
        try:
            for name, check, is_required in plan:
                value = get(name)
                if value is not None:
                    record[name] = check(value)
                    present += 1
                elif is_required:
                    record[name] = None
                    present += _absent(obj, name)
                else:
                    record[name] = None
                    present += name in obj
        except _Refused as refused:
            raise ContractViolation(name, str(refused), event.name) from None
        if present != len(obj):
            raise _unknown_field(obj, event)
        if record["recorded_at"] is None:
            record["recorded_at"] = _instant(clock())
        if record["event_id"] is None:
            record["event_id"] = event_identity(event, record)
        return event, record

    def _plan(self, obj: Mapping[str, Any]) -> tuple[EventType, tuple[tuple[str, Checker, bool], ...]]:
        if not isinstance(obj, Mapping):
            raise ContractViolation("", f"an event is a JSON object, not {_kind(obj)}")
        named = obj.get(TYPE_FIELD)
        if named is None:
            raise ContractViolation(TYPE_FIELD, 'missing; it names the event, as in "type": "LeadCaptured"')
        found = self._plans.get(named) if isinstance(named, str) else None
        if found is None:
            raise ContractViolation(TYPE_FIELD, _not_one_of(named, "an event", self._plans))
        return found


def read_event(obj: Mapping[str, Any], clock: Clock = system_clock) -> tuple[EventType, Record]:
    """EventReader.read against the catalogue of this package."""
    return _READER.read(obj, clock)


def event_identity(event: EventType, record: Mapping[str, Any]) -> str:
    """uuid5 over the canonical JSON of what is said: neither event_id nor recorded_at.

    Canonical: keys sorted, no spaces, absent fields left out (so a later version with one more optional
    field gives the same id), instants in UTC with microseconds, money with four decimals.
    """
    said = {name: value for name, value in record.items() if value is not None}
    said.pop("event_id", None)
    said.pop("recorded_at", None)
    said[TYPE_FIELD] = event.name
    return str(uuid.uuid5(EVENT_NAMESPACE, _CANONICAL.encode(said)))


def _canonical(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:.{DECIMALS}f}" if value else f"{0:.{DECIMALS}f}"
    raise TypeError(f"{type(value).__name__} is not a value of an event")


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_canonical)


def _absent(obj: Mapping[str, Any], name: str) -> int:
    """1 when an absent field stands there as null. Only what Baton can fill in may be absent."""
    if name not in ("event_id", "recorded_at"):
        raise _Refused("is null but required" if name in obj else "is missing and required")
    return int(name in obj)


def _unknown_field(obj: Mapping[str, Any], event: EventType) -> ContractViolation:
    known = [str(field["name"]) for field in event.fields]
    unknown = next(name for name in obj if name not in known and name != TYPE_FIELD)
    why = _not_one_of(unknown, f"a field of {event.name}", known)
    return ContractViolation(_shown(str(unknown))[1:-1], why, event.name)


def _not_one_of(given: Any, kind: str, names: Any) -> str:
    """Says that a name is unknown, and which known one was probably meant."""
    shown = _shown(given) if isinstance(given, str) else _kind(given)
    close = get_close_matches(str(given)[:200], list(names), n=1, cutoff=0.6)
    if close:
        return f"{shown} is not {kind}; did you mean {close[0]}?"
    listed = sorted(names)
    more = f" and {len(listed) - 12} more" if len(listed) > 12 else ""
    return f"{shown} is not {kind}; there are {', '.join(listed[:12])}{more}"


# --- checkers: one for each Avro type of the contract ---------------------------------------------


def _compile(event: EventType) -> tuple[tuple[str, Checker, bool], ...]:
    return tuple((f["name"], _checker(event, f), not isinstance(f["type"], list)) for f in event.fields)


def _checker(event: EventType, field: Mapping[str, Any]) -> Checker:
    avro, name = field["type"], field["name"]
    if isinstance(avro, list):
        avro = next(branch for branch in avro if branch != "null")
    kind = avro if isinstance(avro, str) else avro.get("logicalType", avro["type"])
    match kind:
        case "string":
            return _identifier if name.endswith("_id") or name in ("source", event.key) else _text
        case "boolean":
            return _flag
        case "int" | "long":
            return _whole_number(_INTEGER_BITS[kind], field.get("minimum"))
        case "double":
            return _number(field.get("minimum"))
        case "timestamp-micros":
            return _instant
        case "date":
            return _day
        case "decimal":
            return _money(field.get("minimum"))
    raise BatonError(
        "An event schema uses a type that events may not have",
        where=f"{event.newest.path}, field {name}",
        why=f"{kind} is not one of the contract's types",
        next_command="baton contract check",
        exit_code=ExitCode.CONFIGURATION,
    )


def _text(value: Any) -> str:
    if type(value) is not str:
        raise _Refused(f"expected text, got {_kind(value)}")
    length = len(value)
    if not value.isascii():
        try:
            length = len(value.encode())
        except UnicodeEncodeError:
            raise _Refused("holds half of a surrogate pair, which no encoding can carry") from None
    if length > LONGEST_TEXT:
        raise _Refused(f"is {length:,} bytes long; at most {LONGEST_TEXT:,} are allowed")
    if "\0" in value:
        raise _Refused("holds a NUL character")
    return value


def _identifier(value: Any) -> str:
    """Text that is not blank. An optional id that is not known is left out: "" would name a subject."""
    text = _text(value)
    if not text or text.isspace():
        raise _Refused("is empty; an id names something, and an optional one is left out when unknown")
    return text


def _flag(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise _Refused(f"expected true or false, got {_kind(value)}")


def _whole_number(bits: int, minimum: int | None) -> Checker:
    highest = 2**bits - 1
    lowest = -highest - 1

    def check(value: Any) -> int:
        if type(value) is not int:
            raise _Refused(f"expected a whole number, got {_kind(value)}")
        if not lowest <= value <= highest:
            raise _Refused(f"is outside {lowest} to {highest}, what {bits + 1} bits hold")
        if minimum is not None and value < minimum:
            raise _Refused(f"{value} is below the minimum, {minimum}")
        return value

    return check


def _number(minimum: float | None) -> Checker:
    def check(value: Any) -> float:
        if type(value) is int:
            if not -_EXACT_IN_A_DOUBLE <= value <= _EXACT_IN_A_DOUBLE:
                raise _Refused("is a whole number too large to be held exactly")
            value = float(value)
        if type(value) is not float:
            raise _Refused(f"expected a number, got {_kind(value)}")
        if not isfinite(value):
            raise _Refused(f"{value} is not a finite number")
        if minimum is not None and value < minimum:
            raise _Refused(f"{value} is below the minimum, {minimum}")
        return value

    return check


def _instant(value: Any) -> datetime:
    if type(value) is str:
        instant = _parsed_instant(value)
    elif isinstance(value, datetime):
        instant = value
    else:
        raise _Refused(f"expected an ISO-8601 instant as text, got {_kind(value)}")
    if instant.utcoffset() is None:
        raise _Refused(f"{instant.isoformat()} has no zone, so it is not one instant; {_ASK_FOR_A_ZONE}")
    if not EARLIEST <= instant < LATEST:
        raise _Refused(f"{instant.isoformat()} is not between {EARLIEST.year} and {LATEST.year}")
    return instant if instant.tzinfo is UTC else instant.astimezone(UTC)


def _parsed_instant(text: str) -> datetime:
    if text[10:11] not in ("T", "t", " "):
        raise _Refused(f"{_shown(text)} is not an ISO-8601 instant; {_ASK_FOR_A_ZONE}")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise _Refused(f"{_shown(text)} is not an ISO-8601 instant{_detail(error)}") from None


def _day(value: Any) -> date:
    if type(value) is str:
        day = _parsed_day(value)
    elif isinstance(value, date) and not isinstance(value, datetime):
        day = value
    else:
        raise _Refused(f"expected a day as text (2026-03-02), got {_kind(value)}")
    if not EARLIEST.date() <= day < LATEST.date():
        raise _Refused(f"{day.isoformat()} is not between {EARLIEST.year} and {LATEST.year}")
    return day


def _parsed_day(text: str) -> date:
    if len(text) != 10 or text[4] != "-" or text[7] != "-":
        raise _Refused(f"{_shown(text)} is not a day; write it as 2026-03-02")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise _Refused(f"{_shown(text)} is not a day{_detail(error)}") from None


def _money(minimum: int | None) -> Checker:
    def check(value: Any) -> Decimal:
        amount = _decimal(value)
        if minimum is not None and amount < minimum:
            raise _Refused(f"{amount} is below the minimum, {minimum}")
        return amount

    return check


def _decimal(value: Any) -> Decimal:
    """A decimal of precision 18 and scale 4, exactly as given; never by way of a binary float."""
    if type(value) is str:
        if _DECIMAL_TEXT.fullmatch(value) is None:
            raise _Refused(
                f"{_shown(value)} is not a decimal with at most {_WHOLE_DIGITS} digits before the point"
                f' and {DECIMALS} after it, as in "1200.50"'
            )
        return Decimal(value)
    if type(value) is int:
        if not -WIDEST_MONEY < value < WIDEST_MONEY:
            raise _Refused(f"has more than {_WHOLE_DIGITS} digits before the point")
        return Decimal(value)
    if type(value) is float:
        raise _Refused('is a binary float, and money is decimal; write it as text, as in "1200.50"')
    if not isinstance(value, Decimal):
        raise _Refused(f'expected a decimal as text, as in "1200.50", got {_kind(value)}')
    if not value.is_finite() or abs(value) >= WIDEST_MONEY or value != round(value, DECIMALS):
        raise _Refused(f"{_shown(str(value))} has more than {_WHOLE_DIGITS} digits or {DECIMALS} decimals")
    return round(value, DECIMALS)


def _detail(error: ValueError) -> str:
    """Python's reason ("day is out of range for month"), unless it only repeats the text."""
    return "" if str(error).startswith("Invalid") else f": {error}"


def _shown(text: str) -> str:
    """Text of a stranger, quoted, cut, and with control characters escaped: it may reach a terminal."""
    return json.dumps(text if len(text) <= 60 else text[:60] + "...")


def _kind(value: Any) -> str:
    """A value in words, for messages: what it is, and itself where it is short."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {_shown(value)}"
    if isinstance(value, int | float):
        return f"the number {value}" if abs(value) < 10**20 or value != value else "a very large number"
    if isinstance(value, Mapping):
        return "an object; events are flat"
    if isinstance(value, list | tuple):
        return "a list; events are flat"
    return f"a {type(value).__name__}"


_READER = EventReader()
