"""Case: recorded events looked at again under two playbooks, as `baton whatif` does it."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from projections.playbook import DEFAULT_PLAYBOOK, parse_playbook, read_playbook
from streams.bench.apart import measure_apart
from streams.bench.case import Bench, Case, Figure, median_and_spread, rates
from streams.bench.ingestion import sink_arguments
from streams.demo import stricter
from streams.whatif import VIEWS, compare
from warehouse.authority import Authority
from warehouse.recorded_log import RecordedLog

LEAST_RATE = 500_000

METHOD = (
    "A warehouse file that holds the whole load is read by another process, a new one each round as each "
    "`baton whatif` is one, and everything that it shows is computed under the packaged playbook and under a "
    "stricter one. An event counts once for each playbook that judges it. The time runs from attaching the "
    "file to the finished comparison."
)


def measure(bench: Bench) -> Case:
    """Events a second, counted once for each of the two playbooks."""
    folder = bench.new_folder("whatif")
    try:
        loading = sink_arguments(bench.load, bench.load.ends)
        measure_apart(
            "ingestion:measure_sink", **loading, keeps="states", folder=str(folder), batch=bench.scale.batch
        )
        rounds = [
            measure_apart("whatif:measure_whatif", folder=str(folder)) for _ in range(bench.scale.rounds)
        ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    value, spread = median_and_spread(rates(rounds))
    what = "what-if, each event under two playbooks"
    target = f">= {LEAST_RATE:,}"
    figure = Figure(what, value, "events/s", target=target, is_met=value >= LEAST_RATE, spread=spread)
    seconds, _ = median_and_spread([found["seconds"] for found in rounds])
    records, changes = rounds[0]["records"], rounds[0]["changes"]
    note = f"{records:,} records took {seconds:.2f} s; {changes:,} leads were judged otherwise"
    return Case("whatif", METHOD, (figure,), (note,))


def measure_whatif(folder: str) -> dict[str, Any]:
    """Time one comparison over the warehouse in a folder."""
    in_force = Authority(read_playbook(DEFAULT_PLAYBOOK))
    proposed = parse_playbook(stricter(DEFAULT_PLAYBOOK.read_text(encoding="utf-8")))
    started = time.perf_counter()
    with RecordedLog.of_file(Path(folder) / "baton.duckdb", VIEWS) as records:
        found = compare(records, in_force, proposed, datetime.now(UTC))
    seconds = time.perf_counter() - started
    judged = 2 * found.events
    return {"records": found.events, "changes": len(found.changes), "events": judged, "seconds": seconds}
