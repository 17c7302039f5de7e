"""Case: the memory of the sink while it catches up, on a log and on one four times as long."""

from __future__ import annotations

from benchmarks.case import Bench, Case, Figure, Target

MEBIBYTE = 1 << 20

METHOD = (
    "The peak resident memory of the whole sink process (Python, decoding, DuckDB) while it catches up "
    "on the load, against the same on the first quarter of every partition. DuckDB may keep pages up to"
    " its memory limit, so a longer log may take more up to there; what must not happen is growth in "
    "proportion."
)


def measure(bench: Bench) -> Case:
    """Peak memory on the load, against a quarter of it."""
    whole, quarter = (
        [measured["peak_rss_bytes"] / MEBIBYTE for measured in bench.rounds[reader]]
        for reader in ("warehouse", "warehouse, quarter")
    )
    what, against = "peak memory of the sink", "a log a quarter as long"
    return Case("memory", METHOD, (Figure(what, "MiB", whole, against, quarter, Target("<=", 2)),))
