"""Case: what a batch costs when the log behind it is many times longer."""

from __future__ import annotations

import shutil
import statistics
import time
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl

from projections.playbook import DEFAULT_PLAYBOOK, read_playbook
from schemas.catalogue import CATALOGUE
from schemas.codec import ROW, decode
from streams.bench.apart import measure_apart
from streams.bench.case import Bench, Case, Figure, alternating, median_and_spread
from streams.bench.load import encoded_events, leads_for
from warehouse.commit import Batch, Committer
from warehouse.compaction import Compaction
from warehouse.warehouse import Warehouse

MOST_RATIO = 1.3
KINDS_OF_BATCH = 3
WARM_UP_SHARE = 0.05

METHOD = (
    "One warehouse is filled with one batch and another with many, copies of simulated events under new "
    "ids, so that leads and deals multiply too; each round then opens a fresh copy of one of them, warms "
    "up with a small batch, and times the commit of one batch more. To the longer log's median comes its "
    "folding: the seconds spent on it while the log doubled to its full length, shared among those batches."
)


def measure(bench: Bench) -> Case:
    """The cost of a batch on the long log, against the short one."""
    scale = bench.scale
    folder = bench.new_folder("long-log")
    try:
        found = measure_apart(
            "long_log:measure_commits",
            folder=str(folder),
            batch=scale.batch,
            times=scale.times_longer,
            rounds=2 * scale.rounds,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    short, _ = median_and_spread([seconds * 1000 for seconds in found["short"]])
    long, spread = median_and_spread([seconds * 1000 for seconds in found["long"]])
    folded = long + found["folding_seconds_a_batch"] * 1000
    what = f"batch of {scale.batch:,} on a log {scale.times_longer} times longer"
    against = "the short log"
    ratio = folded / short
    target = f"<= {MOST_RATIO:g}"
    figures = (
        Figure(
            f"{what}, folding shared out", folded, "ms", against, short, ratio, target, ratio <= MOST_RATIO
        ),
        Figure(f"{what}, the commit alone", long, "ms", against, short, long / short, spread=spread),
    )
    mean = found["all_seconds_a_batch"] * 1000
    note = (
        f"while the long log doubled to its full length a batch took {mean:,.0f} ms on average,"
        " checkpoints and folding included"
    )
    return Case("long-log", METHOD, figures, (note,))


def measure_commits(folder: str, batch: int, times: int, rounds: int) -> dict[str, Any]:
    """Fill both warehouses, then time single commits on copies of them, alternating. Times in seconds."""
    batches = _Batches(batch)
    place = Path(folder)
    _fill(place / "short.duckdb", batches, 1)
    filling = _fill(place / "long.duckdb", batches, times)
    later = filling[len(filling) // 2 :]
    found: dict[str, Any] = {
        "short": [],
        "long": [],
        "folding_seconds_a_batch": statistics.mean(folding for _, folding in later),
        "all_seconds_a_batch": statistics.mean(commit + folding for commit, folding in later),
    }
    for name in alternating(("short", "long"), rounds):
        copy = place / "copy.duckdb"
        shutil.copyfile(place / f"{name}.duckdb", copy)
        with Warehouse.open(copy, read_playbook(DEFAULT_PLAYBOOK)) as warehouse:
            committer = Committer(warehouse.connection)
            committer.commit(batches.next(WARM_UP_SHARE))
            one_more = batches.next()
            started = time.perf_counter()
            committer.commit(one_more)
            found[name].append(time.perf_counter() - started)
        copy.unlink()
    return found


def _fill(file: Path, batches: _Batches, times: int) -> list[tuple[float, float]]:
    """Commit this many batches as the sink does; (seconds of the commit, seconds of folding) for each."""
    spent = []
    with Warehouse.open(file, read_playbook(DEFAULT_PLAYBOOK)) as warehouse:
        committer, folding = Committer(warehouse.connection), Compaction(warehouse.connection)
        for _ in range(times):
            batch = batches.next()
            started = time.perf_counter()
            committer.commit(batch)
            committed = time.perf_counter()
            folding.compact_outgrown()
            spent.append((committed - started, time.perf_counter() - committed))
    return spent


class _Batches:
    """An endless supply of batches of one size: simulated ones in turn, each time under new ids."""

    def __init__(self, size: int) -> None:
        values = [event.value for event in encoded_events(leads_for(KINDS_OF_BATCH * size))]
        self._decoded = [
            decode(values[start : start + size], CATALOGUE).frames
            for start in range(0, len(values) - size + 1, size)
        ]
        self._size = size
        self._number = count()

    def next(self, share: float = 1.0) -> Batch:
        """The next batch, or the first share of it."""
        number = next(self._number)
        records = max(1, int(self._size * share))
        facts = {}
        for name, frame in self._decoded[number % len(self._decoded)].items():
            ids = pl.col([column for column in frame.columns if column.endswith("_id")])
            offsets = (pl.col(ROW) + number * self._size).alias("kafka_offset")
            renamed = frame.filter(pl.col(ROW) < records).with_columns(
                ids + f"~{number}", pl.lit(0, pl.Int32).alias("kafka_partition"), offsets
            )
            if renamed.height:
                facts[name] = renamed.drop(ROW)
        reached = (number * self._size + records, records)
        return Batch(facts, offsets={("bench", 0): reached})
