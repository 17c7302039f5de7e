"""Case: how long the questions of both departments take, on a log and on one many times longer."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.case import Bench, Case, Figure, Target
from benchmarks.long_log import Batches, fill
from benchmarks.own_process import Measured, in_own_process
from projections.playbook import DEFAULT_PLAYBOOK, read_playbook
from warehouse.warehouse import Warehouse

METHOD = (
    "Two warehouses are filled with batches of simulated events under new ids each, the second with ten "
    "times as many, and their read models are built. Then each question is asked again and again, alone, its "
    "rows fetched; the figure is the 95th percentile, planning included."
)
QUESTIONS = {
    "pairs of teams with percentiles": "from funnel.handoff_pair",
    "states of all handoffs": "from funnel.black_hole",
    "the funnel by window": "from funnel.funnel_stage",
    "one lead's life": "from funnel.lead_journey where lead_id = '{lead}'",
}
MOST_MS = {"one lead's life": 50.0}
TIMES = 10


def measure(bench: Bench) -> Case:
    """p95 of each question on the long log, against the short one."""
    scale = bench.scale
    batches = max(1, scale.answer_events // scale.batch // TIMES)
    found = {}
    with bench.new_folder() as folder:
        for name, times in (("short", batches), ("long", batches * TIMES)):
            found[name] = in_own_process(
                ask,
                file=str(Path(folder) / f"{name}.duckdb"),
                batch=scale.batch,
                times=times,
                asked=scale.times_asked,
            )
    short, long = found["short"], found["long"]
    what = f"on {long['events']:,} events"
    against = f"on {short['events']:,}"
    figures = tuple(
        Figure(
            f"{question}, {what}, p95",
            "ms",
            [long["p95"][question]],
            target=Target("<=", MOST_MS.get(question, 250.0)),
        )
        for question in QUESTIONS
    )
    medians = ", ".join(f"{q} {short['p50'][q]:.0f} and {long['p50'][q]:.0f}" for q in QUESTIONS)
    notes = (
        f"medians in ms {against} and {what}: {medians}",
        f"building all read models took {short['build_seconds']:.1f} and {long['build_seconds']:.1f} s, the"
        f" process at most {long['peak_rss_bytes'] / 1e9:.2f} GB",
    )
    return Case("reading", METHOD, figures, notes)


def ask(file: str, batch: int, times: int, asked: int) -> Measured:
    """Fill a warehouse with so many batches, build its read models and ask every question. Milliseconds."""
    fill(Path(file), Batches(batch), times)
    found: Measured = {"p50": {}, "p95": {}}
    with Warehouse.open(Path(file), read_playbook(DEFAULT_PLAYBOOK)) as warehouse:
        started = time.perf_counter()
        warehouse.refresh()
        found["build_seconds"] = time.perf_counter() - started
        found["events"] = times * batch
        _, [[lead]] = warehouse.ask("select max(lead_id) from funnel.lead")
        for question, statement in QUESTIONS.items():
            spent = sorted(_seconds(warehouse, statement.format(lead=lead)) for _ in range(asked))
            found["p50"][question] = 1000 * spent[asked // 2]
            found["p95"][question] = 1000 * spent[int(asked * 0.95)]
    return found


def _seconds(warehouse: Warehouse, statement: str) -> float:
    started = time.perf_counter()
    warehouse.ask(statement)
    return time.perf_counter() - started
