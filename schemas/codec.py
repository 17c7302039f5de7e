"""Events to bytes and back: Avro single-object encoding or the Confluent wire format, a batch at a time.

Reading is columnar. The values of a batch are grouped by writer schema; the datums of one group are
joined into one Avro container block, each followed by a guard string that the reader's
schema expects as a last field; polars decodes the block. A datum that is too short or too long
breaks its guard, so it cannot shift its neighbours unnoticed: it is found and set aside, and the
rest of the block is decoded again without it (docs/adr/0003). What becomes of a value depends on its
own bytes only, never on its neighbours, so that every cut of the log gives the same facts and failures.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any

import fastavro
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from schemas.avro_types import is_attributes
from schemas.catalogue import Catalogue, EventType, EventVersion, Schema
from schemas.limits import WIDEST_MONEY, impossible

SINGLE_OBJECT_MAGIC = b"\xc3\x01"
CONFLUENT_MAGIC = b"\x00"
HEADER_LENGTH = {SINGLE_OBJECT_MAGIC[:1]: 10, CONFLUENT_MAGIC: 5}
ROW = "_row"

_GUARD = "_guard"
# Each process draws its own, so that no sender can write a datum that forges it.
_GUARD_TEXT = secrets.token_hex(8)
_GUARD_BYTES = b"\x20" + _GUARD_TEXT.encode()
_SYNC = bytes(range(16))
_END = 2**31 - 1  # pyarrow 26 sizes the result wrongly when binary_slice has no stop

RegistryLookup = Callable[[int], Schema | None]


@dataclass(frozen=True)
class Failure:
    """One value that is not an event: its place in the batch, the stage that refused it, and why."""

    row: int
    stage: str
    reason: str
    event_type: str | None = None


@dataclass
class DecodedBatch:
    """A batch by event type: a frame each, with the newest version's columns and `_row`, the place.

    Every row of the input is in exactly one frame or one failure.
    """

    frames: dict[str, pl.DataFrame] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


def encode(event_type: EventType, record: Mapping[str, Any]) -> bytes:
    """One record in Avro single-object encoding, by the newest version of its event."""
    out = io.BytesIO()
    out.write(SINGLE_OBJECT_MAGIC + event_type.fingerprint)
    fastavro.schemaless_writer(out, event_type.parsed, dict(record))
    return out.getvalue()


def decode(
    values: Sequence[bytes | None],
    catalogue: Catalogue,
    registry: RegistryLookup | None = None,
) -> DecodedBatch:
    """Decode a batch. Order does not matter to the result; nothing is raised for what a value holds."""
    batch = DecodedBatch()
    if not values:
        return batch
    parts: dict[str, list[pl.DataFrame]] = {}
    for header, rows, bodies in _by_header(pa.array(values, pa.large_binary()), batch):
        found = _writer(header, catalogue, registry)
        if isinstance(found, str):
            batch.failures += [Failure(row, "schema", found) for row in rows.to_pylist()]
            continue
        event, version, writer = found
        frame, broken = _decode_group(writer, bodies, rows)
        frame = _as_newest(frame, event)
        frame, refused = impossible(frame, version, ROW)
        batch.failures += [Failure(row, "decode", reason, event.name) for row, reason in broken]
        batch.failures += [Failure(row, "validate", reason, event.name) for row, reason in refused]
        if frame.height:
            parts.setdefault(event.name, []).append(frame)
    batch.frames = {name: pl.concat(found) if len(found) > 1 else found[0] for name, found in parts.items()}
    return batch


def _by_header(
    values: pa.LargeBinaryArray, batch: DecodedBatch
) -> Iterator[tuple[bytes, pa.Array, pa.LargeBinaryArray]]:
    """Groups of the batch with one header: (header, rows, bodies without the header)."""
    rows = pa.array(range(len(values)), pa.int64())
    magic = pc.fill_null(pc.binary_slice(values, 0, 1), b"")
    for first in pc.unique(magic).to_pylist():
        chosen = pc.equal(magic, pa.scalar(first, pa.large_binary()))
        found, found_rows = values.filter(chosen), rows.filter(chosen)
        length = HEADER_LENGTH.get(first)
        if length is None:
            batch.failures += [
                Failure(row, "frame", _not_framed(value))
                for row, value in zip(found_rows.to_pylist(), found.to_pylist(), strict=True)
            ]
            continue
        headers = pc.binary_slice(found, 0, length).dictionary_encode()
        for code, header in enumerate(headers.dictionary.to_pylist()):
            mine = pc.equal(headers.indices, code)
            body = pc.binary_slice(found.filter(mine), length, _END)
            yield header, found_rows.filter(mine), body


def _not_framed(value: bytes | None) -> str:
    if not value:
        return "the record has no value"
    return (
        f"begins with 0x{value[:2].hex()}; an event begins with 0xc301 (Avro single object)"
        " or 0x00 (Confluent wire format)"
    )


def _writer(
    header: bytes, catalogue: Catalogue, registry: RegistryLookup | None
) -> tuple[EventType, EventVersion, Schema] | str:
    """The event, the version whose limits hold, and the writer schema of a header; or why there is none.

    A registry's schema that is no version of ours stands under the newest one's limits.
    """
    if header[:1] == CONFLUENT_MAGIC:
        schema_id = int.from_bytes(header[1:5], "big")
        if registry is None:
            return f"written with registry schema {schema_id}, but BATON_SCHEMA_REGISTRY is not set"
        schema = registry(schema_id)
        if schema is None:
            return f"the schema registry has no schema {schema_id}"
        event = catalogue.event_types.get(str(schema.get("name")).removeprefix("funnel."))
        if event is None:
            return f"{schema.get('name')} is not an event of the contract"
        why = unfit(schema, event)
        if why:
            return f"registry schema {schema_id} is no version of {event.name}: {why}"
        same = (v for v in reversed(event.versions) if _layout(v.schema) == _layout(schema))
        return event, next(same, event.newest), schema
    if len(header) < 10 or not header.startswith(SINGLE_OBJECT_MAGIC):
        return f"its header 0x{header.hex()} is cut short or not Avro single-object encoding"
    found = catalogue.by_fingerprint.get(header[2:])
    if found is None:
        return f"no published schema has the fingerprint {header[2:].hex()}"
    return found[0], found[1], found[1].schema


def _layout(schema: Schema) -> list[tuple[str, Any]]:
    return [(field["name"], field["type"]) for field in schema["fields"]]


def _decode_group(
    writer: Schema, bodies: pa.LargeBinaryArray, rows: pa.Array
) -> tuple[pl.DataFrame, list[tuple[int, str]]]:
    """Decode datums of one schema; (frame with `_row`, [(row, why it cannot be read)])."""
    block = _BlockReader(writer)
    frames: list[pl.DataFrame] = []
    broken: list[tuple[int, str]] = []
    pending = [(bodies, rows)]
    while pending:
        bodies, rows = pending.pop()
        frame, whole = block.read(bodies)
        if whole:
            frame = frame.head(whole)
            frames.append(frame.insert_column(frame.width, pl.Series(ROW, rows.slice(0, whole))))
        if whole == len(bodies):
            continue
        bodies, rows = bodies.slice(whole), rows.slice(whole)
        if len(bodies) == 1:
            broken.append((rows[0].as_py(), block.fault(bodies[0].as_py())))
            continue
        # A guess that saves reads: suspects stand alone, the others stay together. Only a read decides,
        # or a datum's fate would depend on its neighbours wherever two readers disagree.
        has_shape = [block.has_shape(body) for body in bodies.to_pylist()]
        if not all(has_shape):
            suspects = [i for i, is_whole in enumerate(has_shape) if not is_whole]
            pending += [(bodies.slice(i, 1), rows.slice(i, 1)) for i in suspects]
            kept = pa.array(has_shape)
            pending += [(bodies.filter(kept), rows.filter(kept))] if any(has_shape) else []
        else:
            middle = len(bodies) // 2
            pending += [(bodies.slice(middle), rows.slice(middle))]
            pending += [(bodies.slice(0, middle), rows.slice(0, middle))]
    empty = block.empty().with_columns(pl.Series(ROW, [], pl.Int64))
    return (pl.concat(frames) if frames else empty), broken


class _BlockReader:
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
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, OverflowError):
            return pl.DataFrame(), 0
        if frame.height != len(guarded):
            return pl.DataFrame(), 0
        whole = frame.drop_in_place(_GUARD) == _GUARD_TEXT
        good = frame.height if whole.all() else int(whole.arg_min() or 0)
        return frame, good

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
            return f"{named} {type(error).__name__}: {why}"[:300]
        if left := len(body) - stream.tell():
            return f"{named} {left} bytes too many after the datum"
        wide = [name for name, v in record.items() if isinstance(v, Decimal) and abs(v) >= WIDEST_MONEY]
        return (
            f"{named} {wide[0]} has more digits than money has"
            if wide
            else f"{named} the block reader refuses it"
        )

    def empty(self) -> pl.DataFrame:
        """No rows, with the columns of the writer."""
        return _no_rows(self._text)


@cache
def _parsed(text: str) -> Any:
    return fastavro.parse_schema(json.loads(text))


@cache
def _shape(text: str) -> Any:
    """The schema without what values mean: only how long they are, which no two readers see differently."""
    return fastavro.parse_schema(_without_meaning(json.loads(text)))


def _without_meaning(avro: Any) -> Any:
    if isinstance(avro, list):
        return [_without_meaning(branch) for branch in avro]
    if isinstance(avro, dict):
        meaning = ("logicalType", "precision", "scale")
        return {name: _without_meaning(value) for name, value in avro.items() if name not in meaning}
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


@cache
def _no_rows(text: str) -> pl.DataFrame:
    schema = json.loads(text)
    columns = {field["name"]: column_type(field["type"]) for field in schema["fields"]}
    return pl.DataFrame(schema=columns)


def column_type(avro: Any) -> pl.DataType:
    """The column type of an Avro type of the contract. Instants come zoned in UTC once read as newest."""
    if isinstance(avro, list):
        avro = next(branch for branch in avro if branch != "null")
    if isinstance(avro, dict):
        match avro.get("logicalType"):
            case "timestamp-micros":
                return pl.Datetime("us", "UTC")
            case "date":
                return pl.Date()
            case "decimal":
                return pl.Decimal(avro["precision"], avro["scale"])
        if is_attributes(avro):
            return pl.List(pl.Struct({"name": pl.String(), "value": pl.String()}))
        avro = avro["type"]
    plain: dict[str, pl.DataType] = {
        "string": pl.String(),
        "boolean": pl.Boolean(),
        "int": pl.Int32(),
        "long": pl.Int64(),
        "double": pl.Float64(),
    }
    return plain[avro]


def unfit(writer: Schema, event: EventType) -> str | None:
    """Why records of this schema cannot be read as the newest version of the event; None when they can.

    For schemas from a registry: nothing else has checked those.
    """
    fields = writer.get("fields")
    if writer.get("type") != "record" or not isinstance(fields, list):
        return "it is not a record"
    try:
        written = {f["name"]: (column_type(f["type"]), _is_nullable(f["type"])) for f in fields}
    except (KeyError, TypeError, StopIteration):
        return "it has a field of a type that events may not have"
    for wanted in event.fields:
        name, kind = wanted["name"], column_type(wanted["type"])
        if name not in written:
            if "default" not in wanted:
                return f"{name} is required, and it has none"
            continue
        its_kind, is_nullable = written[name]
        if its_kind != kind and (its_kind, kind) not in _WIDENED:
            return f"its {name} is {its_kind}, not {kind}"
        if is_nullable and not _is_nullable(wanted["type"]):
            return f"its {name} may be null, and the contract's may not"
    return None


# What Avro lets a reader widen.
_WIDENED = ((pl.Int32(), pl.Int64()), (pl.Int32(), pl.Float64()), (pl.Int64(), pl.Float64()))


def _is_nullable(avro: Any) -> bool:
    if isinstance(avro, list) and (len(avro) != 2 or "null" not in avro):
        raise TypeError("events have no unions but of a type and null")
    return isinstance(avro, list)


def _as_newest(frame: pl.DataFrame, event: EventType) -> pl.DataFrame:
    """The newest version's columns: added ones take their default, dropped ones go, instants are zoned."""
    return frame.select(_newest_columns(event, tuple(frame.columns)))


@cache
def _newest_columns(event: EventType, present: tuple[str, ...]) -> list[pl.Expr]:
    columns: list[pl.Expr] = []
    for avro_field in event.fields:
        name, wanted = avro_field["name"], column_type(avro_field["type"])
        if name not in present:
            columns.append(pl.lit(avro_field.get("default"), dtype=wanted).alias(name))
        elif isinstance(wanted, pl.Datetime):
            columns.append(pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
        else:
            columns.append(pl.col(name).cast(wanted))
    return [*columns, pl.col(ROW)]


def _zigzag(number: int) -> bytes:
    number <<= 1
    out = bytearray()
    while number & ~0x7F:
        out.append((number & 0x7F) | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
