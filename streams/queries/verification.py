"""Replaying the log into an empty second warehouse, to verify the live one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from schemas.catalogue import CATALOGUE
from schemas.errors import BatonError, ExitCode
from streams.kafka.names import names_of
from streams.kafka.registry import registry_lookup
from streams.kafka.topics import log_extent, topic_ids
from streams.local.worker_process import find_worker
from streams.process_record import sole
from streams.project import Project
from streams.queries.warehouse_access import ask_warehouse, open_warehouse
from streams.worker.sink import Extent, Progress, Sink
from warehouse.content_hash import (
    RecordCounts,
    TableHash,
    hash_groups,
    hashes,
    hashes_sql,
    record_counts,
    record_counts_sql,
)
from warehouse.reading import TOO_LONG
from warehouse.warehouse import Warehouse
from warehouse.writer import WarehouseWriter

# How long a running worker has for a partition that was added a moment ago.
FIRST_REFRESH_SECONDS = 60.0
UNREAD_SECONDS = 10.0
_NO_RECORD_COUNTS = "select 0 as good, 0 as failed, 0 as duplicate, 0 as total"


@dataclass(frozen=True)
class Snapshot:
    """A warehouse at one moment: table hashes, record counts, its offsets, and the instant it stands at.

    Read models stand at the offsets and the instant of their last refresh.
    """

    tables: dict[str, TableHash]
    record_counts: RecordCounts
    offsets: dict[tuple[str, int], int]
    pinned_as_of: datetime | None = None


@dataclass(frozen=True)
class Verification:
    """Live against replay, table by table."""

    as_of: datetime
    live: Snapshot
    replay: Snapshot
    # Partitions that hold records of which the warehouse knows nothing.
    unread: Mapping[tuple[str, int], int] = field(default_factory=dict)
    # Partitions that no longer begin at 0, with the first offset they hold: a replay cannot have the rest.
    head_lost: Mapping[tuple[str, int], int] = field(default_factory=dict)

    @property
    def log_records(self) -> int:
        """Records that Kafka holds up to the offsets compared: those the replay was given."""
        return self.replay.record_counts.total

    @property
    def differing(self) -> list[str]:
        names = self.live.tables.keys() | self.replay.tables.keys()
        return sorted(n for n in names if self.live.tables.get(n) != self.replay.tables.get(n))

    @property
    def is_equal(self) -> bool:
        """Whether every table is equal, and the record counts add up on both sides."""
        return (
            not self.differing
            and self.live.record_counts == self.replay.record_counts
            and self.live.record_counts.add_up
            and not self.unread
        )

    def as_dict(self) -> dict[str, Any]:
        nothing = TableHash(0, "missing")
        tables = {}
        for name in sorted(self.live.tables.keys() | self.replay.tables.keys()):
            live, replay = self.live.tables.get(name, nothing), self.replay.tables.get(name, nothing)
            tables[name] = {"rows": live.rows, "hash_live": live.content, "hash_replay": replay.content}
        log = {k: getattr(self.live.record_counts, k) for k in ("good", "failed", "duplicate", "total")}
        return {
            "equal": self.is_equal,
            "as_of": self.as_of.isoformat(),
            "differing": self.differing,
            "tables": tables,
            "log": {**log, "in_kafka": self.log_records},
            "head_lost": {f"{t}/{p}": first for (t, p), first in sorted(self.head_lost.items())},
            "unread": {f"{t}/{p}": offsets for (t, p), offsets in sorted(self.unread.items())},
            "offsets": {f"{t}/{p}": o for (t, p), o in sorted(self.live.offsets.items())},
        }


def verify(project: Project, on_progress: Callable[[Progress], None] | None = None) -> Verification:
    """Compare the live warehouse with a replay of the log up to the same offsets.

    Works while the worker writes: the live side is read one group of tables at a time, each in one statement,
    and the replay stops at the offsets of that statement. Raises BatonError when Kafka or the warehouse
    cannot be reached, and while another verify runs.
    """
    project.make_folders()
    with sole(project.run_dir / "verify.lock", _is_verifying):
        return _verify(project, on_progress)


def _is_verifying(lock_file: Path, holder: str) -> BatonError:
    return BatonError(
        "Another verify of this project is running",
        where=str(lock_file),
        why=f"process {holder or 'unknown'} replays the log already; two would take twice as long",
        next_command=f"ps -p {holder or '<pid>'}   (wait for it, then: baton verify)",
    )


def _verify(project: Project, on_progress: Callable[[Progress], None] | None) -> Verification:
    _refuse_another_log(project)
    as_of = project.pinned_as_of or datetime.now(UTC)
    live = [found for group in hash_groups() for found in _live_snapshots(project, as_of, group)]
    extent = log_extent(project, CATALOGUE.fact_topics)
    replay_file = project.run_dir / "replay.duckdb"
    _remove(replay_file)
    try:
        with open_warehouse(project, replay_file) as second:
            lookup = registry_lookup(project)
            kafka = project.client_settings()
            replay = []
            for group, snapshot in live:
                if snapshot.offsets != second.next_offsets():
                    writer = WarehouseWriter(second)
                    sink = Sink(
                        writer,
                        kafka,
                        extent,
                        names=names_of(project),
                        registry=lookup,
                        on_commit=on_progress,
                    )
                    asyncio.run(sink.run(asyncio.Event(), until=snapshot.offsets))
                second.pin_as_of(snapshot.pinned_as_of, is_read_model=_is_read_model(group))
                replay.append(_replayed_snapshot(second, as_of, group))
    finally:
        _remove(replay_file)
    together, again = _together([snapshot for _, snapshot in live]), _together(replay)
    gone = {place: begin for place, (begin, _) in extent.items() if begin > 0}
    return Verification(as_of, together, again, _unread(project, extent), gone)


def _refuse_another_log(project: Project) -> None:
    """Raise BatonError when this command sees other topics than the warehouse has read."""
    known = dict(ask_warehouse(project, "select topic, topic_id from warehouse.topic")[1])
    for topic, topic_id in topic_ids(project, known).items():
        if topic_id != known[topic]:
            raise BatonError(
                "This is not the log that the warehouse has read",
                where=f"{topic}, Kafka at {project.bootstrap()}, prefix {project.prefix or 'none'}",
                why=f"the warehouse read it as {known[topic]}; here it is {topic_id}",
                next_command="baton doctor   (shows BATON_KAFKA and BATON_PREFIX as this command sees them)",
                exit_code=ExitCode.CONFIGURATION,
            )


def _unread(project: Project, extent: Extent) -> dict[tuple[str, int], int]:
    """Offsets in partitions that hold something and are not read at all. A worker takes up a partition that
    was added within seconds; one that stays is not equal to anything."""
    deadline = time.monotonic() + UNREAD_SECONDS
    while True:
        _, rows = ask_warehouse(project, "select topic, kafka_partition from warehouse.next_offset")
        known = {(topic, partition) for topic, partition in rows}
        unread = {place: end - begin for place, (begin, end) in extent.items() if end > begin}
        unread = {place: offsets for place, offsets in unread.items() if place not in known}
        if not unread or find_worker(project) is None or time.monotonic() > deadline:
            return unread
        time.sleep(0.5)


def _live_snapshots(
    project: Project, as_of: datetime, group: Sequence[str]
) -> list[tuple[Sequence[str], Snapshot]]:
    """(names, snapshot) of a group; of its parts when all of it takes longer than a statement may."""
    try:
        return [(group, _live_snapshot(project, as_of, group))]
    except BatonError as error:
        if error.what != TOO_LONG or len(group) == 1:
            raise
    middle = len(group) // 2
    parts = (group[:middle], group[middle:])
    return [found for part in parts for found in _live_snapshots(project, as_of, part)]


def _is_read_model(group: Sequence[str]) -> bool:
    return set(group) <= set(hash_groups()[0])


def _is_last(group: Sequence[str]) -> bool:
    return group[-1] == hash_groups()[-1][-1]


def _live_snapshot(project: Project, as_of: datetime, group: Sequence[str]) -> Snapshot:
    """Hashes of some tables, record counts and offsets of the live side: one SELECT, so one moment."""
    hashed = hashes_sql(as_of, group)
    is_read_model = _is_read_model(group)
    offsets = "warehouse.offset_read" if is_read_model else "warehouse.next_offset"
    pinned = "warehouse.read_model" if is_read_model else "warehouse.pinned_as_of"
    # Counting records scans the whole log: once, with the last group.
    counting = record_counts_sql() if _is_last(group) else _NO_RECORD_COUNTS
    statement = (
        f"select (select list([name, rows::varchar, content]) from ({hashed})) as tables,"
        f" (select [good, failed, duplicate, total] from ({counting})) as record_counts,"
        f" (select list([topic, kafka_partition::varchar, next_offset::varchar]) from {offsets}) as offsets,"
        f" (select max(as_of) from {pinned}) as pinned_as_of"
    )
    deadline = time.monotonic() + FIRST_REFRESH_SECONDS
    while True:
        _, rows = ask_warehouse(project, statement)
        tables, counts, reached, pinned_as_of = rows[0]
        # A worker that has just started has not refreshed yet.
        if pinned_as_of is not None or not is_read_model or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    return Snapshot(
        {name: TableHash(int(count), content) for name, count, content in tables},
        RecordCounts(*counts),
        {(topic, int(partition)): int(at) for topic, partition, at in reached or []},
        pinned_as_of,
    )


def _replayed_snapshot(second: Warehouse, as_of: datetime, group: Sequence[str]) -> Snapshot:
    tables = hashes(second.connection, as_of, group)
    counted = record_counts(second.connection) if _is_last(group) else RecordCounts(0, 0, 0, 0)
    return Snapshot(tables, counted, dict(second.next_offsets()))


def _together(snapshots: Sequence[Snapshot]) -> Snapshot:
    """All tables, with the record counts and offsets of the last group."""
    tables = {name: found for snapshot in snapshots for name, found in snapshot.tables.items()}
    return replace(snapshots[-1], tables=tables)


def _remove(path: Path) -> None:
    for file in (path, path.with_name(path.name + ".wal")):
        file.unlink(missing_ok=True)
