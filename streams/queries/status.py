"""The status of a project: processes and their lag, events by topic, file sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from schemas.catalogue import CATALOGUE
from schemas.errors import BatonError
from streams.kafka.admin import admin
from streams.kafka.names import names_of
from streams.kafka.open_transactions import OpenTransaction, open_transactions
from streams.kafka.topics import PARTITIONS, extent_of
from streams.local.broker import find_broker
from streams.local.supervisor import LastDeath
from streams.local.worker_process import find_worker, is_supervised, worker_problem
from streams.project import Project
from streams.queries.log_losses import log_losses
from streams.queries.warehouse_access import ask_warehouse
from streams.worker_files import WorkerFiles
from warehouse.read_models import unread_sql


@dataclass(frozen=True)
class TopicState:
    """One topic. lag: offsets between the warehouse and the end; None if it does not read the topic.
    events: records it has read, and the lag. Neither is known when the warehouse does not answer."""

    topic: str
    partitions: int
    events: int | None
    lag: int | None


@dataclass(frozen=True)
class Problems:
    """What does not answer, or ended without being stopped."""

    kafka: BatonError | None = None
    workers: Mapping[str, BatonError] = field(default_factory=dict)
    warehouses: Mapping[str, BatonError] = field(default_factory=dict)

    def all(self) -> list[BatonError]:
        kafka = [self.kafka] if self.kafka else []
        return [*kafka, *self.workers.values(), *self.warehouses.values()]


@dataclass(frozen=True)
class Reached:
    """How far a worker is: by partition (next offset, records read), and records not in its tables yet."""

    places: Mapping[tuple[str, int], tuple[int, int]]
    unread: int

    def behind(self, place: tuple[str, int], extent: tuple[int, int]) -> int:
        """Offsets of the partition that are still to be read."""
        first, end = extent
        return max(0, end - max(first, self.places.get(place, (0, 0))[0]))


def read_status(project: Project) -> tuple[dict[str, Any], Problems]:
    """The status, and what is wrong. Read-only."""
    workers = {files.name: worker_problem(files) for files in project.workers}
    reached: dict[str, Reached] = {}
    warehouses: dict[str, BatonError] = {}
    for files in project.workers:
        running = find_worker(files)
        # One that starts holds the file.
        if running is None or (running.is_ready and workers[files.name] is None):
            try:
                reached[files.name] = _reached(project, files)
            except BatonError as error:
                warehouses[files.name] = error
    found = {name: error for name, error in workers.items() if error is not None}
    waiting: tuple[OpenTransaction, ...] = ()
    extent: dict[tuple[str, int], tuple[int, int]] = {}
    try:
        with admin(project) as client:
            names = names_of(project)
            extent = extent_of(client, PARTITIONS, names)
            waiting = open_transactions(client, names)
        problems = Problems(None, found, warehouses)
    except BatonError as error:
        problems = Problems(error, found, warehouses)
    topics = [] if problems.kafka else _topic_states(extent, reached.get("numbers"))
    document = _document(project, topics, problems, reached, extent)
    document["undelivered_notices"] = _undelivered(project) if "numbers" in reached else None
    return document | {"open_transactions": [asdict(one) for one in waiting]}, problems


def _undelivered(project: Project) -> int:
    """Notices of alerts that are not known to have reached their receiver."""
    if not project.numbers.warehouse.exists():
        return 0
    [(count,)] = ask_warehouse(project, "select count(*) from funnel.alert_notice where is_undelivered")[1]
    return int(count)


def _topic_states(
    extent: Mapping[tuple[str, int], tuple[int, int]], reached: Reached | None
) -> list[TopicState]:
    states = []
    for topic in PARTITIONS:
        places = [place for place in extent if place[0] == topic]
        if reached is None:
            states.append(TopicState(topic, len(places), None, None))
            continue
        lag = sum(reached.behind(place, extent[place]) for place in places)
        events = lag + sum(reached.places[place][1] for place in places if place in reached.places)
        is_read = topic in CATALOGUE.fact_topics
        states.append(TopicState(topic, len(places), events, lag if is_read else None))
    return states


def _reached(project: Project, files: WorkerFiles) -> Reached:
    """Nothing without a warehouse."""
    if not files.warehouse.exists():
        return Reached({}, 0)
    _, rows = ask_warehouse(
        project,
        f"select topic, kafka_partition, next_offset, records, ({unread_sql()}) from warehouse.next_offset",
        files,
    )
    places = {(topic, partition): (at, records) for topic, partition, at, records, _ in rows}
    return Reached(places, rows[0][-1] if rows else 0)


def _document(
    project: Project,
    topics: list[TopicState],
    problems: Problems,
    reached: Mapping[str, Reached],
    extent: Mapping[tuple[str, int], tuple[int, int]],
) -> dict[str, Any]:
    broker = None if project.kafka else find_broker(project)
    return {
        "project": str(project.home),
        "broker": {
            "bootstrap": project.kafka or (broker.bootstrap if broker else None),
            "is_local": project.kafka is None,
            "is_reachable": problems.kafka is None,
            "pid": broker.pid if broker else None,
            "problem": problems.kafka.as_dict() if problems.kafka else None,
        },
        "topics": [asdict(topic) for topic in topics],
        "workers": {
            files.name: _worker(files, problems, reached.get(files.name), extent) for files in project.workers
        },
        "log_losses": [asdict(loss) for loss in log_losses(project)],
        "bytes": {
            "warehouses": sum(
                _size(files.warehouse) + _size(Path(f"{files.warehouse}.wal")) for files in project.workers
            ),
            "kafka": _size(project.kafka_data_dir),
            "logs": _size(project.logs_dir),
        },
    }


def _worker(
    files: WorkerFiles,
    problems: Problems,
    reached: Reached | None,
    extent: Mapping[tuple[str, int], tuple[int, int]],
) -> dict[str, Any]:
    """lag: offsets still to be read. not_in_tables: records read, and not in its tables yet. Neither is known
    when the warehouse does not answer."""
    worker, death = find_worker(files), LastDeath.read(files)
    problem, unreadable = problems.workers.get(files.name), problems.warehouses.get(files.name)
    read = {place: ends for place, ends in extent.items() if place[0] in CATALOGUE.fact_topics}
    lag = None
    if reached is not None and problems.kafka is None:
        lag = sum(reached.behind(place, ends) for place, ends in read.items())
    return {
        "is_running": worker is not None,
        "is_ready": worker is not None and worker.is_ready,
        "pid": worker.pid if worker else None,
        "ready_at": worker.ready_at if worker else None,
        "is_supervised": is_supervised(files),
        "last_death": asdict(death) if death else None,
        "lag": lag,
        "not_in_tables": reached.unread if reached is not None else None,
        "problem": problem.as_dict() if problem else None,
        "warehouse_problem": unreadable.as_dict() if unreadable else None,
    }


def _size(path: Path) -> int:
    """Bytes on disk of a file or of everything below a folder (Kafka's indexes are sparse files)."""
    if path.is_dir():
        return sum(_size(entry) for entry in path.iterdir() if not entry.is_symlink())
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0
