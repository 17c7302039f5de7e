"""The tables and views of a warehouse, made from the contract, the projections and the playbook.

Schemas: `log` holds every readable record as it came, duplicates too; `facts` shows each event once;
`partial` holds partial states, appended; `state` shows them merged; `funnel` is what analysts see;
`playbook` and `warehouse` hold what the name says. Everything here can be applied again at any time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache

import polars as pl

from projections import money, periods
from projections.projection import Projection, states, views
from schemas.catalogue import CATALOGUE, EventType
from schemas.codec import column_type
from warehouse import playbook_tables
from warehouse.agreement import DECIDING

LAYOUT_VERSION = 3
POSITION_COLUMNS = ("kafka_partition", "kafka_offset")
_WORD = re.compile(r"\w+")
SUBJECTS = ("lead_id", "account_id", "handoff_id", "opportunity_id")
SCHEMAS = ("log", "facts", "partial", "state", "playbook", "warehouse", "funnel")

_TABLES = (
    """
    create table if not exists warehouse.next_offset (
        topic varchar not null, kafka_partition integer not null,
        next_offset bigint not null, records bigint not null)
    """,
    """
    create table if not exists warehouse.failed_event (
        topic varchar not null, kafka_partition integer not null, kafka_offset bigint not null,
        kafka_at timestamptz, stage varchar not null, reason varchar not null, event_type varchar,
        key blob, value blob)
    """,
    """
    create table if not exists warehouse.outbox (
        message_id varchar not null, topic varchar not null, key blob, value blob,
        headers json not null, is_sent boolean not null)
    """,
    f"comment on table warehouse.next_offset is '{LAYOUT_VERSION}'",
    "create table if not exists warehouse.laid_out (fingerprint varchar not null)",
    "create table if not exists warehouse.topic (topic varchar not null, topic_id varchar not null)",
    # One row. Null means the wall clock; a pinned instant makes every number repeatable.
    "create table if not exists warehouse.pinned_as_of (as_of timestamptz)",
    """
    create or replace view warehouse.as_of as
        select coalesce((select max(as_of) from warehouse.pinned_as_of), now()) as as_of
    """,
)


def statements() -> Iterator[str]:
    """All DDL of a warehouse, in an order that works on an empty file and on a complete one."""
    yield from foundations()
    for event in CATALOGUE.facts:
        yield f"create table if not exists log.{event.table} ({_log_columns(event)})"
        yield from _columns_of_later_versions(event)
        yield f"create or replace view facts.{event.table} as {distinct_facts(event, f'log.{event.table}')}"
    yield f"create or replace view facts.event as {all_events()}"
    for state in states():
        empty = f"{_of_records(state, 'log.{}'.format)} limit 0"
        yield f"create table if not exists partial.{state.name} as {empty}"
        yield f"create or replace view state.{state.name} as {state.merged(f'partial.{state.name}')}"
    for view in views():
        yield f"create or replace view funnel.{view.name} as {view.evaluated(live_as_of())}"


def comments() -> Iterator[str]:
    """DDL that tells whoever browses the database what each view and column says."""
    for view in views():
        yield from _comments(view)


@cache
def fingerprint() -> str:
    """The same as long as all DDL is: what is laid out so need not be laid out again."""
    everything = "\n".join([*statements(), *comments()])
    return hashlib.sha256(everything.encode()).hexdigest()


@dataclass(frozen=True)
class Extract:
    """A part of the views, and everything they need. `everything()` is all of it."""

    views: tuple[Projection, ...]
    facts: tuple[EventType, ...]
    states: tuple[Projection, ...]
    has_all_events: bool
    # Every word of the views: a column that none of them names is read by none. None: all columns.
    words: frozenset[str] | None = None

    @classmethod
    def everything(cls) -> Extract:
        """All views over all facts."""
        return cls(views(), CATALOGUE.facts, states(), True)

    @classmethod
    def of(cls, names: Collection[str]) -> Extract:
        """These views, and whatever they read."""
        known = {view.name: view for view in views()}
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                read = known[name].reads
                waiting += [r.removeprefix("funnel.") for r in read if r.startswith("funnel.")]
        chosen = tuple(view for view in views() if view.name in found)
        tables = {name for view in chosen for name in view.reads} | {f"facts.{table}" for table in DECIDING}
        facts = tuple(event for event in CATALOGUE.facts if f"facts.{event.table}" in tables)
        merged = tuple(state for state in states() if f"state.{state.name}" in tables)
        words = frozenset(_WORD.findall(" ".join(view.select for view in chosen)))
        return cls(chosen, facts, merged, "facts.event" in tables, words)

    def columns(self, event: EventType) -> list[str]:
        """Those of an event's columns that somebody reads."""
        names = [field["name"] for field in event.fields]
        if self.words is None or self.has_all_events or event.table in DECIDING:
            return names
        return [name for name in names if name == "event_id" or name in self.words]


