"""The tables and views of a warehouse, made from the contract, the projections and the playbook.

Schemas: `log` holds every readable record as it came, duplicates too; `facts` shows each event once;
`resolved` shows what had happened by as-of, merged records as one; `stored` holds the views that are kept as
tables (read_models.py); `funnel` is what analysts see;
`playbook` and `warehouse` hold what the name says. Everything here can be applied again at any time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache

import polars as pl

from projections import deals, dimensions, money, periods
from projections.projection import Projection, views
from projections.relations import relations, selected, stored_views
from projections.resolved_facts import all_events
from projections.sql_literal import sql_literal
from schemas.avro_types import column_type
from schemas.catalogue import CATALOGUE, EventType
from warehouse import obligation_measurement, playbook_tables, record_identity

LAYOUT_VERSION = 4
SCHEMAS = ("log", "facts", "resolved", "stored", "playbook", "warehouse", "funnel")
# What files of earlier versions may still have. Nothing in it is needed: it was computed from the log.
FORMER_SCHEMAS = ("state", "partial")

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
    obligation_measurement.DDL,
    obligation_measurement.PASS_DDL,
    # Read models: the component of each record, how far the log is in them, and as of when they stand.
    "create table if not exists warehouse.component (record varchar not null, component varchar not null)",
    "create table if not exists warehouse.rows_read (event varchar not null, rows_read bigint not null)",
    """
    create table if not exists warehouse.offset_read (
        topic varchar not null, kafka_partition integer not null,
        next_offset bigint not null, records bigint not null)
    """,
    """
    create table if not exists warehouse.read_model (
        as_of timestamptz not null, playbooks varchar not null, refreshed_at timestamptz not null)
    """,
    # True of a dead letter that Kafka takes in no form: too large for the limits of its topic.
    "alter table warehouse.outbox add column if not exists is_refused boolean default false",
    f"comment on table warehouse.next_offset is '{LAYOUT_VERSION}'",
    "create table if not exists warehouse.laid_out (fingerprint varchar not null)",
    "create table if not exists warehouse.topic (topic varchar not null, topic_id varchar not null)",
    # A record of each partition that was read: whether Kafka still holds the log of our offsets.
    """
    create table if not exists warehouse.mark (
        topic varchar not null, kafka_partition integer not null, kafka_offset bigint not null,
        written_ms bigint not null, content varchar not null)
    """,
    # Events of these types may be missing: Kafka lost some of their topic before they were read again.
    """
    create table if not exists warehouse.log_loss (event_type varchar not null, lost_at timestamptz not null)
    """,
    # One row. Null means the wall clock; a pinned instant makes every number repeatable.
    "create table if not exists warehouse.pinned_as_of (as_of timestamptz)",
    """
    create or replace view warehouse.as_of as
        select coalesce((select max(as_of) from warehouse.pinned_as_of), now()) as as_of
    """,
)


def statements() -> Iterator[str]:
    """All DDL of a warehouse, in an order that works on an empty file and on a complete one."""
    for schema in FORMER_SCHEMAS:
        yield f"drop schema if exists {schema} cascade"
    yield from foundations()
    for event in CATALOGUE.facts:
        yield f"create table if not exists log.{event.table} ({_log_columns(event)})"
        yield from _columns_of_later_versions(event)
        yield f"create or replace view facts.{event.table} as {distinct_facts(event, f'log.{event.table}')}"
    yield f"create or replace view facts.event as {all_events('facts')}"
    yield record_identity.DDL
    for name, view in relations().items():
        select = view.evaluated(live_as_of())
        select = selected(view.reads, live_as_of(), f"from ({select})", instead=stored_tables())
        if view.stored:
            # Emptied, and filled by the next refresh: the rows of another layout may mean something else.
            yield f"create or replace table stored.{view.name} as {select} limit 0"
            select = f"from stored.{view.name}"
        yield f"create or replace view {name} as {select}"
    for table in ("component", "rows_read", "offset_read", "read_model"):
        yield f"truncate warehouse.{table}"


def comments() -> Iterator[str]:
    """DDL of the comments on views and columns, for whoever browses the database."""
    for view in views():
        yield from _comments(view)


@cache
def fingerprint() -> str:
    """The same as long as all DDL is: what is laid out so need not be laid out again."""
    everything = "\n".join([*statements(), *comments()])
    return hashlib.sha256(everything.encode()).hexdigest()


def foundations() -> Iterator[str]:
    """DDL of schemas, functions, and the tables that hold no facts."""
    for schema in SCHEMAS:
        yield f"create schema if not exists {schema}"
    yield from money.SQL_FUNCTIONS
    yield from periods.SQL_FUNCTIONS
    yield from deals.SQL_FUNCTIONS
    yield from dimensions.SQL_FUNCTIONS
    yield from _TABLES
    yield from playbook_tables.statements()


@cache
def stored_tables() -> dict[str, str]:
    """Of each view that is kept as a table: its name -> the table."""
    return {view.relation: f"stored.{view.name}" for view in stored_views()}


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


def distinct_facts(event: EventType, log: str) -> str:
    """SQL: each event once, of the records in `log`."""
    columns = ", ".join(field["name"] for field in event.fields)
    return f"select {columns} from {log} {first_copy(event)}"


def first_copy(event: EventType) -> str:
    """SQL clause: of records that share an id and differ, the one that sorts first stands, so that the order
    of arrival never decides."""
    others = ", ".join(field["name"] for field in event.fields if field["name"] != "event_id")
    return f"qualify row_number() over (partition by event_id order by recorded_at, {others}) = 1"


def _comments(view: Projection) -> Iterator[str]:
    yield f"comment on view funnel.{view.name} is {sql_literal(f'{view.says} ({view.grain})')}"
    for column in view.columns:
        yield f"comment on column funnel.{view.name}.{column.name} is {sql_literal(column.says)}"
