"""One field of an event: from its JSON value (or as Python holds it) to what Avro wants, or why not.

Nothing is coerced: the text "true" is not a flag, 1.5 is not a count, and a binary float is not money.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from difflib import get_close_matches
from math import isfinite
from typing import Any

from schemas import vocabulary
from schemas.avro_types import is_attributes
from schemas.catalogue import EventType
from schemas.errors import BatonError, ExitCode
from schemas.limits import (
    ATTRIBUTE_NAME,
    EARLIEST,
    LATEST,
    LONGEST_TEXT,
    WIDEST_MONEY,
    is_identifier,
)

DECIMALS = 4

Checker = Callable[[Any], Any]

# Zeros beyond the decimals that are kept say nothing: databases write them.
_DECIMAL_TEXT = re.compile(r"-?[0-9]{1,14}(\.[0-9]{1,4}0{0,40})?")
_FINER_TEXT = re.compile(r"-?[0-9]{1,14}\.[0-9]{5,60}")
_WHOLE_DIGITS = len(str(WIDEST_MONEY)) - 1
_EXACT_IN_A_DOUBLE = 2**53
# Controls, formats such as the zero-width space, and separators such as the no-break space.
_INVISIBLE = ("Cc", "Cf", "Zs", "Zl", "Zp")
SCOPES = ("company", "team")
_INTEGER_BITS = {"int": 31, "long": 63}
_ASK_FOR_A_ZONE = "write the zone, as in 2026-03-02T09:00:00Z or 2026-03-02T10:00:00+01:00"


_TOO_FINE = (
    f"has more than {DECIMALS} decimals; rounded to {DECIMALS} the sum would be wrong, and money is rounded"
    " once, at the end: book a sum of such amounts, rounded where it comes from"
)
_ATTRIBUTE = re.compile(ATTRIBUTE_NAME)
# How a number that breaks its bounds is probably meant.
_HINTS = {"probability": '; a percentage says "probability_unit": "percent"'}


class Refused(Exception):
    """Why a value is refused; EventReader adds the event type, and the field unless it is named."""

    def __init__(self, why: str, field: str = "") -> None:
        super().__init__(why)
        self.field = field


def not_one_of(given: Any, kind: str, names: Iterable[str]) -> str:
    """Says that a name is unknown, and which known one was probably meant."""
    quoted = shown(given) if isinstance(given, str) else kind_of(given)
    close = get_close_matches(str(given)[:200], list(names), n=1, cutoff=0.6)
    if close:
        return f"{quoted} is not {kind}; did you mean {close[0]}?"
    listed = sorted(names)
    more = f" and {len(listed) - 12} more" if len(listed) > 12 else ""
    return f"{quoted} is not {kind}; there are {', '.join(listed[:12])}{more}"


def checker(event: EventType, field: dict[str, Any]) -> Checker:
    """What reads the values of a field. It raises Refused; null is not its business."""
    avro, name = field["type"], field["name"]
    if isinstance(avro, list):
        avro = next(branch for branch in avro if branch != "null")
    if is_attributes(avro):
        return _attributes
    kind = avro if isinstance(avro, str) else avro.get("logicalType", avro["type"])
    match kind:
        case "string":
            return _of_text(event, field)
        case "boolean":
            return _flag
        case "int" | "long":
            return _whole_number(_INTEGER_BITS[kind], field.get("minimum"))
        case "double":
            return _number(field.get("minimum"), field.get("maximum"), _HINTS.get(name, ""))
        case "timestamp-micros":
            return read_instant
        case "date":
            return read_day
        case "decimal":
            return _money(field.get("minimum"))
    raise BatonError(
        "An event schema uses a type that events may not have",
        where=f"{event.newest.path}, field {name}",
        why=f"{kind} is not one of the contract's types",
        next_command="baton contract check",
        exit_code=ExitCode.CONFIGURATION,
    )


def _of_text(event: EventType, field: dict[str, Any]) -> Checker:
    names = {other["name"] for other in event.fields}
    if is_identifier(field, event.newest):
        return _identifier
    match field["name"]:
        case "currency":
            check = _word(vocabulary.wrong_currency)
            return _or_empty(check) if "is_amount_known" in names else check
        case "period" if "metric" in names:
            return _word(vocabulary.wrong_period)
        case "scope":
            return _one_of(SCOPES)
        case name if name.endswith("_id"):
            return _or_empty(_identifier)
    return _text


def _or_empty(check: Checker) -> Checker:
    """The empty text says that it is not known."""
    return lambda value: "" if value == "" else check(value)


def _word(fault: Callable[[str], str | None]) -> Checker:
    def check(value: Any) -> str:
        text = _text(value)
        if why := fault(text):
            raise Refused(f"{shown(text)} {why}" if text else why)
        return text

    return check


def _one_of(words: tuple[str, ...]) -> Checker:
    def check(value: Any) -> str:
        if value not in words:
            raise Refused(not_one_of(value, "known here", words))
        return str(value)

    return check


def _attributes(value: Any) -> list[dict[str, str]]:
    """Names and values of an object, by name. A name without a value (null) says nothing, and goes."""
    if isinstance(value, list | tuple) and all(_is_pair(item) for item in value):
        pairs = [(item["name"], item["value"]) for item in value]
    elif isinstance(value, Mapping):
        pairs = list(value.items())
    else:
        raise Refused(f'expected an object, as in {{"product": "basic"}}, got {kind_of(value)}')
    found: dict[str, str] = {}
    for name, said in pairs:
        if not isinstance(name, str) or not _ATTRIBUTE.fullmatch(name):
            raise Refused(_wrong_name(name))
        if name in found:
            raise Refused(f"{name} stands there twice")
        if said is not None:
            found[name] = _attribute_text(name, said)
    return [{"name": name, "value": found[name]} for name in sorted(found)]


def _is_pair(item: Any) -> bool:
    return isinstance(item, Mapping) and item.keys() == {"name", "value"}


def _wrong_name(name: Any) -> str:
    meant = re.sub(r"[^a-z0-9]+", "_", str(name)[:200].lower()).strip("_")[:64]
    hint = f"; did you mean {meant}?" if _ATTRIBUTE.fullmatch(meant) else ""
    quoted = shown(name) if isinstance(name, str) else kind_of(name)
    return f"{quoted} is no name: lower_case letters, digits and _, at most 64{hint}"


def _attribute_text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, int) and abs(value) <= _EXACT_IN_A_DOUBLE:
        value = str(value)
    elif isinstance(value, float | Decimal) and isfinite(value):
        value = str(value)
    try:
        return _text(value)
    except Refused as refused:
        raise Refused(f"{name}: {refused}") from None


def _text(value: Any) -> str:
    if type(value) is not str:
        raise Refused(f"expected text, got {kind_of(value)}")
    length = len(value)
    if not value.isascii():
        try:
            length = len(value.encode())
        except UnicodeEncodeError:
            raise Refused("holds half of a surrogate pair, which no encoding can carry") from None
    if length > LONGEST_TEXT:
        raise Refused(f"is {length:,} bytes long; at most {LONGEST_TEXT:,} are allowed")
    if "\0" in value:
        raise Refused("holds a NUL character")
    return value


def _identifier(value: Any) -> str:
    """Text that names something, without what cannot be seen around it: one id is one subject, however it
    was typed. An optional one that is not known is left out: "" would name a subject."""
    text = _text(value).strip()
    if not text.isprintable():
        text = _seen(text)
    if not text:
        raise Refused("is empty; an id names something, and an optional one is left out when unknown")
    return text


def _seen(text: str) -> str:
    """Without invisible characters at both ends. One in the middle is refused: two ids would look alike."""
    is_hidden = [c != " " and unicodedata.category(c) in _INVISIBLE for c in text]
    is_blank = [hidden or c == " " for hidden, c in zip(is_hidden, text, strict=True)]
    if all(is_blank):
        return ""
    first, last = is_blank.index(False), len(text) - is_blank[::-1].index(False)
    if any(is_hidden[first:last]):
        hidden = next(c for c, is_one in zip(text[first:], is_hidden[first:], strict=True) if is_one)
        raise Refused(f"{shown(text)} holds an invisible character, U+{ord(hidden):04X}; write it without")
    return text[first:last]


def _flag(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise Refused(f"expected true or false, got {kind_of(value)}")


def _whole_number(bits: int, minimum: int | None) -> Checker:
    highest = 2**bits - 1
    lowest = -highest - 1

    def check(value: Any) -> int:
        if type(value) is not int:
            raise Refused(f"expected a whole number, got {kind_of(value)}")
        if not lowest <= value <= highest:
            raise Refused(f"is outside {lowest} to {highest}, what {bits + 1} bits hold")
        if minimum is not None and value < minimum:
            raise Refused(f"{value} is below the minimum, {minimum}")
        return value

    return check


def _number(minimum: float | None, maximum: float | None, hint: str) -> Checker:
    def check(value: Any) -> float:
        if type(value) is int:
            if not -_EXACT_IN_A_DOUBLE <= value <= _EXACT_IN_A_DOUBLE:
                raise Refused("is a whole number too large to be held exactly")
            value = float(value)
        if type(value) is not float:
            raise Refused(f"expected a number, got {kind_of(value)}")
        if not isfinite(value):
            raise Refused(f"{value} is not a finite number")
        if minimum is not None and value < minimum:
            raise Refused(f"{value} is below the minimum, {minimum}{hint}")
        if maximum is not None and value > maximum:
            raise Refused(f"{value} is above the maximum, {maximum}{hint}")
        return value

    return check


def read_instant(value: Any) -> datetime:
    if type(value) is str:
        instant = _parsed_instant(value)
    elif isinstance(value, datetime):
        instant = value
    else:
        raise Refused(f"expected an ISO-8601 instant as text, got {kind_of(value)}")
    if instant.utcoffset() is None:
        raise Refused(f"{instant.isoformat()} has no zone, so it is not one instant; {_ASK_FOR_A_ZONE}")
    if not EARLIEST <= instant < LATEST:
        raise Refused(f"{instant.isoformat()} is not between {EARLIEST.year} and {LATEST.year}")
    return instant if instant.tzinfo is UTC else instant.astimezone(UTC)


def _parsed_instant(text: str) -> datetime:
    if text[10:11] not in ("T", "t", " "):
        raise Refused(f"{shown(text)} is not an ISO-8601 instant; {_ASK_FOR_A_ZONE}")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused(f"{shown(text)} is not an ISO-8601 instant{_detail(error)}") from None


def read_day(value: Any) -> date:
    if type(value) is str:
        day = _parsed_day(value)
    elif isinstance(value, date) and not isinstance(value, datetime):
        day = value
    else:
        raise Refused(f"expected a day as text (2026-03-02), got {kind_of(value)}")
    if not EARLIEST.date() <= day < LATEST.date():
        raise Refused(f"{day.isoformat()} is not between {EARLIEST.year} and {LATEST.year}")
    return day


def _parsed_day(text: str) -> date:
    if len(text) != 10 or text[4] != "-" or text[7] != "-":
        raise Refused(f"{shown(text)} is not a day; write it as 2026-03-02")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Refused(f"{shown(text)} is not a day{_detail(error)}") from None


def _money(minimum: int | None) -> Checker:
    def check(value: Any) -> Decimal:
        amount = _decimal(value)
        if minimum is not None and amount < minimum:
            raise Refused(f"{amount} is below the minimum, {minimum}")
        return amount

    return check


def _decimal(value: Any) -> Decimal:
    """A decimal of precision 18 and scale 4, exactly as given; never by way of a binary float."""
    if type(value) is str:
        if _DECIMAL_TEXT.fullmatch(value) is None:
            if _FINER_TEXT.fullmatch(value):
                raise Refused(f"{shown(value)} {_TOO_FINE}")
            raise Refused(
                f"{shown(value)} is not a decimal with at most {_WHOLE_DIGITS} digits before the point"
                f' and {DECIMALS} after it, as in "1200.50"'
            )
        kept = len(value.partition(".")[2]) <= DECIMALS
        return Decimal(value) if kept else round(Decimal(value), DECIMALS)
    if type(value) is int:
        if not -WIDEST_MONEY < value < WIDEST_MONEY:
            raise Refused(f"has more than {_WHOLE_DIGITS} digits before the point")
        return Decimal(value)
    if type(value) is float:
        raise Refused('is a binary float, and money is decimal; write it as text, as in "1200.50"')
    if not isinstance(value, Decimal):
        raise Refused(f'expected a decimal as text, as in "1200.50", got {kind_of(value)}')
    if not value.is_finite() or abs(value) >= WIDEST_MONEY:
        raise Refused(
            f"{shown(str(value))} is no amount with at most {_WHOLE_DIGITS} digits before the point"
        )
    if value != round(value, DECIMALS):
        raise Refused(f"{shown(str(value))} {_TOO_FINE}")
    return round(value, DECIMALS)


def _detail(error: ValueError) -> str:
    """Python's reason ("day is out of range for month"), unless it only repeats the text."""
    return "" if str(error).startswith("Invalid") else f": {error}"


def shown(text: str) -> str:
    """Text of a stranger, quoted, cut, and with control characters escaped: it may reach a terminal."""
    return json.dumps(text if len(text) <= 60 else text[:60] + "...")


def kind_of(value: Any) -> str:
    """A value in words, for messages: what it is, and itself where it is short."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {shown(value)}"
    if isinstance(value, int | float):
        return f"the number {value}" if abs(value) < 10**20 or value != value else "a very large number"
    if isinstance(value, Mapping):
        return "an object; events are flat"
    if isinstance(value, list | tuple):
        return "a list; events are flat"
    return f"a {type(value).__name__}"
