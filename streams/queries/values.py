"""Values as a page for people shows them: money with its currency, shares as percent, lists one a line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

_SHARE = re.compile(
    r".*_(share|rate|completeness)|rate_to_next|share|recall|nrr|grr|precision_.*|probability"
)
_RATIO = re.compile(r"pace|coverage_.*|margin_return")
# Decimals that are no money, though their row has a currency.
_COUNTED = {"credit", "gross_margin", "threshold", "observed"}
_COUNTED_BY_STEP = {"required", "actual", "gap"}
_LONGEST_LIST = 8
_LONGEST_TEXT = 80


def shown(name: str, value: Any, row: Mapping[str, Any]) -> str:
    """One value of a row, or of what an event says."""
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
        return str(value)[:12]
    return cell(value)


def cell(value: Any) -> str:
    """A value as a table shows it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, int | Decimal):
        return f"{value:,}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return str(value)


def named(name: str, value: Any, row: Mapping[str, Any]) -> str:
    """A value with its name, as in `amount 5,400.00 EUR`; a flag is its name, as in `met` and `not met`."""
    if isinstance(value, bool) and name.startswith("is_"):
        return ("" if value else "not ") + name.removeprefix("is_")
    return f"{name} {shown(name, value, row)}"


def shortened(text: str) -> str:
    """A text that fits a line."""
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + "..."


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
            # The first field names the item, the others say what there is of it.
            (_, title), *others = value.items()
            lines.append(f"{title}: {shown('', dict(others), value)}")
        else:
            lines.append(shown("", value, {}))
    if len(values) > _LONGEST_LIST:
        lines.append(f"... {len(values) - _LONGEST_LIST} more")
    return "\n".join(lines) or "–"
