"""Read models: tables of what views say about one lead, handoff, deal or company, kept up with the log.

A view whose header says `stored` is such a table. Its rows follow from facts, from merges and from the
playbooks in force, never from the clock, and each of them from the facts of one *component*: the records that
events name together, directly or through others. New records change components; the views are then evaluated
over the facts of these alone, and their rows replaced. The SELECT is the view's own, as everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import duckdb

from projections.projection import Projection
from projections.relations import dependencies, selected, stored_views
from projections.resolved_facts import visible_from
from projections.sql_literal import sql_literal
from schemas.catalogue import CATALOGUE, EventType
from warehouse import layout

# Columns by which an event names a record, and what kind of record it is.
LINKS = {
    "opportunity_id": "opportunity",
    "merged_opportunity_id": "opportunity",
    "handoff_id": "handoff",
    "previous_handoff_id": "handoff",
    "lead_id": "lead",
    "merged_lead_id": "lead",
    "unmerged_lead_id": "lead",
    "account_id": "account",
    "merged_account_id": "account",
}
_ZONE = "(select zone from playbook.version)"
# Tables that say how far the log is in the read models.
POSITION = ("component", "rows_read", "offset_read", "read_model")
_PLAYBOOKS = """
select coalesce(string_agg(concat_ws(' ', playbook_version, in_force_from, in_force_until), ';'
    order by in_force_from nulls first), '')
from playbook.all_version where in_force_from is null or in_force_from <= $as_of
"""
# Records that one event names belong together: an edge from the first to each.
_EDGES = """
insert into edge
select distinct coalesce(one.component, names[1]) as one, coalesce(other.component, name) as other, name
from (select names, unnest(names) as name from news) as news
left join warehouse.component as one on one.record = names[1]
left join warehouse.component as other on other.record = name
"""
_LABELS = """
insert into label
select node, min(label) as label
from (
    select one as node, least(one, other) as label from edge
    union all
    select other, least(one, other) from edge
)
group by node
"""
# Each node takes the least label of its neighbours, and the label that its label has by now.
_SPREAD = """
insert into next_label
select node, min(label) as label
from (
    from label
    union all
    select edge.one, label.label from edge join label on label.node = edge.other
    union all
    select edge.other, label.label from edge join label on label.node = edge.one
    union all
    select label.node, further.label from label join label as further on further.node = label.label
)
group by node;
truncate label; insert into label from next_label; truncate next_label
"""
_SUM_OF_LABELS = "select coalesce(sum(hash(node, label)::hugeint), 0) from label"
_MOVED = """
insert into moved
select record, label as component from warehouse.component join label on node = component where label <> node
union all
select distinct name, label from edge join label on node = other
where name not in (select record from warehouse.component)
"""
_MEMBER = """
insert into member
select split_part(record, ':', 1) as kind, substr(record, strpos(record, ':') + 1) as record_id
from warehouse.component
where component in (select label from label)
"""
# Temporary tables of a refresh; empty between two.
_SCRATCH = {
    "news": "names varchar[]",
    "edge": "one varchar, other varchar, name varchar",
    "label": "node varchar, label varchar",
    "next_label": "node varchar, label varchar",
    "moved": "record varchar, component varchar",
    "member": "kind varchar, record_id varchar",
}


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did.

    as_of: the instant as of which the tables stand. rows: written. is_all: all were computed again.
    next_at: when time alone changes them, for a clock ahead of ours has reported something already.
    """

    as_of: datetime
    rows: int
    is_all: bool
    next_at: datetime | None


