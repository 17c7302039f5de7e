"""Metrics of the worker of numbers in the form that Prometheus reads, and what it sees of the other worker.

METRICS is the list of them: docs/reference/metrics.md, the board and the alert rules are checked against it.
Nothing in them is data of people: counts, instants, sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from streams.web.figures import Figures, FiguresOf, WorkerState
from streams.worker.meters import BOUNDS_SECONDS, Durations, Meters

GAUGE, COUNTER, HISTOGRAM = "gauge", "counter", "histogram"
# Labels, and the value of those labels; a histogram has Durations for a value.
Value = tuple[Sequence[str], float | Durations]


@dataclass(frozen=True)
class _Now:
    """What all metrics of one scrape are read from."""

    meters: Meters
    figures: Figures
    started_at: float


@dataclass(frozen=True)
class Metric:
    """One metric. A counter's samples end in _total, those of a histogram in _bucket, _sum and _count."""

    name: str
    kind: str
    says: str
    labels: tuple[str, ...]
    read: Callable[[_Now], Iterable[Value]]

    @property
    def samples(self) -> tuple[str, ...]:
        """The names that a query may use."""
        endings = {COUNTER: ("_total",), HISTOGRAM: ("_bucket", "_sum", "_count")}
        return tuple(f"{self.name}{ending}" for ending in endings.get(self.kind, ("",)))

    def family(self, now: _Now) -> Family:
        """Its samples at this moment."""
        if self.kind == HISTOGRAM:
            histogram = HistogramMetricFamily(self.name, self.says, labels=self.labels)
            for labels, durations in self.read(now):
                assert isinstance(durations, Durations)
                histogram.add_metric(labels, _buckets(durations), durations.seconds)
            return histogram
        make = CounterMetricFamily if self.kind == COUNTER else GaugeMetricFamily
        family = make(self.name, self.says, labels=self.labels)
        for labels, value in self.read(now):
            assert not isinstance(value, Durations)
            family.add_metric(labels, value)
        return family


def _buckets(durations: Durations) -> list[tuple[str, float]]:
    bounds = [*(f"{bound:g}" for bound in BOUNDS_SECONDS), "+Inf"]
    return [(bound, float(count)) for bound, count in zip(bounds, accumulate(durations.below), strict=True)]


def _one(value: float | Durations | None) -> Iterator[Value]:
    """A metric without labels; nothing while it is not known, or has not happened yet."""
    if value is not None:
        yield (), value


def _by_label(values: Mapping[str, float | Durations] | None) -> Iterator[Value]:
    for label, value in sorted((values or {}).items()):
        yield (label,), value


def _by_worker(read: Callable[[WorkerState], float]) -> Callable[[_Now], Iterator[Value]]:
    return lambda now: _by_label({name: read(state) for name, state in now.figures.workers.items()})


