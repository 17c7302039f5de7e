"""Case: how long after it was due at the publisher an event can be found by a query, at a steady rate.

Processes run as users run them: a publisher, both workers, and a reader at the SQL endpoint of numbers.
The reader polls the endpoint for the offsets the warehouse has reached. They change in the same transaction
as the rows, so the first answer with an offset beyond the event's is one in which the event would have been
found. The time of an event runs from the moment it was due to be sent (so a publisher that falls behind makes
it longer, never shorter) to the arrival of that answer. The figure is late by up to one polling interval,
which is reported as the resolution. At the end all rows are counted, to show that offsets did not run ahead
of facts.
"""

from __future__ import annotations

import bisect
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from benchmarks.case import Bench, Case, Figure, Scale, Target
from schemas.catalogue import CATALOGUE
from schemas.errors import BatonError
from streams.local.worker_process import start_workers, stop_workers
from streams.project import Project
from streams.queries.wait import wait_until_reacted
from warehouse.sql_endpoint import SqlEndpoint, load_extensions

ASK_EVERY_SECONDS = 0.01
CATCH_UP_SECONDS = 600.0
ALERTS_TOPIC = "funnel.alerts"

METHOD = (
    "A publisher process sends events encoded ahead at a steady rate (acks=all), both workers, which have "
    "caught up with the load (and measured its handoffs), read them, and a reader queries the "
    "SQL endpoint over one open connection. The time of an event runs from when it was due to be sent to "
    "when the first answer had arrived that was given after the event's transaction; it is late by up to one "
    "round of asking, never early."
)

Reached = dict[tuple[str, int], int]


def measure(bench: Bench) -> Case:
    """Latency at the scale's rate."""
    scale = bench.scale
    with bench.new_folder() as folder:
        home = Path(folder)
        project = Project(home=home / ".baton", cwd=home, kafka=bench.load.bootstrap)
        try:
            start_workers(project)
            reader = _Reader(project)
            reader.wait_for(bench.load.ends)
            # First let the handoffs of the load be measured and processed: that is not part of the latency.
            wait_until_reacted(project, CATCH_UP_SECONDS)
            before = reader.stored()
            sent = _publish_while(scale, project, reader)
            reader.wait_for(_ends_of(sent))
            stored = reader.stored() - before
        finally:
            stop_workers(project)
    if stored != sent.height:
        raise BatonError(
            "The latency cannot be computed",
            where="benchmarks.latency",
            why=f"{sent.height:,} events were published, {stored:,} rows were stored on top of {before:,}",
            next_command="make bench ONLY=latency",
        )
    return _judge(sent, reader, scale.rate)


def _judge(sent: pl.DataFrame, reader: _Reader, wanted_rate: int) -> Case:
    waited = reader.waited(sent)
    waited.sort()
    p50, p95, p99 = (waited[min(len(waited) - 1, int(len(waited) * q))] for q in (0.50, 0.95, 0.99))
    span = float(sent["acked_at"].max()) - float(sent["due_at"].min())  # type: ignore[arg-type]
    what = f"publish to queryable at {wanted_rate:,} events/s"
    figures = (
        Figure(f"{what}, p50", "s", [p50]),
        Figure(f"{what}, p95", "s", [p95]),
        Figure(f"{what}, p99", "s", [p99], target=Target("<=", 0.5)),
        Figure(f"{what}, most", "s", [waited[-1]]),
    )
    late = sent.select((pl.col("acked_at") - pl.col("due_at")).quantile(0.99)).item()
    notes = (
        f"{sent.height:,} events were acknowledged in {span:.1f} s ({sent.height / span:,.0f} a second),"
        f" 99% of them within {late:.3f} s of being due",
        f"the endpoint was asked {len(reader.answers):,} times, a round took {reader.round_seconds:.3f} s"
        " in the median",
    )
    return Case("latency", METHOD, figures, notes)


