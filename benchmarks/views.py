"""Case: every view planned and evaluated, from read models and from all facts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import duckdb

from benchmarks.case import Bench, Case, Figure, alternating
from benchmarks.own_process import Measured, in_own_process
from benchmarks.reading import loaded_warehouse
from benchmarks.sink_run import WAREHOUSE
from projections.playbook import DEFAULT_PLAYBOOK, read_playbook
from projections.projection import Projection, views
from projections.relations import selected
from streams.cli.output import say
from warehouse.layout import live_as_of
from warehouse.warehouse import Warehouse

METHOD = (
    "In a warehouse that holds the whole load, with as-of at its last event and its read models up to date, "
    "every view of the schema funnel is planned (EXPLAIN), and then evaluated into a temporary table, which "
    "plans it again; of sliced views, the regions by week. "
    "Figures are CPU time of the process, all threads, summed over the views. The same is "
    "measured with each view evaluated over all facts, as if there were no read models; kinds take turns."
)
ROUNDS = 3
SLOWEST = 5
READ_MODELS, ALL_FACTS = KINDS = ("read models", "all facts")
STEPS = ("planning", "evaluation")


def measure(bench: Bench) -> Case:
    """CPU milliseconds of all views, and of the slowest ones."""
    with loaded_warehouse(bench) as folder:
        found = in_own_process(evaluate_views, folder=folder, rounds=min(ROUNDS, bench.scale.rounds))
    figures = [
        Figure(
            f"{step} of all views, from {READ_MODELS}",
            "CPU ms",
            _totals(found[READ_MODELS], step),
            f"from {ALL_FACTS}",
            _totals(found[ALL_FACTS], step),
        )
        for step in STEPS
    ]
    slowest = sorted(found[READ_MODELS][-1].items(), key=lambda item: -item[1]["evaluation"])
    lines = [f"{name} {ms['planning']:,.0f} / {ms['evaluation']:,.0f}" for name, ms in slowest]
    say(f"CPU ms of planning / evaluation: {', '.join(lines)}")
    note = (
        f"the slowest of {len(lines)} views, by CPU ms of planning / evaluation: {', '.join(lines[:SLOWEST])}"
    )
    return Case("views", METHOD, tuple(figures), (note,))


def _totals(rounds: Sequence[dict[str, dict[str, float]]], step: str) -> list[float]:
    return [sum(ms[step] for ms in by_view.values()) for by_view in rounds]


def evaluate_views(folder: str, rounds: int) -> Measured:
    """By kind, a dict for each round: view -> step -> CPU milliseconds."""
    found: Measured = {kind: [] for kind in KINDS}
    with Warehouse.open(Path(folder) / WAREHOUSE, read_playbook(DEFAULT_PLAYBOOK)) as warehouse:
        _, [[last]] = warehouse.ask("select max(occurred_at) from facts.event")
        warehouse.pin_as_of(last)
        for kind in alternating(KINDS, rounds):
            found[kind].append(
                {view.name: _timed(warehouse.connection, _select(view, kind)) for view in views()}
            )
    return found


def asked_of(view: Projection) -> str:
    """A SELECT of the whole view; of a sliced one, of the regions by week."""
    return f"from {view.relation}{_where(view)}"


def _where(view: Projection) -> str:
    asked = {"dimension": "region", "window_unit": "week"} if view.is_sliced else {}
    which = [f"{column} = '{value}'" for column, value in asked.items() if column in view.key]
    return f" where {' and '.join(which)}" if which else ""


def _select(view: Projection, kind: str) -> str:
    if kind == READ_MODELS:
        return asked_of(view)
    where = _where(view)
    return selected(view.reads, live_as_of(), f"from ({view.evaluated(live_as_of())}){where}")


def _timed(connection: duckdb.DuckDBPyConnection, select: str) -> dict[str, float]:
    return {
        "planning": _cpu_ms(connection, f"explain {select}"),
        "evaluation": _cpu_ms(connection, f"create or replace temp table evaluated as {select}"),
    }


def _cpu_ms(connection: duckdb.DuckDBPyConnection, statement: str) -> float:
    started = time.process_time()
    connection.execute(statement).fetchall()
    return 1000 * (time.process_time() - started)