METRICS = (
    Metric(
        "baton_lag_records",
        GAUGE,
        "Offsets of the topic between what the numbers have stored and the end of the log, when Kafka last"
        " answered. What an open transaction holds back does not count.",
        ("topic",),
        lambda now: _by_label(now.meters.progress.seen.lag()),
    ),
    Metric(
        "baton_kafka_seen_timestamp_seconds",
        GAUGE,
        "When Kafka last said where its log ends; it is asked every 3 seconds.",
        (),
        lambda now: _one(now.meters.progress.seen.at or None),
    ),
    Metric(
        "baton_last_event_timestamp_seconds",
        GAUGE,
        "Freshness: when the last event of the topic was recorded. Missing for a topic without events.",
        ("topic",),
        lambda now: _by_label(now.figures.recorded_at),
    ),
    Metric(
        "baton_failed_events",
        GAUGE,
        "Records that could not become facts and are not dismissed: baton failed ls.",
        (),
        lambda now: _one(now.figures.failed),
    ),
    Metric(
        "baton_records_committed",
        COUNTER,
        "Records stored since this worker started.",
        (),
        lambda now: _one(now.meters.progress.records),
    ),
    Metric(
        "baton_commit_duration_seconds",
        HISTOGRAM,
        "Time of each commit: one batch of records with its offsets.",
        (),
        lambda now: _one(now.meters.progress.commits),
    ),
    Metric(
        "baton_last_commit_timestamp_seconds",
        GAUGE,
        "When the last batch was committed. Missing until the first.",
        (),
        lambda now: _one(now.meters.progress.committed_at or None),
    ),
    Metric(
        "baton_refresh_duration_seconds",
        HISTOGRAM,
        "Time of each refresh of the read models.",
        (),
        lambda now: _one(now.meters.refreshes),
    ),
    Metric(
        "baton_refreshed_timestamp_seconds",
        GAUGE,
        "When the read models were last brought up to the log. Missing until the first time.",
        (),
        lambda now: _one(now.figures.refreshed_at),
    ),
    Metric(
        "baton_unread_records",
        GAUGE,
        "Records that are stored and not in the read models yet.",
        (),
        lambda now: _one(now.figures.unread),
    ),
    Metric(
        "baton_statement_duration_seconds",
        HISTOGRAM,
        "Time of each SQL statement asked of the worker, by how it ended: answered, refused, failed, late"
        " (time limit), large (memory), too_large (rows), damaged, gone (the client).",
        ("outcome",),
        lambda now: _by_label(now.meters.statements.by_outcome),
    ),
    Metric(
        "baton_open_alerts",
        GAUGE,
        "Alerts of the playbook's rules that are open and nobody has acknowledged: baton alerts ls.",
        ("severity",),
        lambda now: _by_label(now.figures.open_alerts),
    ),
    Metric(
        "baton_worker_up",
        GAUGE,
        "1 while the process of a worker of this project runs and has reported that it is ready, else 0.",
        ("worker",),
        _by_worker(lambda state: state.is_up),
    ),
    Metric(
        "baton_worker_resident_bytes",
        GAUGE,
        "Memory that the process of a worker holds; 0 while it does not run.",
        ("worker",),
        _by_worker(lambda state: state.resident_bytes),
    ),
    Metric(
        "baton_worker_deaths",
        COUNTER,
        "How often a worker died since baton up, which starts it again; systemd counts by itself.",
        ("worker",),
        _by_worker(lambda state: state.deaths),
    ),
    Metric(
        "baton_worker_started_timestamp_seconds",
        GAUGE,
        "When this worker of numbers started; it changes with each restart, whoever restarts it.",
        (),
        lambda now: _one(now.started_at),
    ),
    Metric(
        "baton_reactions_lag_records",
        GAUGE,
        "The same as baton_lag_records for the worker of reactions. Missing while it does not answer.",
        ("topic",),
        lambda now: _by_label(now.figures.reactions_lag),
    ),
    Metric(
        "baton_unsent_messages",
        GAUGE,
        "Measurements and dead letters that wait in the outbox of the worker of reactions. Missing likewise.",
        (),
        lambda now: _one(now.figures.unsent),
    ),
    Metric(
        "baton_figures_unavailable",
        GAUGE,
        "How many questions behind these metrics had no answer the last time; their metrics are missing.",
        (),
        lambda now: _one(len(now.figures.problems)),
    ),
)


class _WorkerMetrics(Collector):
    def __init__(self, meters: Meters, figures: FiguresOf, started_at: float) -> None:
        self._meters, self._figures, self._started_at = meters, figures, started_at

    def collect(self) -> Iterator[Family]:
        """All metrics, of one moment as far as they are asked for in SQL."""
        now = _Now(self._meters, self._figures.now(), self._started_at)
        return (metric.family(now) for metric in METRICS)

    def describe(self) -> Iterable[Any]:
        """Nothing: without it the registry would collect once to learn the names."""
        return ()


def registry_of(meters: Meters, figures: FiguresOf, started_at: float) -> CollectorRegistry:
    """A registry with the metrics of this worker and nothing else."""
    registry = CollectorRegistry()
    registry.register(_WorkerMetrics(meters, figures, started_at))
    return registry
