"""Case: how long after it was due at the publisher an event can be found by a query, at a steady rate.

Processes run as users run them: a publisher, both workers, and a reader at the SQL endpoint of numbers.
Meanwhile deadlines pass: that time runs from the due moment until the measurement is read from Kafka. The
reader polls the endpoint for the offsets that the facts and the read models have reached. They change in
the same transaction as the rows, so the first answer with an offset beyond the event's is one in which the
event would have been found: among the facts, or counted by the views. The time of an event runs from the
moment it was due to be sent (so a publisher that falls behind makes it longer, never shorter) to the
arrival of that answer. The figure is late by up to one polling interval, which is reported as the
resolution. At the end all rows are counted, to show that offsets did not run ahead of facts.
"""

from __future__ import annotations

import bisect
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from benchmarks.case import Bench, Case, Figure, Scale, Target
from benchmarks.due_moments import offer, watched
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
    "when the first answer had arrived in which it was among the facts, or counted by the views; it is late "
    "by up to one round of asking, never early. Meanwhile deadlines of unanswered handoffs pass, one after "
    "the other: their time runs from the due moment until their measurement was read from Kafka. Then half "
    "as many events come, with as many unreadable records between them."
)

# Where an event can be found: among the facts, and in what the views read.
FACTS, VIEWS = STORES = ("next_offset", "offset_read")

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
            with watched(project) as arrivals:
                due = offer(project, scale.due_moments, scale.latency_seconds)
                sent = _publish_while(scale, project, reader)
                reader.wait_for(_ends_of(sent))
            flooded = _publish_while(scale, project, reader, unreadable=1)
            reader.wait_for(_ends_of(flooded))
            stored = reader.stored() - before - len(due)
        finally:
            stop_workers(project)
    published = sent.height + flooded.height
    if stored != published:
        raise BatonError(
            "The latency cannot be computed",
            where="benchmarks.latency",
            why=f"{published:,} events were published, {stored:,} rows were stored on top of {before:,}",
            next_command="make bench ONLY=latency",
        )
    late = arrivals.seconds_after(due)
    if len(late) != len(due):
        raise reader.stuck(f"{len(due) - len(late)} of {len(due)} due moments were not measured")
    return _judge(sent, flooded, reader, scale.rate, late)


def _judge(
    sent: pl.DataFrame, flooded: pl.DataFrame, reader: _Reader, wanted_rate: int, due_late: list[float]
) -> Case:
    span = float(sent["acked_at"].max()) - float(sent["due_at"].min())  # type: ignore[arg-type]
    rate = f"at {wanted_rate:,} events/s"
    figures = (
        *_quantiles(f"publish to queryable {rate}", reader.waited(sent, FACTS), 0.5),
        *_quantiles(f"publish to counted by the views {rate}", reader.waited(sent, VIEWS), 0.5),
        *_quantiles("due moment to its measurement in Kafka", due_late, 1.0),
        *_quantiles(
            "publish to queryable, every second record unreadable", reader.waited(flooded, FACTS), 1.0
        ),
    )
    late = sent.select((pl.col("acked_at") - pl.col("due_at")).quantile(0.99)).item()
    notes = (
        f"{sent.height:,} events were acknowledged in {span:.1f} s ({sent.height / span:,.0f} a second),"
        f" 99% of them within {late:.3f} s of being due",
        f"the endpoint was asked {len(reader.answers):,} times, a round took {reader.round_seconds:.3f} s"
        " in the median",
    )
    return Case("latency", METHOD, figures, notes)


def _quantiles(what: str, seconds: list[float], most_at_p99: float) -> Iterator[Figure]:
    seconds = sorted(seconds)
    for share in (0.50, 0.95, 0.99):
        value = seconds[min(len(seconds) - 1, int(len(seconds) * share))]
        target = Target("<=", most_at_p99) if share == 0.99 else None
        yield Figure(f"{what}, p{share * 100:.0f}", "s", [value], target=target)
    yield Figure(f"{what}, most", "s", [seconds[-1]])


def _publish_while(scale: Scale, project: Project, reader: _Reader, unreadable: int = 0) -> pl.DataFrame:
    """Run the publisher and poll meanwhile; the events it sent, with due_at and acked_at (monotonic
    seconds). unreadable: records after each event; together they come at the scale's rate."""
    file = project.cwd / "sent.parquet"
    rate = scale.rate // (1 + unreadable)
    arguments = [rate, rate * scale.latency_seconds, file, unreadable]
    publisher = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.steady_publisher", project.bootstrap(), *map(str, arguments)],
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
        self.answers: list[tuple[float, dict[str, Reached]]] = []

    def ask(self) -> None:
        """Ask for the offsets of both, of one transaction."""
        parts = [f"select '{s}', topic, kafka_partition, next_offset from warehouse.{s}" for s in STORES]
        rows = self._select(" union all ".join(parts))
        now = time.monotonic()
        reached: dict[str, Reached] = {store: {} for store in STORES}
        for store, topic, partition, offset in rows:
            reached[store][(topic, partition)] = offset
        self.answers.append((now, reached))

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
                raise self.stuck(f"it did not catch up within {CATCH_UP_SECONDS:.0f} s")
            reached = self.answers[-1][1] if self.answers else dict.fromkeys(STORES, {})
            return all(reached[store].get(place, 0) >= end for store in STORES for place, end in ends.items())

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

    def waited(self, sent: pl.DataFrame, store: str) -> list[float]:
        """Seconds from due to found there, for each event sent."""
        by_place: dict[tuple[str, int], tuple[list[int], list[float]]] = {}
        for answered_at, reached in self.answers:
            for place, offset in reached[store].items():
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
            raise self.stuck(str(error).splitlines()[0]) from error

    def stuck(self, why: str) -> BatonError:
        """An error with the last lines of the worker's log."""
        log = self._project.reactions.log
        last = "\n".join(log.read_text().splitlines()[-8:]) if log.exists() else ""
        return BatonError(
            "The worker of the latency case does not keep up",
            where=str(log),
            why=f"{why}; the worker's last lines:\n{last}",
            next_command="make bench ONLY=latency",
        )