def _publish_while(scale: Scale, project: Project, reader: _Reader) -> pl.DataFrame:
    """Run the publisher and poll meanwhile; what it sent, with due_at and acked_at (monotonic seconds)."""
    file = project.cwd / "sent.parquet"
    arguments = [project.bootstrap(), str(scale.rate), str(scale.rate * scale.latency_seconds), str(file)]
    publisher = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.steady_publisher", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with publisher:
        assert publisher.stdin and publisher.stdout
        publisher.stdout.readline()  # it has its events ready
        publisher.stdin.write("go\n")
        publisher.stdin.flush()
        reader.ask_until(lambda: publisher.poll() is not None)
    if publisher.returncode != 0:
        raise BatonError(
            "The publisher of the latency case failed",
            where="benchmarks.steady_publisher",
            why=f"exit code {publisher.returncode}",
            next_command="make bench ONLY=latency",
        )
    return pl.read_parquet(file)


def _ends_of(sent: pl.DataFrame) -> Reached:
    ends = sent.group_by("topic", "partition").agg(pl.col("offset").max() + 1)
    return {(topic, partition): end for topic, partition, end in ends.iter_rows()}


class _Reader:
    """Polls the endpoint for the warehouse's offsets, and keeps every answer with its arrival time."""

    def __init__(self, project: Project) -> None:
        self._project = project
        endpoint = SqlEndpoint.read(project.numbers.endpoint)
        assert endpoint is not None, "a ready worker has opened its endpoint"
        self._endpoint = endpoint
        self._connection = duckdb.connect()
        load_extensions(self._connection)
        self.answers: list[tuple[float, Reached]] = []

    def ask(self) -> Reached:
        """The warehouse's current offsets."""
        rows = self._select("select topic, kafka_partition, next_offset from warehouse.next_offset")
        reached = {(topic, partition): offset for topic, partition, offset in rows}
        self.answers.append((time.monotonic(), reached))
        return reached

    def ask_until(self, is_over: Callable[[], bool]) -> None:
        """Poll, with a short pause after each answer."""
        while not is_over():
            self.ask()
            time.sleep(ASK_EVERY_SECONDS)

    def wait_for(self, ends: Reached) -> None:
        """Poll until every partition has reached its end."""
        deadline = time.monotonic() + CATCH_UP_SECONDS

        def has_reached() -> bool:
            if time.monotonic() > deadline:
                raise self._stuck(f"it did not catch up within {CATCH_UP_SECONDS:.0f} s")
            reached = self.answers[-1][1] if self.answers else {}
            return all(reached.get(place, 0) >= end for place, end in ends.items())

        self.ask_until(has_reached)

    def stored(self) -> int:
        """Rows of the events that are published here, copies included; alerts are the worker's own."""
        tables = [event.table for event in CATALOGUE.facts if event.topic != ALERTS_TOPIC]
        counts = " union all ".join(f"select count(*) as n from log.{table}" for table in tables)
        return int(self._select(f"select sum(n)::bigint from ({counts})")[0][0])

    @property
    def round_seconds(self) -> float:
        """The median time from one answer to the next."""
        at = [answered_at for answered_at, _ in self.answers]
        return statistics.median(b - a for a, b in zip(at, at[1:], strict=False))

    def waited(self, sent: pl.DataFrame) -> list[float]:
        """Seconds from due to found, for each event sent."""
        by_place: dict[tuple[str, int], tuple[list[int], list[float]]] = {}
        for answered_at, reached in self.answers:
            for place, offset in reached.items():
                offsets, times = by_place.setdefault(place, ([], []))
                if not offsets or offset > offsets[-1]:
                    offsets.append(offset)
                    times.append(answered_at)
        columns = sent.select("topic", "partition", "offset", "due_at").iter_rows()
        waited = []
        for topic, partition, offset, due_at in columns:
            offsets, times = by_place[(topic, partition)]
            waited.append(times[bisect.bisect_right(offsets, offset)] - due_at)
        return waited

    def _select(self, statement: str) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(
                "select * from quack_query(?, ?, token = ?)",
                [self._endpoint.address, statement, self._endpoint.token],
            ).fetchall()
        except duckdb.Error as error:
            raise self._stuck(str(error).splitlines()[0]) from error

    def _stuck(self, why: str) -> BatonError:
        log = self._project.reactions.log
        last = "\n".join(log.read_text().splitlines()[-8:]) if log.exists() else ""
        return BatonError(
            "The worker of the latency case does not keep up",
            where=str(log),
            why=f"{why}; the worker's last lines:\n{last}",
            next_command="make bench ONLY=latency",
        )
