"""Building tables and views for historical snapshots: what to build, and in which order, some at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from graphlib import TopologicalSorter

import duckdb

from projections.relations import dependencies, relations
from projections.resolved_facts import IDENTITY, IDENTITY_SELECT, all_events
from schemas.catalogue import CATALOGUE, EventType
from warehouse import layout
from warehouse.authority import AGREEMENT_FACTS

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class BuildTask:
    """Something to do in a database, and the tasks to be done before; those that are not known are done."""

    name: str
    after: Collection[str]
    database: str
    do: Callable[[duckdb.DuckDBPyConnection], object]


def run(tasks: Sequence[BuildTask], do: Callable[[BuildTask], object], at_a_time: int) -> None:
    """Do them all, each as soon as those before it are done. The first error is raised."""
    by_name = {task.name: task for task in tasks}
    sorter = TopologicalSorter({t.name: by_name.keys() & t.after for t in tasks})
    sorter.prepare()
    running: dict[Future[object], str] = {}
    with ThreadPoolExecutor(at_a_time) as pool:
        while sorter.is_active():
            running.update({pool.submit(do, by_name[name]): name for name in sorter.get_ready()})
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                future.result()
                sorter.done(running.pop(future))


def needed_by(shown: Collection[str] | None) -> frozenset[str]:
    """Everything that these views need, and what decides about the playbook. None: everything there is."""
    if shown is None:
        return dependencies().upstream(dependencies().reads)
    facts = [f"facts.{table}" for table in AGREEMENT_FACTS]
    return dependencies().upstream([*facts, *(f"funnel.{view}" for view in shown)])


def shared_tasks(
    database: str, log: Callable[[EventType], str], needed: Collection[str]
) -> Iterator[BuildTask]:
    """What is the same under any playbook, each to be computed once: facts, views that others read.

    `log`: SQL of the records of an event type. The database needs the foundations, and the as-of pinned:
    that is worked into the tables.
    """
    logs = {event.table: f"({log(event)})" for event in CATALOGUE.facts}
    selects = {}
    columns = _columns_read(needed)
    for event in CATALOGUE.facts:
        selects[f"facts.{event.table}"] = _distinct_facts(event, logs[event.table], columns[event.table])
    selects[IDENTITY] = IDENTITY_SELECT.select
    selects |= {name: view.evaluated(layout.live_as_of()) for name, view in relations().items()}
    for name in _in_order(_shared(needed)):
        reads = _within(database, dependencies().reads[name])
        yield _task(database, name, reads, f"create {_kind(name, needed)} {name} as {selects[name]}")


def snapshot_tasks(database: str, shared: str, needed: Collection[str]) -> Iterator[BuildTask]:
    """A snapshot that reads what is shared from that database. What others read is computed once."""
    same, read = _shared(needed), _read(needed)
    for name in _in_order(needed):
        if name in same:
            theirs = f"{shared}.{name}"
            yield _task(database, name, [theirs], f"create view {name} as select * from {theirs}")
        elif name == "facts.event":
            reads = _within(database, dependencies().reads[name])
            yield _task(database, name, reads, f"create view {name} as {all_events('facts')}")
        elif name in relations():
            select = relations()[name].evaluated(layout.live_as_of())
            reads = _within(database, relations()[name].reads)
            yield _task(database, name, reads, f"create {_kind(name, read)} {name} as {select}")


def _shared(needed: Collection[str]) -> frozenset[str]:
    own = dependencies().downstream(
        {name for name in needed if name.startswith("playbook.") or name == "facts.event"}
    )
    read = _read(needed)
    return (
        frozenset(name for name in needed if name not in own and (name.startswith("facts.") or name in read))
        & dependencies().reads.keys()
    )


def _read(needed: Collection[str]) -> frozenset[str]:
    return frozenset(read for name in needed for read in dependencies().reads.get(name, ()))


def _kind(name: str, kept: Collection[str]) -> str:
    """A resolved fact is a cheap join over a table of facts: kept twice, it would cost more than it saves.
    Of a sliced view, others read one slice."""
    is_cheap = name.startswith("resolved.") or (name in relations() and relations()[name].is_sliced)
    return "table" if name in kept and not is_cheap else "view"


def _in_order(names: Collection[str]) -> list[str]:
    return [name for name in dependencies().topological_order() if name in names]


def _within(database: str, reads: Iterable[str]) -> list[str]:
    """The tasks that make these names in a database. The playbook is stored as a whole."""
    return [f"{database}.{'playbook' if read.startswith('playbook.') else read}" for read in reads]


def _task(database: str, name: str, after: Iterable[str], ddl: str) -> BuildTask:
    return BuildTask(
        f"{database}.{name}", (database, *after), database, lambda connection: connection.execute(ddl)
    )


def _columns_read(needed: Collection[str]) -> dict[str, list[str]]:
    """By fact table, the columns that somebody reads: a column that no view names is read by none."""
    selects = {IDENTITY: IDENTITY_SELECT, **relations()}
    text = " ".join(selects[name].select for name in needed if name in selects)
    words = {"event_id", *_WORD.findall(text)}
    return {
        event.table: [
            field["name"]
            for field in event.fields
            if event.table in AGREEMENT_FACTS or "facts.event" in needed or field["name"] in words
        ]
        for event in CATALOGUE.facts
    }


def _distinct_facts(event: EventType, log: str, columns: Collection[str]) -> str:
    """SQL: the rows of layout.distinct_facts() with these columns. Only copies are sorted: half the time."""
    kept = ", ".join(columns)
    return f"""
        with copied as materialized (select event_id from {log} group by event_id having count(*) > 1)
        select {kept} from {log} anti join copied using (event_id)
        union all
        select {kept} from {log} semi join copied using (event_id)
        {layout.first_copy(event)}
    """
