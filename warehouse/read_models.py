"""Read models: tables of what views say about one lead, handoff, deal or company, kept up with the log.

A view whose header says `stored` is such a table. Its rows follow from facts, from merges and from the
playbooks in force, never from the clock, and each of them from the facts of one *component*: the records that
events name together, directly or through others. New records change components; the views are then evaluated
over the facts of these alone, and their rows replaced. The SELECT is the view's own, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial

import duckdb

from projections.projection import Projection
from projections.relations import dependencies, selected, stored_views
from projections.resolved_facts import visible_from
from projections.sql_literal import sql_literal
from schemas.catalogue import CATALOGUE, EventType
from warehouse import layout
from warehouse.components import LINKS, SCRATCH, join_components, linked_events, links_of, names_sql

_ZONE = "(select zone from playbook.version)"
# An evaluation of so many takes less than a gigabyte.
PIECE_EVENTS = 250_000
# Tables that say how far the log is in the read models.
POSITION = ("component", "rows_read", "offset_read", "read_model")
# With how much of their calendars is there: a commit of many rows shows bit by bit.
_PLAYBOOKS = """
select coalesce(string_agg(concat_ws(' ', playbook_version, in_force_from, in_force_until), ';'
    order by in_force_from nulls first), '')
    || (select format(' {} {}', count(*), (select count(*) from playbook.open_span)) from playbook.open_day)
