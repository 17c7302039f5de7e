"""Case: events a second from Kafka into the warehouse, with all states against facts alone."""

from __future__ import annotations

import statistics

from benchmarks.case import Bench, Case, Figure, Target

METHOD = (
    "The real sink, in a process of its own, reads the whole load from Kafka into a new warehouse file,"
    " once with all states and folding at their defaults and once with facts and offsets only. The time"
    " runs from connecting to the last commit; kinds take turns, and the median of the rounds counts."
)


def measure(bench: Bench) -> Case:
    """Events a second with all states, against facts only."""
    scale, rates, rounds = bench.scale, bench.rates, bench.rounds["states"]
    mean = sum(r["events"] for r in rounds) / sum(r["batches"] for r in rounds)
    by_cpu = statistics.median(r["events"] / r["cpu_seconds"] for r in rounds)
    full = Figure(
        f"ingestion, up to {scale.batch:,} a batch",
        "events/s",
        rates("states"),
        "facts only",
        rates("facts"),
        Target(">=", 0.45),
    )
    small = Figure(
        f"ingestion, up to {scale.small_batch:,} a batch",
        "events/s",
        rates("states, small"),
        "facts only",
        rates("facts, small"),
    )
    note = f"batches held {mean:,.0f} events on average; {by_cpu:,.0f} events per CPU second of the sink"
    return Case("ingestion", METHOD, (full, small), (note,))
