"""Case: recorded events evaluated under two playbooks, as `baton whatif` does it."""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.case import Bench, Case, Figure, Target, rate
from benchmarks.own_process import Measured, in_own_process
from benchmarks.reading import loaded_warehouse
from benchmarks.sink_run import WAREHOUSE
from projections.playbook import DEFAULT_PLAYBOOK, parse_playbook, read_playbook
from streams.demo import stricter
from streams.queries.whatif import VIEWS, compare
from warehouse.recorded_log import RecordedLog

METHOD = (
    "A warehouse file that holds the whole load is read by another process, a new one each round as each "
    "`baton whatif` is one, and everything that it shows is computed under the packaged playbook and under a "
    "stricter one. An event counts once for each playbook that judges it. The time runs from attaching the "
    "file to the finished comparison."
)


def measure(bench: Bench) -> Case:
    """Events a second, counted once for each of the two playbooks."""
    with loaded_warehouse(bench) as folder:
        rounds = [in_own_process(compare_playbooks, folder=folder) for _ in range(bench.scale.rounds)]
    rates = [2 * rate(measured) for measured in rounds]
    what = "what-if, each event under two playbooks"
    seconds = statistics.median(measured["seconds"] for measured in rounds)
    events, changes = rounds[0]["events"], rounds[0]["changes"]
    note = f"{events:,} records took {seconds:.2f} s; {changes:,} leads were judged otherwise"
    return Case("whatif", METHOD, (Figure(what, "events/s", rates, target=Target(">=", 500_000)),), (note,))


def compare_playbooks(folder: str) -> Measured:
    """Time one comparison over the warehouse in a folder."""
    in_force = read_playbook(DEFAULT_PLAYBOOK)
    proposed = parse_playbook(stricter(DEFAULT_PLAYBOOK.read_text(encoding="utf-8")))
    started = time.perf_counter()
    with RecordedLog.of_file(Path(folder) / WAREHOUSE, VIEWS) as records:
        found = compare(records, in_force, proposed, datetime.now(UTC))
    seconds = time.perf_counter() - started
    return {"events": found.events, "changes": len(found.changes), "seconds": seconds}