from playbook.all_version where in_force_from is null or in_force_from <= $as_of
"""
_MEMBER = """
insert into member
select split_part(record, ':', 1) as kind, substr(record, strpos(record, ':') + 1) as record_id
from warehouse.component where component in (select label from label)
"""
# Temporary tables of a refresh; empty between two.
_SCRATCH = {**SCRATCH, "member": "kind varchar, record_id varchar"}


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


@dataclass(frozen=True)
class _Log:
    """What a refresh brings the tables up to: as-of, playbooks in force, the row after the last of each event
    type, and where the log stood. is_new: nothing stands yet under these playbooks."""

    as_of: datetime
    playbooks: str
    held: Mapping[str, int]
    offsets: Sequence[tuple[str, int, int, int]]
    is_new: bool


class ReadModels:
    """Keeps the tables up with the log, through a connection of its own."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        views: Sequence[Projection] | None = None,
        rebuild_from: float = 0.5,
        piece_events: int = PIECE_EVENTS,
    ) -> None:
        """views: the stored views to keep up, each after those it reads; default all of them.
        rebuild_from: the share of records that may change before all are evaluated: faster then.
        piece_events: about how many events are evaluated at a time then, which bounds the memory it takes."""
        self.connection = connection
        self.views = stored_views() if views is None else tuple(views)
        self.events = read_events(self.views)
        self.rebuild_from = rebuild_from
        self.piece_events = piece_events
        for name, columns in _SCRATCH.items():
            connection.execute(f"create temp table if not exists {name} ({columns})")
        for event in self.events:
            connection.execute(
                f"create temp table if not exists changed_{event.table} as from facts.{event.table} limit 0"
            )
        for view in self.views:
            connection.execute(
                f"create temp table if not exists new_{view.name} as from stored.{view.name} limit 0"
            )
        self._drop_next()
        # Handoffs whose rows were replaced, until somebody has taken them and emptied the table.
        connection.execute("create temp table if not exists changed_handoff (handoff_id varchar)")
        self.is_all_changed = True

    def refresh(self, *, is_rebuild: bool = False) -> Refreshed:
        """Bring the tables up to all that is committed, as of now. Idempotent; exact: see tests/laws.

        Everything is computed again the first time, when other playbooks are in force than the last time, and
        when asked to: in pieces, while the tables stay as they were. One transaction replaces them.
        """
        with self._transaction():
            log = self._look(is_rebuild)
            if not self._is_all(log):
                return self._stand_at(log, self._replace(log), is_all=False)
        rows = self._build_next(log)
        if rows is None:
            return self.refresh(is_rebuild=is_rebuild)
        with self._transaction():
            self._put_next_in_place()
            refreshed = self._stand_at(log, rows, is_all=True)
            # Merges of meanwhile counted in some pieces and not in others: with their news, in all.
            news = self._look(False)
            if not self._is_all(news):
                refreshed = self._stand_at(news, rows + self._replace(news), is_all=True)
            return refreshed

    def forget(self) -> None:
        """Rows of the log were removed: the next refresh reads all of it."""
        for table in POSITION:
            self.connection.execute(f"truncate warehouse.{table}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Committed at its end, with what it left in the temporary tables removed."""
        self.connection.execute("begin")
        try:
            yield
            self.connection.execute("commit")
        except BaseException:
            with suppress(duckdb.Error):  # the first error says what happened
                self.connection.execute("rollback")
            raise
        finally:
            for name in self._scratch_tables():
                self.connection.execute(f"truncate {name}")

    def _look(self, is_rebuild: bool) -> _Log:
        """What there is, and which records the news are about: they are the members."""
        execute = self.connection.execute
        if is_rebuild:
            execute("truncate warehouse.component")
        as_of, playbooks = self._in_force()
        stands = execute("select as_of, playbooks from warehouse.read_model").fetchall()
        read = {} if is_rebuild else dict(execute("from warehouse.rows_read").fetchall())
        held = _held(self.connection)
        offsets = execute("from warehouse.next_offset").fetchall()
        if news := _news(read, held, stands[0][0] if stands else as_of, as_of):
            execute(f"insert into news {news}")
            join_components(self.connection)
        execute(_MEMBER)
        is_new = is_rebuild or not stands or stands[0][1] != playbooks
        return _Log(as_of, playbooks, held, offsets, is_new)

    def _in_force(self) -> tuple[datetime, str]:
        """The as-of, and the playbooks in force up to then."""
        as_of: datetime = self.connection.execute("select as_of from warehouse.as_of").fetchall()[0][0]
        return as_of, self.connection.execute(_PLAYBOOKS, {"as_of": as_of}).fetchall()[0][0]

    def _is_all(self, log: _Log) -> bool:
        return log.is_new or self._changed_share() > self.rebuild_from

    def _stand_at(self, log: _Log, rows: int, *, is_all: bool) -> Refreshed:
        execute = self.connection.execute
        execute("delete from warehouse.rows_read")
        if read := [f"('{table}', {rows})" for table, rows in log.held.items() if rows]:
            execute(f"insert into warehouse.rows_read values {', '.join(read)}")
        execute("delete from warehouse.offset_read")
        if log.offsets:
            self.connection.executemany("insert into warehouse.offset_read values (?, ?, ?, ?)", log.offsets)
        execute("delete from warehouse.read_model")
        execute("insert into warehouse.read_model values (?, ?, now())", [log.as_of, log.playbooks])
        [(next_event_at,)] = execute(_next_event(log.held), {"as_of": log.as_of}).fetchall()
        return Refreshed(log.as_of, rows, is_all, next_event_at)

    def _changed_share(self) -> float:
        counts = "select (select count(*) from member), (select count(*) from warehouse.component)"
        [(members, records)] = self.connection.execute(counts).fetchall()
        return float(members / records) if records else 0.0

    def _replace(self, log: _Log) -> int:
        """Evaluate the stored views over the facts of the members, and put their rows in place; how many."""
        execute = self.connection.execute
        if execute("select count(*) from member").fetchall() == [(0,)]:
            return 0
        self._evaluate(log, lambda event: _facts_of_members(event, log.held))
        execute("insert into changed_handoff select record_id from member where kind = 'handoff'")
        rows = 0
        for view in self.views:
            changed = f"select record_id from member where kind = '{LINKS[view.stored]}'"
            execute(f"delete from stored.{view.name} where {view.stored} in ({changed})")
            rows += execute(f"insert into stored.{view.name} from new_{view.name}").fetchall()[0][0]
        return rows

    def _evaluate(self, log: _Log, facts: Callable[[EventType], str]) -> None:
        """Rows of the views into new_<view>, from the facts that a SELECT of each event type yields. Where
        nothing is read, there is none."""
        filled: set[str] = set()
        for event in self.events:
            if not log.held[event.table]:
                continue
            insert = f"insert into changed_{event.table} {facts(event)}"
            if self.connection.execute(insert).fetchall() != [(0,)]:
                filled.add(f"facts.{event.table}")
        for view in self.views:
            if not filled.isdisjoint(_facts_read(view)):
                select = self._evaluated_over(view, log.as_of)
                self.connection.execute(f"insert into new_{view.name} {select}")

    def _build_next(self, log: _Log) -> int | None:
        """Evaluate everything into tables that nobody reads yet, some components at a time; how many rows.
        None when other playbooks came into force meanwhile: the pieces would not be of one kind."""
        execute = self.connection.execute
        self.is_all_changed = True
        self._drop_next()
        for view in self.views:
            execute(f"create table {_next(view)} as from stored.{view.name} limit 0")
        pieces = max(1, -(-sum(log.held.values()) // self.piece_events))
        with self._transaction():
            for event in self.events:
                if log.held[event.table]:
                    execute(f"create table {_part(event)} as {_divided(event, log.held, pieces)}")
        rows = 0
        for piece in range(pieces):
            with self._transaction():
                if self._in_force()[1] != log.playbooks:
                    return None
                self._evaluate(log, partial(_facts_of_piece, piece))
                for view in self.views:
                    rows += execute(f"insert into {_next(view)} from new_{view.name}").fetchall()[0][0]
        return rows

    def _drop_next(self) -> None:
        """What a build that came to no end has left."""
        for table in (*map(_next, self.views), *map(_part, self.events)):
            self.connection.execute(f"drop table if exists {table}")

    def _put_next_in_place(self) -> None:
        for view in self.views:
            self.connection.execute(f"drop table stored.{view.name}")
            self.connection.execute(f"alter table {_next(view)} rename to {view.name}")
        self._drop_next()

    def _scratch_tables(self) -> tuple[str, ...]:
        changed = (f"changed_{event.table}" for event in self.events)
        return (*_SCRATCH, *changed, *(f"new_{view.name}" for view in self.views))

    def _evaluated_over(self, view: Projection, as_of: datetime) -> str:
        """SQL of a stored view over the facts of the members, and the new rows of other views."""
        instead = {other.relation: f"new_{other.name}" for other in self.views}
        instead |= {f"facts.{event.table}": f"changed_{event.table}" for event in self.events}
        at = sql_literal(as_of)
        return selected(view.reads, at, f"from ({view.evaluated(at)})", ("funnel", "resolved"), instead)


def _next(view: Projection) -> str:
    return f"stored.next_{view.name}"


def _part(event: EventType) -> str:
    return f"stored.part_{event.table}"


@cache
def _facts_read(view: Projection) -> frozenset[str]:
    return dependencies().upstream([view.relation])


def read_events(stored: Sequence[Projection]) -> tuple[EventType, ...]:
    """The events that these views read."""
    read = dependencies().upstream(view.relation for view in stored)
    return tuple(event for event in linked_events() if f"facts.{event.table}" in read)


def _next_event(held: Mapping[str, int]) -> str:
    """SQL: when the next event that is reported already happens, or a playbook comes into force. held: the
    rows of each event type."""
    later = " union all ".join(
        f"select min({visible_from(event, _ZONE)}) as later_at from log.{event.table}"
        f" where {visible_from(event, _ZONE)} > $as_of{_after('$as_of')}"
        for event in linked_events()
        if held[event.table]
    )
    later = later or "select null::timestamptz as later_at"
    playbook = "select min(in_force_from) from playbook.all_version where in_force_from > $as_of"
    return f"select least((select min(later_at) from ({later})), ({playbook}))"


def _length(event: EventType) -> str:
    """SQL: the row number after the last record of an event type."""
    return f"(select coalesce(max(rowid) + 1, 0) from log.{event.table})"


def _after(instant: str) -> str:
    """SQL: what holds of all that becomes visible after an instant, so that most of the log is skipped."""
    return f" and occurred_at > {instant}::timestamptz - interval 1 day"


def _held(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """The row after the last, by table of events."""
    [lengths] = connection.execute(f"select {', '.join(map(_length, linked_events()))}").fetchall()
    return dict(zip((event.table for event in linked_events()), lengths, strict=True))


def unread_sql() -> str:
    """One SELECT: how many records of the log are not in the read models yet."""
    held = " + ".join(_length(event) for event in linked_events())
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
    [(next_event_at,)] = execute(_next_event(_held(connection)), {"as_of": earlier}).fetchall()
    has_changed = next_event_at is not None and next_event_at <= later
    return not has_changed and execute(_PLAYBOOKS, {"as_of": as_of}).fetchall() == [(playbooks,)]


def last_recorded_sql() -> str:
    """One SELECT: when the last record of the log was recorded."""
    last = " union all ".join(
        f"select max(recorded_at) as recorded_at from log.{event.table}" for event in CATALOGUE.facts
    )
    return f"select max(recorded_at) from ({last})"


def _news(read: Mapping[str, int], held: Mapping[str, int], seen_as_of: datetime, as_of: datetime) -> str:
    """SQL: the records that each new event names, as a list; those of events that lay in the future at one
    as-of only. Empty when there cannot be any: planning it takes longer than reading it.

    Copies of one event may name others. Which of them counts is decided over all: they belong together.
    """
    earlier, later = sorted((seen_as_of, as_of))
    selects = []
    for event in linked_events():
        names = f"select {names_sql(event)} as names from log.{event.table}"
        visible = visible_from(event, _ZONE)
        if held[event.table] and earlier < later:
            selects.append(
                f"{names} where {visible} > {sql_literal(earlier)}{_after(sql_literal(earlier))}"
                f" and {visible} <= {sql_literal(later)}"
            )
        seen = read.get(event.table, 0)
        if held[event.table] > seen:
            new = f"select event_id from log.{event.table} where rowid >= {seen}"
            copied = f"from log.{event.table} where event_id in ({new}) group by event_id having count(*) > 1"
            selects.append(f"{names} where rowid >= {seen}")
            selects.append(
                f"select flatten(list({names_sql(event)})) as names from log.{event.table}"
                f" where event_id in (select event_id {copied}) group by event_id"
            )
    return f"select distinct names from ({' union all '.join(selects)})" if selects else ""


def _divided(event: EventType, held: Mapping[str, int], pieces: int) -> str:
    """SQL: rows of an event type's log, with the piece that each belongs to, in their order: reading one does
    not read the others. Whole components: any record that an event names says which."""
    names = ", ".join(f"'{kind}:' || nullif({column}, '')" for column, kind in links_of(event).items())
    return (
        f"select log.*, (hash(component) % {pieces})::integer as piece from log.{event.table} as log"
        f" join warehouse.component on record = coalesce({names})"
        f" where log.rowid < {held[event.table]} order by piece"
    )


def _facts_of_piece(piece: int, event: EventType) -> str:
    """SQL: each event of a piece once."""
    rows = f"select * exclude (piece) from {_part(event)} where piece = {piece}"
    return layout.distinct_facts(event, f"({rows})")


def _facts_of_members(event: EventType, held: Mapping[str, int]) -> str:
    """SQL: each event once that names a member. All records that it names belong together: one decides.
    held: only rows below it, for more may have been committed meanwhile."""
    always = {field["name"] for field in event.fields if field["type"] == "string" and "default" not in field}
    links = links_of(event)
    deciding = [column for column in links if column in always][:1] or list(links)
    belongs = " or ".join(
        f"{column} in (select record_id from member where kind = '{links[column]}')" for column in deciding
    )
    kept = f"from log.{event.table} where ({belongs}) and rowid < {held[event.table]}"
    return layout.distinct_facts(event, f"({kept})")
