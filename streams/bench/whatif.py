"""Case: recorded events looked at again under two playbooks, as `baton whatif` does it."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from projections.playbook import DEFAULT_PLAYBOOK, parse_playbook, read_playbook
from streams.bench.apart import measure_apart
from streams.bench.case import Bench, Case, Figure, median_and_spread, rate
from streams.bench.ingestion import sink_arguments
from streams.demo import stricter
from streams.whatif import EXTRACT, compare
from warehouse.agreement import Authority
from warehouse.second_look import Records

LEAST_RATE = 500_000

METHOD = (
    "A warehouse file that holds the whole load is read by another process, and everything that "
    "`baton whatif` shows is computed under the packaged playbook and under a stricter one. An event counts "
    "once for each playbook that judges it. The time runs from attaching the file to the finished comparison."
)


def measure(bench: Bench) -> Case:
    """Events a second, counted once for each of the two playbooks."""
    folder = bench.new_folder("whatif")
    try:
        loading = sink_arguments(bench.load, bench.load.ends)
        measure_apart(
            "ingestion:measure_sink", **loading, keeps="states", folder=str(folder), batch=bench.scale.batch
        )
        found = measure_apart("whatif:measure_whatif", folder=str(folder), rounds=bench.scale.rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    value, spread = median_and_spread([rate(r) for r in found["rounds"]])
    what = "what-if, each event under two playbooks"
    target = f">= {LEAST_RATE:,}"
    figure = Figure(what, value, "events/s", target=target, is_met=value >= LEAST_RATE, spread=spread)
    seconds, _ = median_and_spread([r["seconds"] for r in found["rounds"]])
    note = (
        f"{found['records']:,} records took {seconds:.2f} s; {found['changes']:,} leads were judged otherwise"
    )
    return Case("whatif", METHOD, (figure,), (note,))


def measure_whatif(folder: str, rounds: int) -> dict[str, Any]:
    """Time comparisons over the warehouse in a folder."""
    in_force = Authority(read_playbook(DEFAULT_PLAYBOOK))
    proposed = parse_playbook(stricter(DEFAULT_PLAYBOOK.read_text(encoding="utf-8")))
    timed = []
    for _ in range(rounds):
        started = time.perf_counter()
        with Records.of_file(Path(folder) / "baton.duckdb", EXTRACT) as records:
            found = compare(records, in_force, proposed, datetime.now(UTC))
        timed.append({"events": 2 * found.events, "seconds": time.perf_counter() - started})
    return {"records": found.events, "changes": len(found.changes), "rounds": timed}