@dataclass(frozen=True)
class Making:
    """A table or view of a database, and what must have been made before. Names begin with the database."""

    name: str
    needs: tuple[str, ...]
    ddl: str


def common_ground(database: str, recorded: Callable[[EventType], str], extract: Extract) -> Iterator[Making]:
    """What every playbook has in common, to be computed once: facts, states, and views that read no playbook.

    `recorded`: SQL of the records of an event type. It needs the foundations, and the as-of pinned: that is
    worked into the tables. What others need comes first.
    """

    def made(name: str, select: str, reads: tuple[str, ...] = ()) -> Making:
        return Making(f"{database}.{name}", _named(database, reads), f"create table {name} as {select}")

    log = {event.table: f"({recorded(event)})" for event in CATALOGUE.facts}
    yield from (made(f"state.{s.name}", _of_records(s, log.__getitem__)) for s in extract.states)
    facts = {
        f"facts.{e.table}": _distinct_facts_of_many(e, log[e.table], extract.columns(e))
        for e in extract.facts
    }
    for view in _shared(extract):
        yield from (made(name, facts.pop(name)) for name in view.reads if name in facts)
        yield made(f"funnel.{view.name}", view.evaluated(live_as_of()), view.reads)
    yield from (made(name, select) for name, select in facts.items())


def on_common_ground(
    database: str, ground: str, extract: Extract, kept: Collection[str] = ()
) -> Iterator[Making]:
    """A warehouse whose facts, states and shared views are those of another database, see common_ground().

    It needs the foundations, and the as-of pinned. `kept`: views to compute once, as soon as they can be.
    """

    def viewed(name: str) -> Making:
        theirs = f"{ground}.{name}"
        return Making(f"{database}.{name}", (theirs,), f"create view {name} as select * from {theirs}")

    facts = tuple(f"facts.{event.table}" for event in extract.facts)
    yield from (viewed(name) for name in facts)
    yield from (viewed(f"state.{state.name}") for state in extract.states)
    if extract.has_all_events:
        every = f"create view facts.event as {all_events()}"
        yield Making(f"{database}.facts.event", _named(database, facts), every)
    shared = _shared(extract)
    yield from (viewed(f"funnel.{view.name}") for view in shared)
    for view in extract.views:
        if view not in shared:
            kind = "table" if view.name in kept else "view"
            ddl = f"create {kind} funnel.{view.name} as {view.evaluated(live_as_of())}"
            yield Making(f"{database}.funnel.{view.name}", _named(database, view.reads), ddl)


def _named(database: str, reads: Collection[str]) -> tuple[str, ...]:
    """Names of what is read. The playbook is made as a whole."""
    return tuple({f"{database}.{'playbook' if r.startswith('playbook.') else r}": None for r in reads})


def without_playbook() -> tuple[Projection, ...]:
    """Views that say the same under any playbook: neither they nor what they read reads one."""
    found: list[Projection] = []
    for view in views():
        above = {name for name in view.reads if name.startswith(("funnel.", "playbook."))}
        if above <= {f"funnel.{other.name}" for other in found}:
            found.append(view)
    return tuple(found)


