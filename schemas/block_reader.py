"""Many datums of one writer schema, read as one Avro container block.

Each datum is followed by a guard string that the reader's schema expects as a last field: one that is too
short or too long breaks its guard, and so cannot shift its neighbours unnoticed.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Callable
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
        self._walk = _walk_of(writer)

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

    def is_broken(self, body: bytes) -> bool | None:
        """Whether the datum is longer or shorter than its fields say, or a text in it is not UTF-8; None when
        only a read decides.

        Polars refuses those, so that this is what a read would say, at a tenth of its cost.
        """
        try:
            return self._walk(body, 0) != len(body)
        except (IndexError, UnicodeDecodeError):
            return True
        except _Odd:
            return None

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


class _Odd(Exception):
    """Bytes whose length two readers may see differently."""


# Where a value of a type ends that begins at a place. Raises IndexError when that is beyond the datum, and
# UnicodeDecodeError.
_Walk = Callable[[bytes, int], int]


def _walk_of(avro: Any) -> _Walk:
    kind = avro["type"] if isinstance(avro, dict) else avro
    if isinstance(kind, dict):
        return _walk_of(kind)
    if isinstance(kind, list):
        return _walk_union([_walk_of(branch) for branch in kind], kind.index("null"))
    match kind:
        case "record":
            return _walk_all([_walk_of(field["type"]) for field in avro["fields"]])
        case "array":
            return _walk_array(_walk_of(avro["items"]))
        case "fixed":
            return _walk_bytes(int(avro["size"]))
        case "int" | "long" | "enum":
            return lambda body, at: _varint(body, at)[1]
        case "string":
            return _walk_text
        case "bytes":
            return _walk_sized
    return _walk_bytes({"null": 0, "boolean": 1, "float": 4, "double": 8}[kind])


def _walk_all(walks: list[_Walk]) -> _Walk:
    def walk(body: bytes, at: int) -> int:
        for part in walks:
            at = part(body, at)
        return at

    return walk


def _walk_union(walks: list[_Walk], null: int) -> _Walk:
    """Of null and one type: for polars each branch that is not null is the other one."""
    [value] = walks[:null] + walks[null + 1 :]

    def walk(body: bytes, at: int) -> int:
        branch, at = _varint(body, at)
        return at if branch == null else value(body, at)

    return walk


def _walk_array(item: _Walk) -> _Walk:
    def walk(body: bytes, at: int) -> int:
        while True:
            count, at = _varint(body, at)
            if count < 0:
                raise _Odd
            if count == 0:
                return at
            for _ in range(count):
                at = item(body, at)

    return walk


def _walk_bytes(size: int) -> _Walk:
    def walk(body: bytes, at: int) -> int:
        if at + size > len(body):
            raise IndexError
        return at + size

    return walk


def _walk_sized(body: bytes, at: int) -> int:
    size, at = _varint(body, at)
    if not 0 <= size <= len(body) - at:
        raise IndexError
    return at + size


def _walk_text(body: bytes, at: int) -> int:
    size, at = _varint(body, at)
    if not 0 <= size <= len(body) - at:
        raise IndexError
    body[at : at + size].decode()
    return at + size


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """(the number, where it ends)."""
    number = body[at]
    at += 1
    if number >= 0x80:
        number &= 0x7F
        for shift in range(7, 63, 7):
            byte = body[at]
            at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        else:  # more than 63 bits
            raise _Odd
    return (number >> 1) ^ -(number & 1), at


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
