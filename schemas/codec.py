"""Events to bytes and back: Avro single-object encoding or the Confluent wire format, a batch at a time.

Reading is columnar. The values of a batch are grouped by writer schema; the datums of one group are read
as one block. One that cannot be read is found and set aside, and the rest of the block is decoded again
without it (docs/adr/0003). What becomes of a value depends on its own bytes and its schema only, never on
its neighbours, so that every cut of the log gives the same facts and failures.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import fastavro
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from schemas.avro_types import column_type
from schemas.block_reader import ANY_FAULT, BlockReader, without_meaning
from schemas.catalogue import Catalogue, EventType, EventVersion, Schema
from schemas.errors import BatonError
from schemas.limits import LONGEST_TEXT, impossible
from schemas.refused import IMPORT, read_refused

SINGLE_OBJECT_MAGIC = b"\xc3\x01"
CONFLUENT_MAGIC = b"\x00"
# The stage of records whose schema exists and could not be had: worth another try later.
WITHHELD = "registry"
HEADER_LENGTH = {SINGLE_OBJECT_MAGIC[:1]: 10, CONFLUENT_MAGIC: 5}
ROW = "_row"

_END = 2**31 - 1  # pyarrow 26 sizes the result wrongly when binary_slice has no stop

# Most of a reason that is kept: it travels as a record header.
LONGEST_REASON = 300
FIRST_LOOK = 8

RegistryLookup = Callable[[int], Schema | None]


class SchemaWithheld(BatonError):
    """The registry is there and does not hand out one schema: only records written with that one wait."""


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

    def fail(self, faults: Iterable[tuple[int, str]], stage: str, event_type: str | None = None) -> None:
        """Add failures: (row, reason). A reason may quote names that nobody has checked."""
        for row, reason in faults:
            shown = reason[:LONGEST_REASON].encode("utf-8", "backslashreplace").decode()
            self.failures.append(Failure(row, stage, shown, event_type))


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
    for header, rows, bodies in _by_header(pa.array(values, pa.large_binary()), batch, catalogue):
        stage = "schema"
        try:
            found = _writer(header, catalogue, registry)
        except SchemaWithheld as error:
            stage, found = WITHHELD, f"{error.where}: {error.why}"
        if isinstance(found, str):
            batch.fail(((row, found) for row in rows.to_pylist()), stage)
            continue
        event, version, writer = found
        for frame in _read_group(event, version, BlockReader(writer), bodies, rows, batch):
            parts.setdefault(event.name, []).append(frame)
    batch.frames = {name: pl.concat(found) if len(found) > 1 else found[0] for name, found in parts.items()}
    return batch


def _by_header(
    values: pa.LargeBinaryArray, batch: DecodedBatch, catalogue: Catalogue
) -> Iterator[tuple[bytes, pa.Array, pa.LargeBinaryArray]]:
    """Groups of the batch with one header: (header, rows, bodies without the header)."""
    rows = pa.array(range(len(values)), pa.int64())
    magic = pc.fill_null(pc.binary_slice(values, 0, 1), b"")
    for first in pc.unique(magic).to_pylist():
        chosen = pc.equal(magic, pa.scalar(first, pa.large_binary()))
        found, found_rows = values.filter(chosen), rows.filter(chosen)
        length = HEADER_LENGTH.get(first)
        if length is None:
            for row, value in zip(found_rows.to_pylist(), found.to_pylist(), strict=True):
                said = read_refused(value)
                if said is None:
                    batch.fail([(row, _not_framed(value))], "frame")
                else:
                    named = said["event_type"] if said["event_type"] in catalogue.event_types else None
                    batch.fail([(row, said["reason"])], IMPORT, named)
            continue
        headers = pc.binary_slice(found, 0, length).dictionary_encode()
        # Sorted once: there may be as many headers as values.
        order = pc.array_sort_indices(headers.indices)
        bodies, rows_of = pc.binary_slice(found.take(order), length, _END), found_rows.take(order)
        counts = Counter(headers.indices.to_pylist())
        at = 0
        for code, header in enumerate(headers.dictionary.to_pylist()):
            count = counts[code]
            yield header, rows_of.slice(at, count), bodies.slice(at, count)
            at += count


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

    A registry's schema which is not a version of ours stands under the newest one's limits.
    """
    if header[:1] == CONFLUENT_MAGIC:
        schema_id = int.from_bytes(header[1:5], "big")
        if registry is None:
            return f"written with registry schema {schema_id}, but BATON_SCHEMA_REGISTRY is not set"
        schema = registry(schema_id)
        if schema is None:
            return f"the schema registry has no Avro schema {schema_id}"
        try:
            return _registered(schema_id, schema, catalogue)
        except ANY_FAULT as error:
            return f"registry schema {schema_id} cannot be read with: {type(error).__name__}: {error}"
    if len(header) < 10 or not header.startswith(SINGLE_OBJECT_MAGIC):
        return f"its header 0x{header.hex()} is cut short or not Avro single-object encoding"
    found = catalogue.by_fingerprint.get(header[2:])
    if found is None:
        return f"no published schema has the fingerprint {header[2:].hex()}"
    return found[0], found[1], found[1].schema