def _shared(extract: Extract) -> tuple[Projection, ...]:
    """Of the views that say the same under any playbook, those that others read."""
    read = {name for view in extract.views for name in view.reads}
    same = {view.name for view in without_playbook()}
    return tuple(view for view in extract.views if view.name in same and f"funnel.{view.name}" in read)


def foundations() -> Iterator[str]:
    """DDL of schemas, functions, and the tables that hold neither facts nor states."""
    for schema in SCHEMAS:
        yield f"create schema if not exists {schema}"
    yield from money.SQL_FUNCTIONS
    yield from periods.SQL_FUNCTIONS
    yield from _TABLES
    yield from playbook_tables.statements()


def live_as_of() -> str:
    """SQL for the instant at which live views read open clocks."""
    return "(select as_of from warehouse.as_of)"


@cache
def sql_type(column: pl.DataType) -> str:
    """DuckDB's type for a column type of the contract."""
    if isinstance(column, pl.Decimal):
        return f"decimal({column.precision},{column.scale})"
    if isinstance(column, pl.Datetime):
        return "timestamptz"
    if isinstance(column, pl.List):
        return "struct(name varchar, value varchar)[]"
    named = {
        "String": "varchar",
        "Boolean": "boolean",
        "Int32": "integer",
        "Int64": "bigint",
        "Float64": "double",
        "Date": "date",
    }
    return named[str(column)]


def _log_columns(event: EventType) -> str:
    columns = [f"{field['name']} {sql_type(column_type(field['type']))}" for field in event.fields]
    return ", ".join([*columns, "kafka_partition integer", "kafka_offset bigint"])


def _columns_of_later_versions(event: EventType) -> Iterator[str]:
    """DDL for a file whose tables were made before an event had its newest version. What was recorded by
    then says of a new field what its default says, as old bytes do."""
    first = {field["name"] for field in event.versions[0].fields}
    for field in event.fields:
        if field["name"] not in first:
            kind = sql_type(column_type(field["type"]))
            default = "null" if field["default"] is None else repr(field["default"])
            yield (
                f"alter table log.{event.table} add column if not exists {field['name']} {kind}"
                f" default {default}"
            )


def _of_records(state: Projection, log: Callable[[str], str]) -> str:
    """SQL: a state as all records make it. `log`: SQL of the records of a fact table."""
    return state.merged(f"({state.lifted(log)})")


def distinct_facts(event: EventType, log: str) -> str:
    """SQL: each event once, of the records in `log`. Of records that share an id and differ, the one that
    sorts first stands, so that the order of arrival never decides."""
    others = ", ".join(field["name"] for field in event.fields if field["name"] != "event_id")
    return (
        f"select event_id, {others} from {log}"
        f" qualify row_number() over (partition by event_id order by recorded_at, {others}) = 1"
    )


def _distinct_facts_of_many(event: EventType, log: str, columns: Collection[str]) -> str:
    """The same rows, with these columns. Only ids that stand twice are sorted: half the time."""
    others = ", ".join(field["name"] for field in event.fields if field["name"] != "event_id")
    kept = ", ".join(columns)
    return f"""
        with copied as materialized (select event_id from {log} group by event_id having count(*) > 1)
        select {kept} from {log} anti join copied using (event_id)
        union all
        select {kept} from {log} semi join copied using (event_id)
        qualify row_number() over (partition by event_id order by recorded_at, {others}) = 1
    """


def all_events() -> str:
    """SQL: the envelope and subjects of every event, each once."""
    branches = []
    for event in CATALOGUE.facts:
        present = {field["name"] for field in event.fields}
        subjects = ", ".join(s if s in present else f"null::varchar as {s}" for s in SUBJECTS)
        branches.append(
            f"select '{event.name}' as event_type, event_id, occurred_at, recorded_at, source, {subjects}"
            f" from facts.{event.table}"
        )
    return " union all ".join(branches)


def _comments(view: Projection) -> Iterator[str]:
    yield f"comment on view funnel.{view.name} is {_quoted(f'{view.says} ({view.grain})')}"
    for column in view.columns:
        yield f"comment on column funnel.{view.name}.{column.name} is {_quoted(column.says)}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
