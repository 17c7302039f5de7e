"""What operators ask and a query must answer: asked at most every KEEP_SECONDS, however many scrape."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schemas.catalogue import CATALOGUE
from schemas.errors import BatonError
from streams.local.supervisor import LastDeath
from streams.process_record import read_json
from streams.project import Project
from streams.web.source import Source
from streams.worker.meters import Meters, behind
from streams.worker_files import WorkerFiles
from warehouse.memory import resident_bytes
from warehouse.read_models import unread_sql
from warehouse.sql_endpoint import SqlEndpoint, answer

KEEP_SECONDS = 10.0
ASK_SECONDS = 5.0
SEVERITIES = ("info", "warning", "critical")
_RECORDED = "select topic, max(recorded_at) as recorded_at from ({}) group by topic".format(
    " union all ".join(
        f"select '{event.topic}' as topic, max(recorded_at) as recorded_at from log.{event.table}"
        for event in CATALOGUE.facts
    )
)
_FAILED = "select count(*) as failed from funnel.failed_events"
_READ_MODELS = (
    f"select (select max(refreshed_at) from warehouse.read_model) as refreshed_at, ({unread_sql()}) as unread"
)
_ALERTS = "select severity, count(*) as alerts from funnel.alert where state = 'opened' group by severity"
_REACTIONS = """
select topic, kafka_partition, next_offset, unsent
from (select count(*) as unsent from warehouse.outbox where not is_sent)
left join warehouse.next_offset on true
"""


@dataclass(frozen=True)
class WorkerState:
    """The process of a worker. deaths: since `baton up`."""

    is_up: bool
    resident_bytes: int
    deaths: int


@dataclass
class Figures:
    """The answers of one moment. None: it is not known, and problems say why."""

    recorded_at: dict[str, float] | None = None
    failed: int | None = None
    refreshed_at: float | None = None
    unread: int | None = None
    open_alerts: dict[str, float] | None = None
    reactions_lag: dict[str, int] | None = None
    unsent: int | None = None
    workers: dict[str, WorkerState] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class FiguresOf:
    """The figures of a project whose numbers this process serves. For any thread: one asks, others wait."""

    def __init__(
        self,
        project: Project,
        source: Source,
        meters: Meters,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._project, self._source, self._meters, self._clock = project, source, meters, clock
        self._asking = threading.Lock()
        self._kept: tuple[float, Figures] | None = None

    def now(self) -> Figures:
        """At most KEEP_SECONDS old. Never raises BatonError: what has no answer is missing."""
        with self._asking:
            if self._kept is None or self._clock() - self._kept[0] >= KEEP_SECONDS:
                found = self._ask()
                self._kept = self._clock(), found
            return self._kept[1]

    def _ask(self) -> Figures:
        found = Figures()
        with _noting(found):
            self._ask_numbers(found)
        with _noting(found):
            self._ask_reactions(found)
        with _noting(found):
            found.workers = {files.name: _state(files) for files in self._project.workers}
        return found

    def _ask_numbers(self, found: Figures) -> None:
        answers = self._source.ask([_RECORDED, _READ_MODELS, _FAILED, _ALERTS], ASK_SECONDS)
        recorded, [read_models], [failures], alerts = answers
        found.recorded_at = {
            row["topic"]: row["recorded_at"].timestamp() for row in recorded if row["recorded_at"]
        }
        refreshed_at: datetime | None = read_models["refreshed_at"]
        found.refreshed_at = refreshed_at.timestamp() if refreshed_at else None
        found.unread, found.failed = read_models["unread"], failures["failed"]
        found.open_alerts = dict.fromkeys(SEVERITIES, 0.0) | {
            row["severity"]: float(row["alerts"]) for row in alerts
        }

    def _ask_reactions(self, found: Figures) -> None:
        """How far the other worker is. Whether each due handoff is measured costs an evaluation of all of
        them, so it is not asked."""
        endpoint = SqlEndpoint.read(self._project.reactions.endpoint)
        if endpoint is None:
            return
        with answer(endpoint, _REACTIONS, ASK_SECONDS) as rows:
            reached: list[tuple[Any, ...]] = rows.fetchall()
        stored = {(topic, partition): at for topic, partition, at, _ in reached if topic is not None}
        found.reactions_lag = behind(self._meters.progress.seen.extent, stored)
        found.unsent = int(reached[0][-1])


@contextmanager
def _noting(found: Figures) -> Iterator[None]:
    try:
        yield
    except BatonError as error:
        found.problems.append(error.what)


def _state(files: WorkerFiles) -> WorkerState:
    """By the file that it writes when it is ready: whoever started it, `baton up` or an init system."""
    try:
        ready = read_json(files.ready)
    except BatonError:  # not completely written yet
        ready = None
    pid = int(ready.get("pid", 0)) if ready else 0
    if files.name == "numbers":
        pid = os.getpid()
    held = resident_bytes(pid) if pid else 0
    death = LastDeath.read(files)
    return WorkerState(held > 0, held, death.deaths if death else 0)
