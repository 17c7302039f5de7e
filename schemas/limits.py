"""What a well-formed event may not say: values no source can mean, refused by column, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

import polars as pl

from schemas.avro_types import is_attributes
from schemas.catalogue import EventVersion

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
LONGEST_TEXT = 32 * 1024
WIDEST_MONEY = 10**14
ATTRIBUTE_NAME = r"^[a-z][a-z0-9_]{0,63}$"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def impossible(
    frame: pl.DataFrame, version: EventVersion, row_column: str
) -> tuple[pl.DataFrame, list[tuple[int, str]]]:
    """(rows that may be true, [(row, what is impossible)]). A row with several faults names the first.

    `version`: by which the rows were written. Its limits hold, so that a later version which allows less
    takes nothing away from the log.
    """
    if _is_plainly_possible(frame, version):
        return frame, []
    rules = _rules(version)
    reason = pl.coalesce(pl.when(rule).then(pl.lit(text)) for text, rule in rules)
    judged = frame.with_columns(reason.alias("_reason"))
    refused = judged.filter(pl.col("_reason").is_not_null())
    return (
        judged.filter(pl.col("_reason").is_null()).drop("_reason"),
        list(refused.select(row_column, "_reason").iter_rows()),
    )


def _is_plainly_possible(frame: pl.DataFrame, version: EventVersion) -> bool:
    """True when the least and the greatest of every column already rule out that any row breaks a rule.

    The rules say which row is broken and why, and cost several times more; hardly any batch needs them.
    """
    found = dict(zip(_names(version), frame.select(_extremes(version)).row(0), strict=True))
    return all(is_met(found) for is_met in _plain(version))


@cache
def _names(version: EventVersion) -> list[str]:
    return [expression.meta.output_name() for expression in _extremes(version)]


@cache
def _extremes(version: EventVersion) -> list[pl.Expr]:
    """One row: least and greatest of each column, and what else _plain() must know of it.

    Instants and days as numbers: not every one that Avro can hold is one that Python can.
    """
    wanted: list[pl.Expr] = []
    for field in version.fields:
        name, base = field["name"], _base(field)
        if base == "boolean":
            continue
        column = pl.col(name)
        if is_attributes(base):
            odd = pl.any_horizontal(rule for _, rule in _rules_of_attributes(name))
            wanted.append(odd.any().alias(f"{name} odd"))
            continue
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
def _plain(version: EventVersion) -> list[Callable[[dict[str, Any]], bool]]:
    """Tests of _extremes(). All true: no row can break a rule. One false: the rules must look."""
    tests: list[Callable[[dict[str, Any]], bool]] = []
    for field in version.fields:
        name, base = field["name"], _base(field)
        if is_attributes(base):
            tests.append(partial(_is_not_odd, name))
        elif base == "string":
            tests.append(partial(_is_short_without_nul, name))
            if is_identifier(field, version):
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
        if "minimum" in field or "maximum" in field:
            tests.append(partial(_is_bounded, name, field.get("minimum"), field.get("maximum")))
    return tests


def is_identifier(field: dict[str, Any], version: EventVersion) -> bool:
    """Whether a text names something, so that a blank one would name a subject. Where the default is the
    empty text, that says that it is not known."""
    is_one = field["name"].endswith("_id") or field["name"] in ("source", version.key)
    return is_one and field.get("default") != ""


def _is_not_odd(name: str, found: dict[str, Any]) -> bool:
    return not found[f"{name} odd"]


def _is_bounded(name: str, least: Any, most: Any, found: dict[str, Any]) -> bool:
    lowest, highest = found[f"{name} min"], found[f"{name} max"]
    return lowest is None or bool((least is None or least <= lowest) and (most is None or highest <= most))


def _is_within(name: str, least: Any, below: Any, found: dict[str, Any]) -> bool:
    lowest, highest = found[f"{name} min"], found[f"{name} max"]
    return lowest is None or bool(least <= lowest and highest < below)


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
def _rules(version: EventVersion) -> list[tuple[str, pl.Expr]]:
    """(what is wrong, true where it is wrong) for each field that can be wrong."""
    rules: list[tuple[str, pl.Expr]] = []
    for field in version.fields:
        name = field["name"]
        base = _base(field)
        column = pl.col(name)
        if is_attributes(base):
            rules += _rules_of_attributes(name)
        elif base == "string":
            if is_identifier(field, version):
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
        if "maximum" in field:
            rules.append((f"{name} is above {field['maximum']}", column > field["maximum"]))
    return rules


def _rules_of_attributes(name: str) -> list[tuple[str, pl.Expr]]:
    names = pl.col(name).list.eval(pl.element().struct.field("name"))
    values = pl.col(name).list.eval(pl.element().struct.field("value"))
    is_named = names.list.eval(pl.element().str.contains(ATTRIBUTE_NAME)).list.all()
    has_nul = values.list.eval(pl.element().str.contains("\0", literal=True)).list.any()
    length = values.list.eval(pl.element().str.len_bytes()).list.max()
    return [
        (f"{name} holds a name that is not lower_case, of at most 64 characters", ~is_named),
        (f"{name} holds a name twice", names.list.n_unique() < names.list.len()),
        (f"{name} holds a value longer than {LONGEST_TEXT} bytes", length > LONGEST_TEXT),
        (f"{name} holds a NUL character", has_nul),
    ]
