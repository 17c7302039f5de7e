"""Case: the memory of the sink while it catches up, on a log and on one four times as long."""

from __future__ import annotations

from streams.bench.case import Bench, Case, Figure, median_and_spread

MOST_RATIO = 2.0
MEBIBYTE = 1 << 20

METHOD = (
    "The peak resident memory of the whole sink process (Python, decoding, DuckDB) while it catches up "
    "on the load, against the same on the first quarter of every partition. DuckDB may keep pages up to"
    " its memory limit, so a longer log may take more up to there; what must not happen is growth in "
    "proportion."
)


def measure(bench: Bench) -> Case:
    """Peak memory on the load, against a quarter of it."""
    found = bench.ingested
    whole, spread = median_and_spread([r["peak_rss_bytes"] / MEBIBYTE for r in found["states"]])
    quarter, _ = median_and_spread([r["peak_rss_bytes"] / MEBIBYTE for r in found["states, quarter"]])
    ratio = whole / quarter
    figure = Figure(
        "peak memory of the sink",
        whole,
        "MiB",
        "a log a quarter as long",
        quarter,
        ratio,
        f"<= {MOST_RATIO:g}",
        ratio <= MOST_RATIO,
        spread,
    )
    return Case("memory", METHOD, (figure,))