class ReadModels:
    """Keeps the tables up with the log, through a connection of its own. One refresh is one transaction."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, rebuild_from: float = 0.5) -> None:
        """rebuild_from: the share of records that may change before all are evaluated: faster then."""
        self.connection = connection
        self.rebuild_from = rebuild_from
        for name, columns in _SCRATCH.items():
            connection.execute(f"create temp table if not exists {name} ({columns})")
        for event in read_events():
            connection.execute(
                f"create temp table if not exists changed_{event.table} as from facts.{event.table} limit 0"
            )
        for view in stored_views():
            connection.execute(
                f"create temp table if not exists new_{view.name} as from stored.{view.name} limit 0"
            )
        # Handoffs whose rows were replaced, until somebody has taken them and emptied the table.
        connection.execute("create temp table if not exists changed_handoff (handoff_id varchar)")
        self.is_all_changed = True

    def refresh(self) -> Refreshed:
        """Bring the tables up to all that is committed, as of now. Idempotent; exact: see tests/laws.

        Everything is computed again the first time, and when other playbooks are in force than the last time.
        """
        self.connection.execute("begin")
        try:
            refreshed = self._refresh()
            self.connection.execute("commit")
        except BaseException:
            with suppress(duckdb.Error):  # the first error says what happened
                self.connection.execute("rollback")
            raise
        return refreshed

    def rebuild(self) -> Refreshed:
        """Compute everything again."""
        self.forget()
        return self.refresh()

    def forget(self) -> None:
        """Rows of the log were removed: the next refresh reads all of it."""
        for table in POSITION:
            self.connection.execute(f"truncate warehouse.{table}")

    def _refresh(self) -> Refreshed:
        execute = self.connection.execute
        as_of: datetime = execute("select as_of from warehouse.as_of").fetchall()[0][0]
        playbooks: str = execute(_PLAYBOOKS, {"as_of": as_of}).fetchall()[0][0]
        stands = execute("select as_of, playbooks from warehouse.read_model").fetchall()
        read = dict(execute("select event, rows_read from warehouse.rows_read").fetchall())
        held = {
            event.table: execute(f"select count(*) from log.{event.table}").fetchall()[0][0]
            for event in linked_events()
        }
        is_all = not stands or stands[0][1] != playbooks
        execute(f"insert into news {_news(read, held, stands[0][0] if stands else as_of, as_of)}")
        rows = 0
        if is_all or execute("select count(*) from news").fetchall() != [(0,)]:
            self._join_components()
            is_all = is_all or self._changed_share() > self.rebuild_from
            rows = self._replace(as_of, is_all)
        execute("delete from warehouse.rows_read")
        self.connection.executemany("insert into warehouse.rows_read values (?, ?)", list(held.items()))
        execute("delete from warehouse.offset_read")
        execute("insert into warehouse.offset_read by name from warehouse.next_offset")
        execute("delete from warehouse.read_model")
        execute("insert into warehouse.read_model values (?, ?, now())", [as_of, playbooks])
        for name in _scratch_tables():
            execute(f"truncate {name}")
        [(next_event_at,)] = execute(_next_event(), {"as_of": as_of}).fetchall()
        return Refreshed(as_of, rows, is_all, next_event_at)

    def _changed_share(self) -> float:
        counts = "select (select count(*) from member), (select count(*) from warehouse.component)"
        [(members, records)] = self.connection.execute(counts).fetchall()
        return float(members / records) if records else 0.0

    def _join_components(self) -> None:
        """Give every record that the news name its component; two that an event connects become one."""
        execute = self.connection.execute
        execute(_EDGES)
        execute(_LABELS)
        before, now = None, execute(_SUM_OF_LABELS).fetchall()
        while now != before:
            execute(_SPREAD)
            before, now = now, execute(_SUM_OF_LABELS).fetchall()
        execute(_MOVED)
        execute("delete from warehouse.component where record in (select record from moved)")
        execute("insert into warehouse.component from moved")
        execute(_MEMBER)

    def _replace(self, as_of: datetime, is_all: bool) -> int:
        """Evaluate the stored views over the facts that count, and put their rows in place; how many."""
        execute = self.connection.execute
        if not is_all:
            for event in read_events():
                execute(f"insert into changed_{event.table} {_facts_of_members(event)}")
        self.is_all_changed = self.is_all_changed or is_all
        execute("insert into changed_handoff select record_id from member where kind = 'handoff'")
        rows = 0
        for view in stored_views():
            execute(f"insert into new_{view.name} {_evaluated_over(view, as_of, is_all)}")
            changed = (
                f"where {view.stored} in (select record_id from member where kind = '{LINKS[view.stored]}')"
            )
            execute(f"delete from stored.{view.name} {'' if is_all else changed}")
            rows += execute(f"insert into stored.{view.name} from new_{view.name}").fetchall()[0][0]
        return rows


@cache
def linked_events() -> tuple[EventType, ...]:
    """Event types that name a record: what stored views can follow from."""
    return tuple(event for event in CATALOGUE.facts if any(field["name"] in LINKS for field in event.fields))


@cache
def read_events() -> tuple[EventType, ...]:
    """Those of them that a stored view reads."""
    read = dependencies().upstream(view.relation for view in stored_views())
    return tuple(event for event in linked_events() if f"facts.{event.table}" in read)


def _scratch_tables() -> tuple[str, ...]:
    changed = (f"changed_{event.table}" for event in read_events())
    return (*_SCRATCH, *changed, *(f"new_{view.name}" for view in stored_views()))


def _next_event() -> str:
    """SQL: when the next event that is reported already happens, or a playbook comes into force."""
    later = " union all ".join(
        f"select min({visible_from(event, _ZONE)}) as later_at from log.{event.table}"
        f" where {visible_from(event, _ZONE)} > $as_of{_after('$as_of')}"
        for event in linked_events()
    )
    playbook = "select min(in_force_from) from playbook.all_version where in_force_from > $as_of"
    return f"select least((select min(later_at) from ({later})), ({playbook}))"


def _after(instant: str) -> str:
    """SQL: what holds of all that becomes visible after an instant, so that most of the log is skipped."""
    return f" and occurred_at > {instant}::timestamptz - interval 1 day"


def unread_sql() -> str:
    """One SELECT: how many records of the log are not in the read models yet."""
    held = " + ".join(f"(select count(*) from log.{event.table})" for event in linked_events())
    return f"select {held} - (select coalesce(sum(rows_read), 0) from warehouse.rows_read)"


def is_current(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a refresh would leave the tables as they are."""
    execute = connection.execute
    as_of: datetime = execute("select as_of from warehouse.as_of").fetchall()[0][0]
    stands = execute("select as_of, playbooks from warehouse.read_model").fetchall()
    if not stands or execute(unread_sql()).fetchall() != [(0,)]:
        return False
    [(stood_at, playbooks)] = stands
    earlier, later = sorted((stood_at, as_of))
    [(next_event_at,)] = execute(_next_event(), {"as_of": earlier}).fetchall()
    has_changed = next_event_at is not None and next_event_at <= later
    return not has_changed and execute(_PLAYBOOKS, {"as_of": as_of}).fetchall() == [(playbooks,)]


