"""Case: events a second from Kafka into the warehouse, against reading and decoding them alone."""

from __future__ import annotations

import statistics

from benchmarks.case import Bench, Case, Figure

METHOD = (
    "The real sink, in a process of its own, reads the whole load from Kafka into a new warehouse file,"
    " and once more into nothing: fetching, decoding and batches as before, and no store. The time"
    " runs from connecting to the last commit; kinds take turns, and the median of the rounds counts."
)


def measure(bench: Bench) -> Case:
    """Events a second into the warehouse, against none stored."""
    scale, rates, rounds = bench.scale, bench.rates, bench.rounds["warehouse"]
    mean = sum(r["events"] for r in rounds) / sum(r["batches"] for r in rounds)
    by_cpu = statistics.median(r["events"] / r["cpu_seconds"] for r in rounds)
    figures = tuple(
        Figure(
            f"ingestion, up to {size:,} a batch",
            "events/s",
            rates(f"warehouse{how}"),
            "decoded, not stored",
            rates(f"nothing{how}"),
        )
        for size, how in ((scale.batch, ""), (scale.small_batch, ", small"))
    )
    note = f"batches held {mean:,.0f} events on average; {by_cpu:,.0f} events per CPU second of the sink"
    return Case("ingestion", METHOD, figures, (note,))
