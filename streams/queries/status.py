"""The status of a project: processes, events by topic, the worker's lag, file sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from schemas.catalogue import CATALOGUE
from schemas.errors import BatonError
from streams.kafka.admin import admin
from streams.kafka.names import names_of
from streams.kafka.open_transactions import OpenTransaction, open_transactions
from streams.kafka.topics import PARTITIONS, extent_of
from streams.local import worker_process
from streams.local.broker import find_broker
from streams.local.supervisor import LastDeath
from streams.project import Project
from streams.queries.log_losses import log_losses
from streams.queries.warehouse_access import ask_warehouse
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
    worker: BatonError | None = None
    warehouse: BatonError | None = None

    def all(self) -> list[BatonError]:
        return [error for error in (self.kafka, self.worker, self.warehouse) if error is not None]


def read_status(project: Project) -> tuple[dict[str, Any], Problems]:
    """The status, and what is wrong. Read-only."""
    running, worker = worker_process.find_worker(project), worker_process.worker_problem(project)
    reached: Mapping[tuple[str, int], tuple[int, int]] | None = None
    warehouse: BatonError | None = None
    unread = 0
    if running is None or (running.is_ready and worker is None):  # one that starts holds the file
        try:
            reached, unread = _reached(project)
        except BatonError as error:
            warehouse = error
    waiting: tuple[OpenTransaction, ...] = ()
    try:
        with admin(project) as client:
            names = names_of(project)
            topics = _topic_states(extent_of(client, PARTITIONS, names), reached)
            waiting = open_transactions(client, names)
        problems = Problems(None, worker, warehouse)
    except BatonError as error:
        topics, problems = [], Problems(error, worker, warehouse)
    document = _document(project, topics, problems, unread)
    return document | {"open_transactions": [asdict(one) for one in waiting]}, problems


def _topic_states(
    extent: Mapping[tuple[str, int], tuple[int, int]],
    reached: Mapping[tuple[str, int], tuple[int, int]] | None,
) -> list[TopicState]:
    states = []
    for topic in PARTITIONS:
        places = [place for place in extent if place[0] == topic]
        if reached is None:
            states.append(TopicState(topic, len(places), None, None))
            continue
        lag = sum(max(0, extent[p][1] - max(extent[p][0], reached.get(p, (0, 0))[0])) for p in places)
        events = lag + sum(reached[p][1] for p in places if p in reached)
        is_read = topic in CATALOGUE.fact_topics
        states.append(TopicState(topic, len(places), events, lag if is_read else None))
    return states


def _reached(project: Project) -> tuple[dict[tuple[str, int], tuple[int, int]], int]:
    """(next offset, records read) of every partition that the warehouse has read, and how many records are
    not in the numbers yet; nothing without a warehouse."""
    if not project.warehouse_file.exists():
        return {}, 0
    _, rows = ask_warehouse(
        project,
        f"select topic, kafka_partition, next_offset, records, ({unread_sql()}) from warehouse.next_offset",
    )
    reached = {(topic, partition): (at, records) for topic, partition, at, records, _ in rows}
    return reached, rows[0][-1] if rows else 0


def _document(project: Project, topics: list[TopicState], problems: Problems, unread: int) -> dict[str, Any]:
    broker = None if project.kafka else find_broker(project)
    worker, death = worker_process.find_worker(project), LastDeath.read(project)
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
        "worker": {
            "is_running": worker is not None,
            "is_ready": worker is not None and worker.is_ready,
            "pid": worker.pid if worker else None,
            "ready_at": worker.ready_at if worker else None,
            "is_supervised": worker_process.is_supervised(project),
            "last_death": asdict(death) if death else None,
            "problem": problems.worker.as_dict() if problems.worker else None,
        },
        "not_in_numbers": unread,
        "log_losses": [asdict(loss) for loss in log_losses(project)],
        "warehouse": {"problem": problems.warehouse.as_dict() if problems.warehouse else None},
        "bytes": {
            "warehouse": _size(project.warehouse_file) + _size(Path(f"{project.warehouse_file}.wal")),
            "kafka": _size(project.kafka_data_dir),
            "logs": _size(project.logs_dir),
        },
    }


def _size(path: Path) -> int:
    """Bytes on disk of a file or of everything below a folder (Kafka's indexes are sparse files)."""
    if path.is_dir():
        return sum(_size(entry) for entry in path.iterdir() if not entry.is_symlink())
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0