def _registered(
    schema_id: int, schema: Schema, catalogue: Catalogue
) -> tuple[EventType, EventVersion, Schema] | str:
    """The same for a registry's schema. Raises anything when its names or types are odd enough."""
    event = catalogue.event_types.get(str(schema.get("name")).removeprefix("funnel."))
    if event is None:
        return f"{schema.get('name')} is not an event of the contract"
    why = unfit(schema, event)
    if why:
        return f"registry schema {schema_id} is no version of {event.name}: {why}"
    same = (v for v in reversed(event.versions) if _layout(v.schema) == _layout(schema))
    version, writer = next(same, event.newest), _to_read(schema, event)
    nothing = BlockReader(writer).nothing().with_columns(pl.Series(ROW, [], pl.Int64))
    impossible(_as_newest(nothing, event), version, ROW)  # what raises for no rows would for each
    return event, version, writer


def _layout(schema: Schema) -> list[tuple[str, Any]]:
    return [(field["name"], field["type"]) for field in schema["fields"]]


def _to_read(schema: Schema, event: EventType) -> Schema:
    """The schema under which records written with a registry's are read. What the event does not have is
    only passed over, whatever it is called and means."""
    known = {f["name"] for f in event.fields}
    fields = [
        {"name": f["name"], "type": f["type"]}
        if f["name"] in known
        else {"name": f"unknown_{place}", "type": without_meaning(f["type"])}
        for place, f in enumerate(schema["fields"])
    ]
    return {"type": "record", "name": event.name, "fields": fields}


def _read_group(
    event: EventType,
    version: EventVersion,
    block: BlockReader,
    bodies: pa.LargeBinaryArray,
    rows: pa.Array,
    batch: DecodedBatch,
) -> Iterator[pl.DataFrame]:
    """Frames of the newest version; the rest fails. A value on which a reader raises anything fails alone."""
    try:
        read, broken = _decode_group(block, bodies, rows)
        frame, refused = impossible(_as_newest(read, event), version, ROW) if read.width else (read, [])
    except ANY_FAULT as error:
        if len(rows) == 1:
            reason = f"not a {event.name}: {type(error).__name__}: {error}"
            batch.fail([(rows[0].as_py(), reason)], "decode", event.name)
            return
        middle = len(rows) // 2
        for part in (slice(0, middle), slice(middle, None)):
            yield from _read_group(event, version, block, bodies[part], rows[part], batch)
        return
    batch.fail(broken, "decode", event.name)
    batch.fail(refused, "validate", event.name)
    if frame.height:
        yield frame


