"""A whole run: broker, load, the chosen cases in order, the report."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from streams.bench.case import Bench, Case, Scale
from streams.bench.load import Advance, broker, encoded_events, leads_for, produce
from streams.bench.report import Report

# The order matters: latency writes behind the load, so it comes after everything that reads it.
CASES = {
    "ingestion": "ingestion",
    "clickhouse": "clickhouse_peer",
    "faust": "faust_peer",
    "memory": "memory",
    "rebuild": "rebuild",
    "whatif": "whatif",
    "long-log": "long_log",
    "latency": "latency",
}


def run(
    scale: Scale,
    chosen: Sequence[str],
    command: str,
    tell: Callable[[str], None],
    advance: Callable[[str, int], Advance],
) -> Report:
    """Measure and report. `advance(what, total)` gives a counter for a progress bar.

    Everything is made in a temporary folder that is gone at the end, also after an error.
    """
    names = [name for name in CASES if not chosen or name in chosen]
    with tempfile.TemporaryDirectory(prefix="baton-bench-") as place:
        folder = Path(place)
        with broker(folder, tell) as project:
            tell("Telling stories and writing them to Kafka ...")
            leads = leads_for(scale.events)
            events = list(encoded_events(leads, advance=advance("stories", leads)))
            load = produce(project, events, advance("to Kafka", len(events)))
            del events
            tell(f"The load: {load.events:,} events of {len(load.by_type)} types")
            bench = Bench(scale, folder, load, names, tell)
            cases = [_measure(bench, name) for name in names]
            return Report.of(command, scale, load, cases)


def _measure(bench: Bench, name: str) -> Case:
    bench.tell(f"Measuring {name} ...")
    module = importlib.import_module(f"streams.bench.{CASES[name]}")
    case: Case = module.measure(bench)
    return case
