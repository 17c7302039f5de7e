"""Accepted losses of the log, kept in a file of the project, so that no repair or rebuild forgets them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from schemas.catalogue import CATALOGUE
from streams.project import Project


@dataclass(frozen=True)
class LogLoss:
    """A loss of Kafka's that was accepted. kept: the events that the warehouse had read. set_aside: the file
    that it was. partitions: of each that has another extent than what was read, in words."""

    accepted_at: str
    kept: str
    events: int
    set_aside: str
    partitions: list[str]

    @property
    def event_types(self) -> list[str]:
        """What may be missing: the events of the topics that lost some, of all when nobody can say which."""
        topics = {partition.split("/")[0] for partition in self.partitions} or set(CATALOGUE.fact_topics)
        return [event.name for event in CATALOGUE.facts if event.topic in topics]


def record_loss(project: Project, loss: LogLoss) -> None:
    """Keep one more."""
    with _losses_file(project).open("a", encoding="utf-8") as losses:
        losses.write(json.dumps(asdict(loss)) + "\n")


def log_losses(project: Project) -> list[LogLoss]:
    """The losses that were accepted, oldest first."""
    try:
        lines = _losses_file(project).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [LogLoss(**json.loads(line)) for line in lines if line.strip()]


def lost_at(project: Project) -> dict[str, str]:
    """By event type: when Kafka was last found to have lost events of its topic."""
    return {event: loss.accepted_at for loss in log_losses(project) for event in loss.event_types}


def _losses_file(project: Project) -> Path:
    return project.home / "log-losses.jsonl"
