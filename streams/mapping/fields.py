"""The fields of an event from texts: each to the type the contract has, with what is wrong beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from schemas.avro_types import ATTRIBUTES, column_type
from schemas.field_checks import DECIMALS
from schemas.limits import is_identifier
from schemas.vocabulary import CURRENCIES
from streams.mapping.language import Value
from streams.mapping.texts import HIDDEN

ATTRIBUTES_COLUMN = column_type(ATTRIBUTES)


@dataclass(frozen=True)
class Typed:
    """A field as a column of the contract's type, and tests: (true where it is wrong, why)."""

    column: pl.Expr
    tests: Sequence[tuple[pl.Expr, str]] = ()


def base_type(field: dict[str, Any]) -> Any:
    avro = field["type"]
    return next(b for b in avro if b != "null") if isinstance(avro, list) else avro


def is_moment(field: dict[str, Any]) -> str:
    """`instant`, `day` or nothing."""
    base = base_type(field)
    logical = base.get("logicalType") if isinstance(base, dict) else None
    return {"timestamp-micros": "instant", "date": "day"}.get(logical or "", "")


def is_id(field: dict[str, Any], event: Any) -> bool:
    return is_identifier(field, event.newest) or str(field["name"]).endswith("_id")


def is_number(field: dict[str, Any]) -> bool:
    base = base_type(field)
    kind = base if isinstance(base, str) else base.get("logicalType")
    return kind in ("decimal", "int", "long", "double")


def typed(
    field: dict[str, Any], event: Any, value: Value, text: pl.Expr, digits: pl.Expr, is_plain: bool
) -> Typed:
    """A field that is not a day or instant. `digits`: number_text() of a number. `is_plain`: no text of the
    batch holds anything but printable ASCII."""
    base, name = base_type(field), field["name"]
    kind = column_type(field["type"])
    match base if isinstance(base, str) else base.get("logicalType"):
        case "decimal":
            return _money(value, text, digits, kind)
        case "boolean":
            return _flag(value, text)
        case "int" | "long":
            number = digits.str.replace(r"\.0+$", "").cast(kind, strict=False)
            return Typed(number, [(text.is_not_null() & number.is_null(), "is not a whole number")])
        case "double":
            number = _share(value, digits)
            return Typed(number, [(text.is_not_null() & number.is_null(), "is not a number")])
    if is_id(field, event):
        if is_plain:
            return Typed(text)
        return Typed(text, [(text.str.contains(HIDDEN), "holds an invisible character")])
    if name == "currency":
        is_wrong = text.is_not_null() & ~text.is_in(sorted(CURRENCIES))
        return Typed(text, [(is_wrong, "is no currency of ISO 4217, such as EUR; give a lookup")])
    return Typed(text)


def _money(value: Value, text: pl.Expr, digits: pl.Expr, kind: pl.DataType) -> Typed:
    amount = digits.cast(kind, strict=False)
    is_fine = digits.str.contains(rf"\.\d{{{DECIMALS}}}0*[1-9]")
    return Typed(
        amount,
        [
            (text.is_not_null() & amount.is_null(), f"is not an amount, {_written(value)}"),
            (is_fine, f"has more than {DECIMALS} decimals, and money is rounded once, at the end"),
        ],
    )


def _written(value: Value) -> str:
    grouped = f" and {value.thousands!r} between thousands" if value.thousands else ""
    return f"written with {value.decimal!r} as the decimal mark{grouped}"


def _share(value: Value, digits: pl.Expr) -> pl.Expr:
    if not value.is_percent:
        return digits.cast(pl.Float64, strict=False)
    # By way of a whole number: 33.3 % is 0.333, and not 0.33299999999999996.
    exact = digits.cast(pl.Decimal(18, 4), strict=False) * pl.lit("10000").cast(pl.Decimal(18, 0))
    return exact.cast(pl.Float64) / 1_000_000


def _flag(value: Value, text: pl.Expr) -> Typed:
    lower = text.str.to_lowercase()
    flag = (
        pl.when(lower.is_in([t.lower() for t in value.yes]))
        .then(True)
        .when(lower.is_in([t.lower() for t in value.no]))
        .then(False)
    )
    return Typed(flag, [(text.is_not_null() & flag.is_null(), "is neither of `yes` nor of `no`")])


def attributes_column(texts: pl.DataFrame) -> pl.Series:
    """Names and values, sorted by name, from a column for each; one without a value says nothing."""
    names = sorted(texts.columns)
    if not any(texts[name].null_count() for name in names):
        pairs = [pl.struct(pl.lit(name).alias("name"), pl.col(name).alias("value")) for name in names]
        return texts.select(pl.concat_list(pairs).cast(ATTRIBUTES_COLUMN)).to_series()
    # Built from its parts: to drop nulls from a million lists takes longer than all the rest.
    values = texts.select(pl.concat_list(names)).to_series().explode()
    number = pl.int_range(pl.len()) % len(names)
    there = (
        values.alias("value")
        .to_frame()
        .select(
            number.replace_strict(list(range(len(names))), names, return_dtype=pl.String).alias("name"),
            pl.col("value"),
        )
    )
    there = there.filter(pl.col("value").is_not_null())
    lengths = texts.select(pl.sum_horizontal(pl.col(name).is_not_null() for name in names)).to_series()
    ends = lengths.cast(pl.Int64).cum_sum()
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), ends.to_arrow()])
    structs = there.to_struct("a").to_arrow()
    return pl.Series(pl.from_arrow(pa.LargeListArray.from_arrays(offsets, structs))).cast(ATTRIBUTES_COLUMN)
