"""Case: all states computed again from the stored facts."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from projections.playbook import DEFAULT_PLAYBOOK, read_playbook
from streams.bench.apart import measure_apart
from streams.bench.case import Bench, Case, Figure, median_and_spread, rate
from streams.bench.ingestion import sink_arguments
from warehouse.compaction import rebuild
from warehouse.warehouse import Warehouse

LEAST_RATE = 500_000

METHOD = (
    "A warehouse that holds the whole load is opened, and all states are computed from its facts and "
    "swapped in, as `baton rebuild` does it, several times in one process. The rate counts every fact "
    "stored, whether a state reads it or not; reading the log again from Kafka is not in it."
)


def measure(bench: Bench) -> Case:
    """Facts a second of a rebuild."""
    folder = bench.new_folder("rebuild")
    try:
        loading = sink_arguments(bench.load, bench.load.ends)
        measure_apart(
            "ingestion:measure_sink", **loading, keeps="states", folder=str(folder), batch=bench.scale.batch
        )
        found = measure_apart("rebuild:measure_rebuild", folder=str(folder), rounds=bench.scale.rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    value, spread = median_and_spread([rate(r) for r in found["rounds"]])
    target = f">= {LEAST_RATE:,}"
    figure = Figure(
        "rebuild of all states", value, "events/s", target=target, is_met=value >= LEAST_RATE, spread=spread
    )
    states = ", ".join(f"{rows:,} of {state}" for state, rows in found["states"].items())
    return Case(
        "rebuild", METHOD, (figure,), (f"{found['facts']:,} facts gave rows: {states}",), found["states"]
    )


def measure_rebuild(folder: str, rounds: int) -> dict[str, Any]:
    """Time rebuilds of the warehouse in a folder."""
    with Warehouse.open(Path(folder) / "baton.duckdb", read_playbook(DEFAULT_PLAYBOOK)) as warehouse:
        _, rows = warehouse.ask(
            "select sum(records) - (select count(*) from warehouse.failed_event) from warehouse.next_offset"
        )
        facts, timed, states = int(rows[0][0]), [], {}
        for _ in range(rounds):
            started = time.perf_counter()
            states = rebuild(warehouse.connection)
            timed.append({"events": facts, "seconds": time.perf_counter() - started})
    return {"facts": facts, "states": states, "rounds": timed}
