"""Many datums of one writer schema, read as one Avro container block.

Each datum is followed by a guard string that the reader's schema expects as a last field: one that is too
short or too long breaks its guard, and so cannot shift its neighbours unnoticed.
"""

from __future__ import annotations

import io
import json
import secrets
from decimal import Decimal
from functools import cache
from typing import Any

import fastavro
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from schemas.catalogue import Schema
from schemas.limits import WIDEST_MONEY

# Whatever hostile bytes or an odd schema provoke in a reader. A panic of polars is no Exception.
ANY_FAULT = (Exception, pl.exceptions.PanicException)

_GUARD = "_guard"
# Each process draws its own, so that no sender can write a datum that forges it.
_GUARD_TEXT = secrets.token_hex(8)
_GUARD_BYTES = b"\x20" + _GUARD_TEXT.encode()
_SYNC = bytes(range(16))


class BlockReader:
    """Reads many datums of one writer schema as one Avro container block."""

    def __init__(self, writer: Schema) -> None:
        self.writer = writer
        self._text = json.dumps(writer, sort_keys=True)
        self._header = _container_header(self._text)

    def read(self, bodies: pa.LargeBinaryArray) -> tuple[pl.DataFrame, int]:
        """(frame, how many leading rows are whole). An empty frame with 0: polars refused the block."""
        guarded = pc.binary_join_element_wise(
            bodies, pa.scalar(_GUARD_BYTES, pa.large_binary()), pa.scalar(b"", pa.large_binary())
        )
        _, offsets, data = guarded.buffers()
        ends = memoryview(offsets).cast("q")
        first, last = ends[guarded.offset], ends[guarded.offset + len(guarded)]
        joined = memoryview(data)[first:last]
        container = b"".join((self._header, _zigzag(len(guarded)), _zigzag(len(joined)), joined, _SYNC))
        try:
            frame = pl.read_avro(io.BytesIO(container))
        except ANY_FAULT:
            return pl.DataFrame(), 0
        if frame.height != len(guarded):
            return pl.DataFrame(), 0
        whole = frame.drop_in_place(_GUARD) == _GUARD_TEXT
        good = frame.height if whole.all() else int(whole.arg_min() or 0)
        return frame, good

    def nothing(self) -> pl.DataFrame:
        """No rows. Raises whatever polars raises for a schema that it cannot read."""
        return pl.read_avro(io.BytesIO(self._header)).drop(_GUARD)

    def has_shape(self, body: bytes) -> bool:
        """Whether the datum seems to be as long as its fields say."""
        stream = io.BytesIO(body)
        try:
            fastavro.schemaless_reader(stream, _shape(self._text), None)
        except Exception:  # fastavro raises whatever hostile bytes provoke
            return False
        return stream.tell() == len(body)

    def fault(self, body: bytes) -> str:
        """Why this datum, which the block reader refuses, cannot be read."""
        stream = io.BytesIO(body)
        named = f"not a {self.writer['name']}:"
        try:
            record: Any = fastavro.schemaless_reader(stream, _parsed(self._text), None)
        except Exception as error:  # fastavro raises whatever hostile bytes provoke
            # Without the address of the stream: the same bytes have the same reason in every run.
            why = str(error).replace(repr(stream), "the value")
            return f"{named} {type(error).__name__}: {why}"
        if left := len(body) - stream.tell():
            return f"{named} {left} bytes too many after the datum"
        wide = [name for name, v in record.items() if isinstance(v, Decimal) and abs(v) >= WIDEST_MONEY]
        return (
            f"{named} {wide[0]} has more digits than money has"
            if wide
            else f"{named} the block reader refuses it"
        )


@cache
def _parsed(text: str) -> Any:
    return fastavro.parse_schema(json.loads(text))


@cache
def _shape(text: str) -> Any:
    """The schema without what values mean: only how long they are, which no two readers see differently."""
    return fastavro.parse_schema(without_meaning(json.loads(text)))


def without_meaning(avro: Any) -> Any:
    """A type without its logical types, whatever they say."""
    if isinstance(avro, list):
        return [without_meaning(branch) for branch in avro]
    if isinstance(avro, dict):
        meaning = ("logicalType", "precision", "scale")
        return {name: without_meaning(value) for name, value in avro.items() if name not in meaning}
    return avro


@cache
def _container_header(text: str) -> bytes:
    schema = json.loads(text)
    # Names and types only: the words of the contract would be parsed again with every block.
    fields = [{"name": f["name"], "type": f["type"]} for f in schema["fields"]]
    fields.append({"name": _GUARD, "type": "string"})
    guarded = json.dumps({"type": "record", "name": schema["name"], "fields": fields}).encode()
    return b"".join(
        (b"Obj\x01", _zigzag(2), _zigzag(11), b"avro.schema", _zigzag(len(guarded)), guarded)
        + (_zigzag(10), b"avro.codec", _zigzag(4), b"null", _zigzag(0), _SYNC)
    )


def _zigzag(number: int) -> bytes:
    number <<= 1
    out = bytearray()
    while number & ~0x7F:
        out.append((number & 0x7F) | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
