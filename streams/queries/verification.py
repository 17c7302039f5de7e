"""Replaying the log into an empty second warehouse, to verify the live ones: that of numbers, and what that
of reactions keeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
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
from streams.worker.meters import Progress
from streams.worker.sink import Extent, Sink
from streams.worker_files import WorkerFiles
from warehouse.content_hash import (
    RecordCounts,
    TableHash,
    hash_groups,
    hashes,
    hashes_sql,
    record_counts,
    record_counts_sql,
)
from warehouse.layout import stored_tables
from warehouse.reading import TOO_LONG
from warehouse.scope import HANDOFFS
from warehouse.warehouse import Warehouse
from warehouse.writer import WarehouseWriter

# How long a running worker has for a partition that was added a moment ago.
FIRST_REFRESH_SECONDS = 60.0
UNREAD_SECONDS = 10.0
# How long the reactions have to read what the numbers had read.
LEVEL_SECONDS = 20.0
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
    live = [
        found for group in hash_groups() for found in _live_snapshots(project, project.numbers, as_of, group)
    ]
    reached = live[-1][1].offsets
    reacting = [
        found
        for group in _reaction_groups(project)
        for found in _live_snapshots(project, project.reactions, as_of, group, reached)
    ]
    extent = log_extent(project, CATALOGUE.fact_topics)  # after them: the log has grown meanwhile
    replay_file = project.run_dir / "replay.duckdb"
    replay, replay_of_reactions = [], []
    with _Replay(project, replay_file, extent, on_progress) as second:
        for group, snapshot in live:
            replay.append(second.snapshot(as_of, group, snapshot))
        for group, snapshot in reacting:
            replay_of_reactions.append(second.snapshot(as_of, group, snapshot))
    together = _together([snapshot for _, snapshot in live], [snapshot for _, snapshot in reacting])
    gone = {place: begin for place, (begin, _) in extent.items() if begin > 0}
    again = _together(replay, replay_of_reactions)
    return Verification(as_of, together, again, _unread(project, extent), gone)


class _Replay:
    """The log, read again into a file of its own as far as each live snapshot had read it."""

    def __init__(
        self,
        project: Project,
        file: Path,
        extent: Extent,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self.project, self.file, self.extent, self.on_progress = project, file, extent, on_progress
        self._warehouse: Warehouse | None = None

    def __enter__(self) -> _Replay:
        _remove(self.file)
        return self

    def __exit__(self, *_: object) -> None:
        if self._warehouse:
            self._warehouse.close()
        _remove(self.file)

    def snapshot(self, as_of: datetime, group: Sequence[str], live: Snapshot) -> Snapshot:
        """The same of the replay. Cheapest in the order in which the live ones were taken: a replay that is
        further begins again."""
        reached = self._warehouse.next_offsets() if self._warehouse else {}
        if self._warehouse is None or any(at > live.offsets.get(place, 0) for place, at in reached.items()):
            self.__exit__()
            self._warehouse = open_warehouse(self.project, self.file)
        second = self._warehouse
        if live.offsets != second.next_offsets():
            sink = Sink(
                WarehouseWriter(second),
                self.project.client_settings(),
                self.extent,
                names=names_of(self.project),
                registry=registry_lookup(self.project),
                on_commit=self.on_progress,
            )
            asyncio.run(sink.run(asyncio.Event(), until=live.offsets))
        second.pin_as_of(live.pinned_as_of, is_read_model=_is_read_model(group))
        tables = hashes(second.connection, as_of, group)
        counted = record_counts(second.connection) if _is_last(group) else RecordCounts(0, 0, 0, 0)
        return Snapshot(tables, counted, dict(second.next_offsets()))


def _reaction_groups(project: Project) -> tuple[tuple[str, ...], ...]:
    """The names of what the warehouse of reactions keeps, read models first; none when there is none."""
    if not project.reactions.warehouse.exists():
        return ()
    stored = tuple(stored_tables()[view.relation] for view in HANDOFFS.views)
    return stored, (*(f"facts.{table}" for table in sorted(HANDOFFS.tables)), "funnel.failed_events")


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
        if not unread or find_worker(project.numbers) is None or time.monotonic() > deadline:
            return unread
        time.sleep(0.5)


def _live_snapshots(
    project: Project,
    files: WorkerFiles,
    as_of: datetime,
    group: Sequence[str],
    reached: Mapping[tuple[str, int], int] = MappingProxyType({}),
) -> list[tuple[Sequence[str], Snapshot]]:
    """(names, snapshot) of a group, once it has reached these offsets, if that is soon; of its parts when all
    of it takes longer than a statement may."""
    deadline = time.monotonic() + LEVEL_SECONDS
    try:
        while True:
            snapshot = _live_snapshot(project, files, as_of, group)
            is_level = all(snapshot.offsets.get(place, 0) >= at for place, at in reached.items())
            if is_level or find_worker(files) is None or time.monotonic() > deadline:
                return [(group, snapshot)]
            time.sleep(0.2)
    except BatonError as error:
        if error.what != TOO_LONG or len(group) == 1:
            raise
    middle = len(group) // 2
    parts = (group[:middle], group[middle:])
    return [found for part in parts for found in _live_snapshots(project, files, as_of, part, reached)]


def _is_read_model(group: Sequence[str]) -> bool:
    return set(group) <= set(hash_groups()[0])


def _is_last(group: Sequence[str]) -> bool:
    return group[-1] == hash_groups()[-1][-1]


def _live_snapshot(project: Project, files: WorkerFiles, as_of: datetime, group: Sequence[str]) -> Snapshot:
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
        _, rows = ask_warehouse(project, statement, files)
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


def _together(numbers: Sequence[Snapshot], reactions: Sequence[Snapshot]) -> Snapshot:
    """All tables, with the record counts and offsets of the last group of numbers."""
    tables = {name: found for snapshot in numbers for name, found in snapshot.tables.items()}
    tables |= {
        f"reactions: {name}": found for snapshot in reactions for name, found in snapshot.tables.items()
    }
    return replace(numbers[-1], tables=tables)


def _remove(path: Path) -> None:
    for file in (path, path.with_name(path.name + ".wal")):
        file.unlink(missing_ok=True)
