"""Values formatted for display: money with its currency, shares as percent, lists one item per line."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

_SHARE = re.compile(
    r".*_(share|rate|completeness)|rate_to_next|share|recall|nrr|grr|precision_.*|probability"
)
_RATIO = re.compile(r"pace|coverage_.*|margin_return")
# Decimals that are not money, although their row has a currency.
_COUNTED = {"credit", "gross_margin", "threshold", "observed"}
_COUNTED_BY_STEP = {"required", "actual", "gap"}
NULL = "–"
_LONGEST_LIST = 8
_LONGEST_TEXT = 80


def shown(name: str, value: Any, row: Mapping[str, Any]) -> str:
    """One value of a row or of an event."""
    if isinstance(value, Decimal):
        return _amount(name, value, row)
    if isinstance(value, float):
        return _number(name, value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, list):
        return _list(value)
    if isinstance(value, dict):
        return ", ".join(named(key, each, value) for key, each in value.items() if each is not None)
    if name == "playbook_version" and value is not None:
        return printable(str(value)[:12])
    return cell(value)


def cell(value: Any) -> str:
    """A value in a table cell, whole and exact."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value:,f}"
    if isinstance(value, int | float):
        return f"{value:,}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return printable(str(value))


def printable(text: str, keep: str = "") -> str:
    """The text with every character that a terminal would act on, or not show, as its escape (`\\x1b`).

    Events come from outside: one of their texts may clear a screen or reverse the order of letters.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def named(name: str, value: Any, row: Mapping[str, Any]) -> str:
    """A value with its name, as in `amount 5,400.00 EUR`; a flag is its name, as in `met` and `not met`."""
    if isinstance(value, bool) and name.startswith("is_"):
        return ("" if value else "not ") + name.removeprefix("is_")
    return f"{name} {shown(name, value, row)}"


def shortened(text: str) -> str:
    """A text cut to fit a line, with the number of characters left out."""
    left_out = len(text) - _LONGEST_TEXT
    return text if left_out <= 0 else f"{text[:_LONGEST_TEXT]}... ({left_out:,} more characters)"


def _amount(name: str, value: Decimal, row: Mapping[str, Any]) -> str:
    # A step of a cascade requires leads; only that of revenue requires money.
    is_count = name in _COUNTED or name in _COUNTED_BY_STEP and row.get("step", "revenue") != "revenue"
    if is_count or not row.get("currency"):
        return f"{value:,.2f}" if is_count and name in _COUNTED_BY_STEP else f"{value:,}"
    return f"{value:,.2f} {row['currency']}"


def _number(name: str, value: float) -> str:
    if _SHARE.fullmatch(name):
        return f"{100 * value:.1f} %"
    if _RATIO.fullmatch(name):
        return f"{value:,.2f}"
    return f"{value:,.1f}" if abs(value) >= 1 or value == 0 else f"{value:.3f}"


def _list(values: list[Any]) -> str:
    lines = []
    for value in values[:_LONGEST_LIST]:
        if isinstance(value, dict):
            # The first field names the item, the others describe it.
            (_, title), *others = value.items()
            lines.append(f"{printable(str(title))}: {shown('', dict(others), value)}")
        else:
            lines.append(shown("", value, {}))
    if len(values) > _LONGEST_LIST:
        lines.append(f"... {len(values) - _LONGEST_LIST} more")
    return "\n".join(lines) or NULL


def plain(value: Any) -> Any:
    """A value in JSON: instants in ISO 8601 with zone; decimals, and floats that JSON lacks, as text; bytes
    in hex."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {k if isinstance(k, str) else str(plain(k)): plain(inner) for k, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def defused(text: str) -> str:
    """A text for a spreadsheet: one that it would compute gets an apostrophe before it."""
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@") or text[:1] in ("\t", "\r", "\n") else text
