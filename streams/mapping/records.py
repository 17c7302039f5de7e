"""Records as objects, such as payloads of a request: to the batch that a mapping is evaluated over."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from schemas.codec import ROW


def paths_of(record: Any, prefix: str = "") -> Iterator[str]:
    """The names of all fields of a record, those of nested objects as `outer.inner`."""
    if isinstance(record, Mapping):
        for name, value in record.items():
            if isinstance(value, Mapping) and value:
                yield from paths_of(value, f"{prefix}{name}.")
            else:
                yield prefix + name


def as_frame(records: Sequence[Mapping[str, Any]], wanted: Sequence[str]) -> pl.DataFrame:
    """A batch with these fields as text, and `_row`. What a record does not have is empty."""
    columns = {
        name: pl.Series(name, [_text(_found(record, name)) for record in records], pl.String)
        for name in wanted
    }
    return pl.DataFrame(columns).with_columns(
        pl.int_range(len(records), dtype=pl.UInt32, eager=True).alias(ROW)
    )


def _found(record: Mapping[str, Any], name: str) -> Any:
    if name in record:
        return record[name]
    head, dot, rest = name.partition(".")
    inner = record.get(head)
    return _found(inner, rest) if dot and isinstance(inner, Mapping) else None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
