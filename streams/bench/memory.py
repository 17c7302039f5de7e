"""Case: the memory of the sink while it catches up, on a log and on one four times as long."""

from __future__ import annotations

from streams.bench.case import Bench, Case, compare

MOST_RATIO = 2.0
MEBIBYTE = 1 << 20
KINDS = ("states", "states, quarter")

METHOD = (
    "The peak resident memory of the whole sink process (Python, decoding, DuckDB) while it catches up "
    "on the load, against the same on the first quarter of every partition. DuckDB may keep pages up to"
    " its memory limit, so a longer log may take more up to there; what must not happen is growth in "
    "proportion."
)


def measure(bench: Bench) -> Case:
    """Peak memory on the load, against a quarter of it."""
    found = {kind: [r["peak_rss_bytes"] / MEBIBYTE for r in bench.ingested[kind]] for kind in KINDS}
    figure = compare(
        "peak memory of the sink",
        "MiB",
        found["states"],
        "a log a quarter as long",
        found["states, quarter"],
        f"<= {MOST_RATIO:g}",
        lambda ratio: ratio <= MOST_RATIO,
    )
    return Case("memory", METHOD, (figure,))
