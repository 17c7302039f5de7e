"""A whole run: broker, load, the chosen cases in order, the report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks import (
    alerts,
    answers,
    clickhouse_peer,
    faust_peer,
    imports,
    ingestion,
    latency,
    long_log,
    memory,
    rebuild,
    views,
    whatif,
)
from benchmarks.case import Bench, Case, Scale
from benchmarks.load import broker, make_load
from benchmarks.reading import read_side_by_side
from benchmarks.report import Report
from streams.cli.output import say

# The order matters: latency appends to the load, so it comes after everything that reads it.
CASES: Mapping[str, Callable[[Bench], Case]] = {
    "ingestion": ingestion.measure,
    "clickhouse": clickhouse_peer.measure,
    "faust": faust_peer.measure,
    "memory": memory.measure,
    "rebuild": rebuild.measure,
    "whatif": whatif.measure,
    "views": views.measure,
    "reading": answers.measure,
    "import": imports.measure,
    "long-log": long_log.measure,
    "latency": latency.measure,
    "alerts": alerts.measure,
}


def run(scale: Scale, only: Sequence[str] = ()) -> Report:
    """Measure all cases, or only these.

    Everything is created in a temporary folder, which is removed at the end, even after an error.
    """
    names = [name for name in CASES if not only or name in only]
    with tempfile.TemporaryDirectory(prefix="baton-benchmarks-") as place, broker(Path(place)) as project:
        load = make_load(project, scale.events)
        say(f"The load: {load.events:,} events of {len(load.by_type)} types")
        bench = Bench(scale, load, Path(place))
        read_side_by_side(bench, names)
        cases = []
        for name in names:
            say(f"Measuring {name} ...")
            cases.append(CASES[name](bench))
        return Report.of(scale, load, cases)
