"""Case: events a second from Kafka into the warehouse, with all states against facts alone.

Its rounds also serve the two peers and the memory case: everything that reads the whole load takes
turns in one loop.
"""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import time
from pathlib import Path
from typing import Any

from projections.playbook import DEFAULT_PLAYBOOK, read_playbook
from streams.bench.apart import cpu_seconds, measure_apart
from streams.bench.case import Bench, Case, alternating, compare, median_and_spread, rate, rates
from streams.bench.load import Load
from streams.worker.sink import Sink
from warehouse.commit import Batch, Committer
from warehouse.warehouse import Warehouse

SMALL_BATCH = 5_000
LEAST_RATIO = 0.45

METHOD = (
    "The real sink, in a process of its own, reads the whole load from Kafka into a new warehouse file,"
    " once with all states and folding at their defaults and once with facts and offsets only. The time"
    " runs from connecting to the last commit; kinds take turns, and the median of the rounds counts."
)


def measure(bench: Bench) -> Case:
    """Events a second with all states, against append-only."""
    found = {kind: rates(rounds) for kind, rounds in bench.ingested.items()}
    states = bench.ingested["states"]
    mean = sum(r["events"] for r in states) / sum(r["batches"] for r in states)
    by_cpu, _ = median_and_spread([r["events"] / r["cpu_seconds"] for r in states])
    return Case(
        "ingestion",
        METHOD,
        (
            compare(
                f"ingestion, up to {bench.scale.batch:,} a batch",
                "events/s",
                found["states"],
                "facts only",
                found["facts"],
                f">= {LEAST_RATIO}",
                lambda ratio: ratio >= LEAST_RATIO,
            ),
            compare(
                f"ingestion, up to {small(bench):,} a batch",
                "events/s",
                found["states, small"],
                "facts only",
                found["facts, small"],
            ),
        ),
        (f"batches held {mean:,.0f} events on average; {by_cpu:,.0f} events per CPU second of the sink",),
    )


def small(bench: Bench) -> int:
    """The smaller batch, which is measured for information."""
    return min(SMALL_BATCH, bench.scale.batch // 4)


def read_side_by_side(bench: Bench) -> dict[str, list[dict[str, Any]]]:
    """All kinds of reading that the chosen cases need, alternating; rounds by kind."""
    kinds = ["states"]
    if "ingestion" in bench.cases:
        kinds += ["facts", "states, small", "facts, small"]
    if "clickhouse" in bench.cases and importlib.util.find_spec("chdb"):
        kinds += ["clickhouse"]
    if "faust" in bench.cases:
        kinds += ["faust, counts", "faust, stores"]
    if "memory" in bench.cases:
        kinds += ["states, quarter"]
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
    for kind in alternating(kinds, bench.scale.rounds):
        result = _read(bench, kind)
        found[kind].append(result)
        bench.tell(f"{kind}: {rate(result):,.0f} events/s")
    return found


def _read(bench: Bench, kind: str) -> dict[str, Any]:
    """One round of one kind, in a folder that is gone afterwards."""
    keeps, _, how = kind.partition(", ")
    folder = bench.new_folder("round")
    try:
        if keeps == "faust":
            return measure_apart(
                "faust_peer:measure_faust",
                bootstrap=bench.load.bootstrap,
                events=min(bench.scale.peer_events, bench.load.events),
                does=how,
                folder=str(folder),
            )
        until = bench.load.first(0.25) if how == "quarter" else bench.load.ends
        return measure_apart(
            "ingestion:measure_sink",
            **sink_arguments(bench.load, until),
            keeps=keeps,
            folder=str(folder),
            batch=small(bench) if how == "small" else bench.scale.batch,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sink_arguments(load: Load, until: dict[tuple[str, int], int]) -> dict[str, Any]:
    """What measure_sink must know of a load, as JSON can hold it."""
    return {
        "bootstrap": load.bootstrap,
        "extent": [[*place, *span] for place, span in load.extent.items()],
        "until": [[*place, offset] for place, offset in until.items()],
    }


def measure_sink(
    bootstrap: str,
    extent: list[list[Any]],
    until: list[list[Any]],
    keeps: str,
    folder: str,
    batch: int,
) -> dict[str, Any]:
    """One round: a fresh store, the real sink, the whole load. seconds run from first connect to last commit.

    keeps: 'states' (facts, states, offsets), 'facts' (facts and offsets), or 'clickhouse' (the same sink
    handing its batches to the peer).
    """
    kafka = {"bootstrap_servers": bootstrap, "security_protocol": "PLAINTEXT"}
    reach = {(topic, partition): (begin, end) for topic, partition, begin, end in extent}
    goal = {(topic, partition): offset for topic, partition, offset in until}
    file = Path(folder) / "baton.duckdb"
    playbook = read_playbook(DEFAULT_PLAYBOOK)
    with Warehouse.open(None if keeps == "clickhouse" else file, playbook) as warehouse:
        committer = _committer(keeps, warehouse, Path(folder))
        sink = Sink(warehouse, kafka, reach, committer=committer, max_batch_records=batch)
        started, cpu_before = time.perf_counter(), cpu_seconds()
        progress = asyncio.run(sink.run(asyncio.Event(), until=goal))
        seconds, cpu = time.perf_counter() - started, cpu_seconds() - cpu_before
        stored = committer.stored() if isinstance(committer, _Peer) else None
    return {
        "events": progress.records,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "batches": progress.batches,
        "stored": stored,
    }


def _committer(keeps: str, warehouse: Warehouse, folder: Path) -> Committer | None:
    if keeps == "states":
        return None
    if keeps == "facts":
        return Committer(warehouse.connection.cursor(), projections=[])
    from streams.bench.clickhouse_peer import ClickHouse  # only here: it is not among Baton's dependencies

    return _Peer(warehouse, ClickHouse(folder / "clickhouse"))


class _Peer(Committer):
    """Takes the sink's batches to another store, which has no transaction to keep offsets in."""

    def __init__(self, warehouse: Warehouse, store: Any) -> None:
        super().__init__(warehouse.connection.cursor(), projections=[])
        self.store = store

    def commit(self, batch: Batch) -> None:
        self.store.insert(batch.facts)

    def stored(self) -> dict[str, int]:
        rows: dict[str, int] = self.store.rows()
        return rows
