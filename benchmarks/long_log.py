"""Case: what a batch costs when the log behind it is many times longer."""

from __future__ import annotations

import shutil
import statistics
import time
from itertools import count
from pathlib import Path

import polars as pl

from benchmarks.case import Bench, Case, Figure, Target, alternating
from benchmarks.load import encoded_events
from benchmarks.own_process import Measured, in_own_process
from projections.playbook import DEFAULT_PLAYBOOK, read_playbook
from schemas.catalogue import CATALOGUE
from schemas.codec import ROW, decode
from warehouse.commit import Batch
from warehouse.warehouse import Warehouse

KINDS_OF_BATCH = 3
WARM_UP_SHARE = 0.05

METHOD = (
    "One warehouse is filled with one batch and another with many, copies of simulated events under new "
    "ids, so that leads and deals multiply too; each round then opens a fresh copy of one of them, warms "
    "up with a small batch, and times the commit of one batch more."
)


def measure(bench: Bench) -> Case:
    """The cost of a batch on the long log, against the short one."""
    scale = bench.scale
    with bench.new_folder() as folder:
        found = in_own_process(
            time_commits, folder=folder, batch=scale.batch, times=scale.times_longer, rounds=2 * scale.rounds
        )
    short, long = ([seconds * 1000 for seconds in found[name]] for name in ("short", "long"))
    what = f"batch of {scale.batch:,} on a log {scale.times_longer} times longer"
    against = "the short log"
    figures = (Figure(what, "ms", long, against, short, Target("<=", 1.3)),)
    mean = found["mean_seconds"] * 1000
    note = (
        f"while the long log doubled to its full length a batch took {mean:,.0f} ms on average,"
        " checkpoints included"
    )
    return Case("long-log", METHOD, figures, (note,))


def time_commits(folder: str, batch: int, times: int, rounds: int) -> Measured:
    """Fill both warehouses, then time single commits on copies of them, alternating. Times in seconds."""
    batches = Batches(batch)
    place = Path(folder)
    fill(place / "short.duckdb", batches, 1)
    filling = fill(place / "long.duckdb", batches, times)
    found: Measured = {
        "short": [],
        "long": [],
        "mean_seconds": statistics.mean(filling[len(filling) // 2 :]),
    }
    for name in alternating(("short", "long"), rounds):
        copy = place / "copy.duckdb"
        shutil.copyfile(place / f"{name}.duckdb", copy)
        with Warehouse.open(copy, read_playbook(DEFAULT_PLAYBOOK)) as warehouse:
            committer = warehouse.committer()
            committer.commit(batches.next(WARM_UP_SHARE))
            one_more = batches.next()
            started = time.perf_counter()
            committer.commit(one_more)
            found[name].append(time.perf_counter() - started)
        copy.unlink()
    return found


def fill(file: Path, batches: Batches, times: int) -> list[float]:
    """Commit this many batches as the sink does; the seconds of each."""
    spent = []
    with Warehouse.open(file, read_playbook(DEFAULT_PLAYBOOK)) as warehouse:
        committer = warehouse.committer()
        for _ in range(times):
            batch = batches.next()
            started = time.perf_counter()
            committer.commit(batch)
            spent.append(time.perf_counter() - started)
    return spent


class Batches:
    """An endless supply of batches of one size: simulated ones in turn, each time under new ids."""

    def __init__(self, size: int) -> None:
        values = [event.value for event in encoded_events(KINDS_OF_BATCH * size)]
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
