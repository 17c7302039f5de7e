"""What a well-formed event may not say: values no source can mean, refused by column, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

import polars as pl

from schemas.catalogue import EventType

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
LONGEST_TEXT = 32 * 1024
WIDEST_MONEY = 10**14
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def impossible(
    frame: pl.DataFrame, event: EventType, row_column: str
) -> tuple[pl.DataFrame, list[tuple[int, str]]]:
    """(rows that may be true, [(row, what is impossible)]). A row with several faults names the first."""
    if _is_plainly_possible(frame, event):
        return frame, []
    rules = _rules(event)
    reason = pl.coalesce(pl.when(rule).then(pl.lit(text)) for text, rule in rules)
    judged = frame.with_columns(reason.alias("_reason"))
    refused = judged.filter(pl.col("_reason").is_not_null())
    return (
        judged.filter(pl.col("_reason").is_null()).drop("_reason"),
        list(refused.select(row_column, "_reason").iter_rows()),
    )


def _is_plainly_possible(frame: pl.DataFrame, event: EventType) -> bool:
    """True when the least and the greatest of every column already rule out that any row breaks a rule.

    The rules say which row is broken and why, and cost several times more; hardly any batch needs them.
    """
    found = dict(zip(_names(event), frame.select(_extremes(event)).row(0), strict=True))
    return all(is_met(found) for is_met in _plain(event))


@cache
def _names(event: EventType) -> list[str]:
    return [expression.meta.output_name() for expression in _extremes(event)]


@cache
def _extremes(event: EventType) -> list[pl.Expr]:
    """One row: least and greatest of each column, and what else _plain() must know of it.

    Instants and days as numbers: not every one that Avro can hold is one that Python can.
    """
    wanted: list[pl.Expr] = []
    for field in event.fields:
        name, base = field["name"], _base(field)
        if base == "boolean":
            continue
        column = pl.col(name)
        if _logical(base) in ("timestamp-micros", "date"):
            column = column.to_physical()
        wanted += [column.min().alias(f"{name} min"), column.max().alias(f"{name} max")]
        if base == "string":
            wanted.append(column.str.len_bytes().max().alias(f"{name} bytes"))
            wanted.append(column.str.contains("\0", literal=True).any().alias(f"{name} nul"))
        elif base == "double":
            wanted.append(column.is_finite().all().alias(f"{name} finite"))
    return wanted


@cache
def _plain(event: EventType) -> list[Callable[[dict[str, Any]], bool]]:
    """Tests of _extremes(). All true: no row can break a rule. One false: the rules must look."""
    tests: list[Callable[[dict[str, Any]], bool]] = []
    for field in event.fields:
        name, base = field["name"], _base(field)
        if base == "string":
            tests.append(partial(_is_short_without_nul, name))
            if name.endswith("_id") or name in ("source", event.key):
                # All begin with a printable ASCII character, so none is blank.
                tests.append(partial(_is_within, name, "!", "\x7f"))
        elif base == "double":
            tests.append(partial(_is_finite, name))
        match _logical(base):
            case "timestamp-micros":
                tests.append(partial(_is_within, name, _microseconds(EARLIEST), _microseconds(LATEST)))
            case "date":
                tests.append(partial(_is_within, name, _days(EARLIEST), _days(LATEST)))
            case "decimal":
                tests.append(partial(_is_within, name, 1 - WIDEST_MONEY, WIDEST_MONEY))
        if "minimum" in field:
            tests.append(partial(_is_within, name, field["minimum"], None))
    return tests


def _is_within(name: str, least: Any, below: Any, found: dict[str, Any]) -> bool:
    lowest, highest = found[f"{name} min"], found[f"{name} max"]
    return lowest is None or bool(least <= lowest and (below is None or highest < below))


def _is_short_without_nul(name: str, found: dict[str, Any]) -> bool:
    return (found[f"{name} bytes"] or 0) <= LONGEST_TEXT and not found[f"{name} nul"]


def _is_finite(name: str, found: dict[str, Any]) -> bool:
    return found[f"{name} finite"] is not False


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _days(instant: datetime) -> int:
    return (instant - _EPOCH).days


def _logical(base: Any) -> str | None:
    return base.get("logicalType") if isinstance(base, dict) else None


def _base(field: dict[str, Any]) -> Any:
    avro = field["type"]
    return avro[1] if isinstance(avro, list) else avro


@cache
def _rules(event: EventType) -> list[tuple[str, pl.Expr]]:
    """(what is wrong, true where it is wrong) for each field that can be wrong."""
    rules: list[tuple[str, pl.Expr]] = []
    for field in event.fields:
        name = field["name"]
        base = _base(field)
        column = pl.col(name)
        if base == "string":
            # An optional id that is not known is null: "" would name a subject.
            if name.endswith("_id") or name in ("source", event.key):
                rules.append((f"{name} is empty", ~column.str.contains(r"\S")))
            rules.append(
                (f"{name} is longer than {LONGEST_TEXT} bytes", column.str.len_bytes() > LONGEST_TEXT)
            )
            rules.append((f"{name} holds a NUL character", column.str.contains("\0", literal=True)))
        elif isinstance(base, dict) and base.get("logicalType") == "timestamp-micros":
            outside = (column < pl.lit(EARLIEST)) | (column >= pl.lit(LATEST))
            rules.append((f"{name} is not between 2000 and 2100", outside))
        elif isinstance(base, dict) and base.get("logicalType") == "date":
            outside = (column < pl.lit(EARLIEST.date())) | (column >= pl.lit(LATEST.date()))
            rules.append((f"{name} is not between 2000 and 2100", outside))
        elif isinstance(base, dict) and base.get("logicalType") == "decimal":
            rules.append((f"{name} has more digits than money has", column.abs() >= WIDEST_MONEY))
        elif base == "double":
            rules.append((f"{name} is not a finite number", ~column.is_finite()))
        if "minimum" in field:
            rules.append((f"{name} is below {field['minimum']}", column < field["minimum"]))
    return rules
