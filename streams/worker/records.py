"""Fetched records to a batch for the warehouse: decoded, with their positions; none is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from aiokafka import ConsumerRecord

from schemas.catalogue import CATALOGUE
from schemas.codec import ROW, Failure, RegistryLookup, decode
from warehouse.commit import Batch, failed_table


@dataclass
class Fetched:
    """Fetched records, in runs of one partition: (topic, partition, number of records); and where to read on
    in each partition. Markers and aborted records move that too, and are no records."""

    records: list[ConsumerRecord] = field(default_factory=list)
    runs: list[tuple[str, int, int]] = field(default_factory=list)
    reached: dict[tuple[str, int], int] = field(default_factory=dict)
    bytes: int = 0

    def add(self, topic: str, partition: int, records: Sequence[ConsumerRecord]) -> None:
        self.records += records
        self.runs.append((topic, partition, len(records)))
        self.reached[(topic, partition)] = records[-1].offset + 1
        self.bytes += sum(record.serialized_value_size for record in records)

    def last_records(self) -> dict[tuple[str, int], ConsumerRecord]:
        """The last record of every partition that has any."""
        ends = accumulate(count for *_, count in self.runs)
        return {(t, p): self.records[end - 1] for (t, p, _), end in zip(self.runs, ends, strict=True)}


def to_batch(fetched: Fetched, registry: RegistryLookup | None = None) -> Batch:
    """Decode fetched records and add their positions. Every record ends up in a frame or the failed table."""
    records = fetched.records
    decoded = decode([record.value for record in records], CATALOGUE, registry)
    offsets = pl.Series("kafka_offset", [record.offset for record in records], pl.Int64)
    partitions = _of_runs([(partition, n) for _, partition, n in fetched.runs]).alias("kafka_partition")
    topics = _of_runs([(CATALOGUE.topics.index(topic), n) for topic, _, n in fetched.runs])
    places = pl.DataFrame([partitions, offsets])
    failures = list(decoded.failures)
    facts: dict[str, pl.DataFrame] = {}
    for name, frame in decoded.frames.items():
        event = CATALOGUE.event_types[name]
        frame, misrouted = _on_own_topic(frame, topics, event.topic, name)
        failures += misrouted
        if frame.height:
            facts[name] = frame.hstack(places[frame.drop_in_place(ROW)])
    return Batch(facts, failed_table(_failed_rows(fetched, topics, failures)), _reached(fetched))


def _of_runs(runs: list[tuple[int, int]]) -> pl.Series:
    """Each number as often as its run is long."""
    ends = pa.array(accumulate(length for _, length in runs), pa.int32())
    numbers = pa.array([number for number, _ in runs], pa.int32())
    return pl.Series(pc.run_end_decode(pa.RunEndEncodedArray.from_arrays(ends, numbers)))


def _on_own_topic(
    frame: pl.DataFrame, topics: pl.Series, own: str, name: str
) -> tuple[pl.DataFrame, list[Failure]]:
    """An event counts on its own topic only: topic permissions decide who may publish a type."""
    found = topics.gather(frame[ROW])
    is_own = found == CATALOGUE.topics.index(own)
    if is_own.all():
        return frame, []
    strays = zip(frame.filter(~is_own)[ROW], found.filter(~is_own), strict=True)
    reason = f"{name} belongs on {own}, not on "
    failures = [Failure(row, "route", reason + CATALOGUE.topics[topic], name) for row, topic in strays]
    return frame.filter(is_own), failures


def _failed_rows(fetched: Fetched, topics: pl.Series, failures: list[Failure]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    found = topics.gather([failure.row for failure in failures])
    for failure, topic in zip(failures, found, strict=True):
        record = fetched.records[failure.row]
        place = (CATALOGUE.topics[topic], record.partition, record.offset, _written_at(record))
        rows.append((*place, failure.stage, failure.reason, failure.event_type, record.key, record.value))
    return rows


def _written_at(record: ConsumerRecord) -> datetime | None:
    """The record's Kafka timestamp. Producers may set anything: None when it is not a valid time."""
    try:
        return datetime.fromtimestamp(record.timestamp / 1000, UTC) if record.timestamp >= 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def _reached(fetched: Fetched) -> dict[tuple[str, int], tuple[int, int]]:
    """(next offset, records) of every partition in the batch."""
    counts: Counter[tuple[str, int]] = Counter()
    for topic, partition, count in fetched.runs:
        counts[(topic, partition)] += count
    return {place: (at, counts[place]) for place, at in fetched.reached.items()}
