"""Runs all readers of the whole load in turns, so that four cases compare the same rounds."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.case import Bench, alternating, rate
from benchmarks.faust_peer import run_faust
from benchmarks.own_process import Measured, in_own_process
from benchmarks.sink_run import run_sink
from streams.cli.output import say

READERS_OF_CASE = {
    "ingestion": ("warehouse", "nothing", "warehouse, small", "nothing, small"),
    "clickhouse": ("warehouse", "clickhouse"),
    "faust": ("warehouse", "faust, counts", "faust, stores"),
    "memory": ("warehouse", "warehouse, quarter"),
}


def read_side_by_side(bench: Bench, cases: Sequence[str]) -> None:
    """Fill the rounds of every reader that these cases need."""
    readers = list(dict.fromkeys(reader for case in cases for reader in READERS_OF_CASE.get(case, ())))
    if importlib.util.find_spec("chdb") is None and "clickhouse" in readers:
        readers.remove("clickhouse")
    for reader in alternating(readers, bench.scale.rounds):
        with bench.new_folder() as folder:
            measured = _read(bench, reader, folder)
        bench.rounds.setdefault(reader, []).append(measured)
        say(f"{reader}: {rate(measured):,.0f} events/s")


def _read(bench: Bench, reader: str, folder: str) -> Measured:
    scale, bootstrap = bench.scale, bench.load.bootstrap
    store, _, how = reader.partition(", ")
    if store == "faust":
        events = min(scale.faust_events, bench.load.events)
        return in_own_process(run_faust, bootstrap=bootstrap, events=events, does=how, folder=folder)
    batch = scale.small_batch if how == "small" else scale.batch
    share = 0.25 if how == "quarter" else 1.0
    return in_own_process(run_sink, bootstrap=bootstrap, store=store, batch=batch, folder=folder, share=share)


@contextmanager
def loaded_warehouse(bench: Bench) -> Iterator[str]:
    """A folder with a warehouse file that holds the whole load."""
    with bench.new_folder() as folder:
        _read(bench, "warehouse", folder)
        yield folder
