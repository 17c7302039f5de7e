"""What is wrong with rows: frames with `_row`, column, value and reason, one row for each that fails."""

from __future__ import annotations

from functools import cache

import polars as pl

from schemas.avro_types import column_type, is_attributes
from schemas.catalogue import EventVersion
from schemas.codec import ROW
from schemas.limits import LONGEST_TEXT, impossible
from streams.mapping.event_checks import DAY_FIELD
from streams.mapping.language import EventRule
from streams.mapping.texts import stated_text

_COLUMNS = {ROW: pl.UInt32, "column": pl.String, "value": pl.String, "reason": pl.String}
NO_FAULTS = pl.DataFrame(schema=_COLUMNS)


def possible(
    frame: pl.DataFrame, rule: EventRule, is_plain: bool
) -> tuple[pl.DataFrame, list[tuple[int, str]]]:
    """(events that the contract finds possible, [(row, what is impossible)]).

    Attributes were looked at as texts: to look into a million lists takes longer than all the rest.
    `is_plain`:
    no text of the batch holds anything but printable ASCII. Where none is too long either, and none comes
    from
    the mapping alone, texts are as the contract wants them.
    """
    version = rule.event.newest
    texts = [f["name"] for f in version.fields if column_type(f["type"]) == pl.String]
    if is_plain and rule.is_of_columns and _longest(frame, texts) <= LONGEST_TEXT:
        return impossible(frame, _without(version, is_of_texts=True), ROW)
    return impossible(frame, _without(version, is_of_texts=False), ROW)


def _longest(frame: pl.DataFrame, texts: list[str]) -> int:
    lengths = frame.select(pl.col(name).str.len_bytes().max() for name in texts)
    return max((length or 0 for length in lengths.row(0)), default=0)


@cache
def _without(version: EventVersion, is_of_texts: bool) -> EventVersion:
    """The version without its attributes, or without its texts too."""
    fields = [
        field
        for field in version.fields
        if not is_attributes(field["type"]) and not (is_of_texts and column_type(field["type"]) == pl.String)
    ]
    return EventVersion(version.name, version.version, {**version.schema, "fields": fields}, version.path)


def fault_frame(rows: pl.Series, column: str, values: pl.Series, why: str | pl.Series) -> pl.DataFrame:
    reason = pl.lit(why) if isinstance(why, str) else why
    return pl.DataFrame({ROW: rows, "value": values}, {ROW: pl.UInt32, "value": pl.String}).select(
        pl.col(ROW), pl.lit(column).alias("column"), pl.col("value"), reason.alias("reason")
    )


def faults_of(base: pl.DataFrame, is_wrong: pl.Series, column: str, why: str) -> pl.DataFrame:
    rows = base[ROW].filter(is_wrong)
    return fault_frame(rows, column, pl.Series([None] * len(rows), dtype=pl.String), why)


def late_faults(late: list[tuple[int, str]], rule: EventRule, base: pl.DataFrame) -> pl.DataFrame:
    """What the contract itself finds impossible: its reason begins with the field."""
    frames = []
    for row, reason in late:
        name = reason.split()[0]
        value = rule.fields.get(name) or rule.fields.get(DAY_FIELD if name == "occurred_at" else name)
        text = None
        if value is not None:
            text = (
                base.filter(pl.col(ROW) == row).select(stated_text(value, base.schema).alias("v"))["v"].item()
            )
        column = value.named if value is not None else name
        frames.append(
            fault_frame(pl.Series([row], dtype=pl.UInt32), column, pl.Series([text], dtype=pl.String), reason)
        )
    return pl.concat(frames)
