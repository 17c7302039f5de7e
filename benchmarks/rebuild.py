"""Case: all read models computed again from the stored facts."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.case import Bench, Case, Figure
from benchmarks.own_process import Measured, in_own_process
from benchmarks.reading import loaded_warehouse
from benchmarks.sink_run import WAREHOUSE
from projections.playbook import DEFAULT_PLAYBOOK, read_playbook
from warehouse.warehouse import Warehouse

METHOD = (
    "A warehouse that holds the whole load is opened, and all read models are computed from its facts, as "
    "`baton rebuild` does it, several times in one process. The rate counts every fact stored; reading the "
    "log again from Kafka is not in it."
)


def measure(bench: Bench) -> Case:
    """Facts a second of a rebuild."""
    with loaded_warehouse(bench) as folder:
        found = in_own_process(rebuild_read_models, folder=folder, rounds=bench.scale.rounds)
    rates = [found["facts"] / seconds for seconds in found["seconds"]]
    note = f"{found['facts']:,} facts gave {found['rows']:,} rows"
    return Case("rebuild", METHOD, (Figure("rebuild of all read models", "events/s", rates),), (note,))


def rebuild_read_models(folder: str, rounds: int) -> Measured:
    """Time rebuilds of the warehouse in a folder."""
    with Warehouse.open(Path(folder) / WAREHOUSE, read_playbook(DEFAULT_PLAYBOOK)) as warehouse:
        _, [[facts]] = warehouse.ask(
            "select (sum(records) - (select count(*) from warehouse.failed_event))::bigint"
            " from warehouse.next_offset"
        )
        rows, seconds = 0, []
        for _ in range(rounds):
            started = time.perf_counter()
            rows = warehouse.refresh(is_rebuild=True).rows
            seconds.append(time.perf_counter() - started)
    return {"facts": facts, "rows": rows, "seconds": seconds}
