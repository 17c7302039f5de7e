"""The status of a project: what runs, how many events, how far behind the worker is, file sizes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from schemas.catalogue import CATALOGUE
from schemas.errors import BatonError
from streams.kafka.topics import PARTITIONS, committed_offsets, log_extent
from streams.local import worker_process
from streams.local.broker import find_broker
from streams.project import Project


@dataclass(frozen=True)
class TopicState:
    """One topic. lag: events the sink has not committed yet; None where it does not read."""

    topic: str
    partitions: int
    events: int
    lag: int | None


def read_status(project: Project) -> tuple[dict[str, Any], BatonError | None]:
    """The status, and why Kafka could not be asked; None when it answered. Changes nothing."""
    problem: BatonError | None = None
    topics: list[TopicState] = []
    try:
        topics = _topic_states(project)
    except BatonError as error:
        problem = error
    return _document(project, topics, problem), problem


def _topic_states(project: Project) -> list[TopicState]:
    extent = log_extent(project, PARTITIONS)
    committed = committed_offsets(project)
    states = []
    for topic in PARTITIONS:
        places = [place for place in extent if place[0] == topic]
        events = sum(extent[place][1] - extent[place][0] for place in places)
        lag = sum(extent[place][1] - committed.get(place, extent[place][0]) for place in places)
        is_read = topic in CATALOGUE.fact_topics
        states.append(TopicState(topic, len(places), events, lag if is_read else None))
    return states


def _document(project: Project, topics: list[TopicState], problem: BatonError | None) -> dict[str, Any]:
    broker = None if project.kafka else find_broker(project)
    worker = worker_process.find_worker(project)
    return {
        "project": str(project.home),
        "broker": {
            "bootstrap": project.kafka or (broker.bootstrap if broker else None),
            "is_local": project.kafka is None,
            "is_reachable": problem is None,
            "pid": broker.pid if broker else None,
            "problem": problem.as_dict() if problem else None,
        },
        "topics": [asdict(topic) for topic in topics],
        "worker": {
            "is_running": worker is not None,
            "is_ready": worker is not None and worker.is_ready,
            "pid": worker.pid if worker else None,
            "ready_at": worker.ready_at if worker else None,
        },
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
