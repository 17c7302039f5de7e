"""What a well-formed event may not say: values no source can mean, refused by column, a batch at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import polars as pl

from schemas.catalogue import EventType

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
LONGEST_TEXT = 32 * 1024
WIDEST_MONEY = 10**14


def impossible(
    frame: pl.DataFrame, event: EventType, row_column: str
) -> tuple[pl.DataFrame, list[tuple[int, str]]]:
    """(rows that may be true, [(row, what is impossible)]). A row with several faults names the first."""
    if not frame.select(_any_broken(event)).item():
        return frame, []
    rules = _rules(event)
    reason = pl.coalesce(pl.when(rule).then(pl.lit(text)) for text, rule in rules)
    judged = frame.with_columns(reason.alias("_reason"))
    refused = judged.filter(pl.col("_reason").is_not_null())
    return (
        judged.filter(pl.col("_reason").is_null()).drop("_reason"),
        list(refused.select(row_column, "_reason").iter_rows()),
    )


@cache
def _any_broken(event: EventType) -> pl.Expr:
    return pl.any_horizontal(rule for _, rule in _rules(event)).any()


@cache
def _rules(event: EventType) -> list[tuple[str, pl.Expr]]:
    """(what is wrong, true where it is wrong) for each field that can be wrong."""
    rules: list[tuple[str, pl.Expr]] = []
    for field in event.fields:
        name, avro = field["name"], field["type"]
        base = avro[1] if isinstance(avro, list) else avro
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