def _decode_group(
    block: BlockReader, bodies: pa.LargeBinaryArray, rows: pa.Array
) -> tuple[pl.DataFrame, list[tuple[int, str]]]:
    """Decode datums of one schema; (frame with `_row`, [(row, why it cannot be read)])."""
    frames: list[pl.DataFrame] = []
    broken: list[tuple[int, str]] = []
    pending = [(bodies, rows)]
    while pending:
        bodies, rows = pending.pop()
        # In a flood of broken values a read of all is for nothing, and a panic of polars in the worker's log.
        is_flood = any(map(block.is_broken, bodies.slice(0, FIRST_LOOK).to_pylist()))
        frame, whole = (pl.DataFrame(), 0) if is_flood else block.read(bodies)
        if whole:
            frame = frame.head(whole)
            frames.append(frame.insert_column(frame.width, pl.Series(ROW, rows.slice(0, whole))))
        if whole == len(bodies):
            continue
        bodies, rows = bodies.slice(whole), rows.slice(whole)
        if len(bodies) == 1:
            broken.append((rows[0].as_py(), block.fault(bodies[0].as_py())))
            continue
        # What is certainly broken is set aside. Where only a read decides, a value stands alone: or a datum's
        # fate would depend on its neighbours wherever two readers disagree. The others stay together.
        is_broken = [block.is_broken(body) for body in bodies.to_pylist()]
        broken += [(rows[i].as_py(), block.fault(bodies[i].as_py())) for i, it in enumerate(is_broken) if it]
        whole_ones = [it is False for it in is_broken]
        if not all(whole_ones):
            alone = [i for i, it in enumerate(is_broken) if it is None]
            pending += [(bodies.slice(i, 1), rows.slice(i, 1)) for i in alone]
            kept = pa.array(whole_ones)
            pending += [(bodies.filter(kept), rows.filter(kept))] if any(whole_ones) else []
        else:
            middle = len(bodies) // 2
            pending += [(bodies.slice(middle), rows.slice(middle))]
            pending += [(bodies.slice(0, middle), rows.slice(0, middle))]
    return (pl.concat(frames) if frames else pl.DataFrame()), broken


def unfit(writer: Schema, event: EventType) -> str | None:
    """Why records of this schema cannot be read as the newest version of the event; None when they can.

    For schemas from a registry: nothing else has checked those.
    """
    fields = writer.get("fields")
    if writer.get("type") != "record" or not isinstance(fields, list):
        return "it is not a record"
    names = [f.get("name") if isinstance(f, dict) else None for f in fields]
    known = {f["name"] for f in event.fields}
    try:
        written = {
            f["name"]: (column_type(f["type"]), _is_nullable(f["type"])) for f in fields if f["name"] in known
        }
        others = [f["type"] for f in fields if f["name"] not in known]
    except (KeyError, TypeError, StopIteration):
        return "it has a field of a type that events may not have"
    if not all(map(_can_be_passed_over, others)):
        return "it has a field of a type that events may not have"
    if len(set(names)) < len(names):
        return "it has a field twice"
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


def _can_be_passed_over(avro: Any) -> bool:
    """Whether the block reader can read a field that is not wanted. Each of its values takes bytes, or a
    few bytes could announce a list that fills the memory."""
    if isinstance(avro, list):
        return len(avro) == 2 and "null" in avro and all(b == "null" or _can_be_passed_over(b) for b in avro)
    if not isinstance(avro, dict):
        return avro in _PLAIN
    match avro.get("type"):
        case "array":
            return _can_be_passed_over(avro["items"])
        case "record":
            return bool(avro["fields"]) and all(_can_be_passed_over(f["type"]) for f in avro["fields"])
        case "enum":
            return True
        case "fixed":
            return bool(0 < avro["size"] <= LONGEST_TEXT)
        case kind:
            return kind in _PLAIN


_PLAIN = ("string", "bytes", "int", "long", "float", "double", "boolean")


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