def last_recorded_sql() -> str:
    """One SELECT: when the last record of the log was recorded."""
    last = " union all ".join(
        f"select max(recorded_at) as recorded_at from log.{event.table}" for event in CATALOGUE.facts
    )
    return f"select max(recorded_at) from ({last})"


def _evaluated_over(view: Projection, as_of: datetime, is_all: bool) -> str:
    """SQL of a stored view: over all facts, or over those of the members; and over the new rows of others."""
    instead = {other.relation: f"new_{other.name}" for other in stored_views()}
    if not is_all:
        instead |= {f"facts.{event.table}": f"changed_{event.table}" for event in read_events()}
    at = sql_literal(as_of)
    return selected(view.reads, at, f"from ({view.evaluated(at)})", ("funnel", "resolved"), instead)


def _news(read: Mapping[str, int], held: Mapping[str, int], seen_as_of: datetime, as_of: datetime) -> str:
    """SQL: the records that each new event names, as a list; those of events that lay in the future at one
    as-of only.

    Copies of one event may name others: all of them are concerned.
    """
    earlier, later = sorted((seen_as_of, as_of))
    selects = []
    for event in linked_events():
        names = f"select {_names(event)} as names from log.{event.table}"
        visible = visible_from(event, _ZONE)
        selects.append(
            f"{names} where {visible} > {sql_literal(earlier)}{_after(sql_literal(earlier))}"
            f" and {visible} <= {sql_literal(later)}"
        )
        seen = read.get(event.table, 0)
        if held[event.table] > seen:
            new = f"select event_id from log.{event.table} where rowid >= {seen}"
            selects.append(f"{names} where event_id in ({new})")
    return " union all ".join(selects)


def _names(event: EventType) -> str:
    """SQL: the records that an event names, in a list."""
    named = ", ".join(f"'{kind}:' || nullif({column}, '')" for column, kind in _links(event).items())
    return f"list_filter([{named}], lambda name: name is not null)"


def _links(event: EventType) -> dict[str, str]:
    columns = {field["name"] for field in event.fields}
    return {column: kind for column, kind in LINKS.items() if column in columns}


def _facts_of_members(event: EventType) -> str:
    """SQL: each event once that names a member. All records that it names belong together: one decides."""
    always = {field["name"] for field in event.fields if field["type"] == "string" and "default" not in field}
    links = _links(event)
    deciding = [column for column in links if column in always][:1] or list(links)
    belongs = " or ".join(
        f"{column} in (select record_id from member where kind = '{links[column]}')" for column in deciding
    )
    return layout.distinct_facts(event, f"(from log.{event.table} where {belongs})")
