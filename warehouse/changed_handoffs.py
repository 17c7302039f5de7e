"""Which handoffs the newest records can have changed, and the views of a handoff over these alone.

Each pass of the measurement loop reads only these. Reading every handoff would cost in proportion to the log;
this costs in proportion to the new records, and a scan of a few columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import duckdb

from projections.dependency_graph import DependencyGraph
from projections.projection import DERIVED_FOLDER, read_projection
from projections.relations import dependencies, relations
from projections.resolved_facts import IDENTITY
from schemas.catalogue import CATALOGUE, EventType
from warehouse import layout
from warehouse.layout import live_as_of
from warehouse.record_identity import MERGE_FACTS

MEASURED = read_projection(DERIVED_FOLDER / "handoff_measured.sql")
# A deal ends what is owed, by its opening. That is read from the openings alone, by the lead or the handoff
# that they name: whose a deal is otherwise may depend on any of its events.
_DEAL, _OPENING = "funnel.deal", "resolved.opportunity_opened"
_GRAPH = DependencyGraph({**dependencies().reads, _DEAL: (_OPENING,)})
_READ = _GRAPH.upstream(MEASURED.reads)
_VIEWS = tuple(name for name in _GRAPH.topological_order() if name in _READ & relations().keys())
_NEWS = tuple(e for e in CATALOGUE.facts if f"facts.{e.table}" in _READ and e.table not in MERGE_FACTS)
# What the views read -> what they read here.
_NAMES = {
    **{f"facts.{event.table}": f"changed_{event.table}" for event in _NEWS},
    **{name: f"changed_{name.replace('.', '_')}" for name in _VIEWS},
}
_OPENED_DEAL = f"""
select opportunity_id, lead_id, handoff_id, occurred_at as opened_at, 'open' as status from {_NAMES[_OPENING]}
"""
_IDENTITY_NOW = f"""
create or replace temp table identity_now as
select record_id as lead_id, surviving_id, from_at, until_at, merged_at, event_id,
    from_at <= {live_as_of()} and until_at > {live_as_of()} as is_current
from {IDENTITY} where kind = 'lead'
"""
# Leads of the news, those that a merge moved, and whoever is one with any of them, then or now.
_CHANGED_LEAD = """
create or replace temp table changed_lead as
with moved as (
    (from identity_now except from identity_seen) union (from identity_seen except from identity_now)
),
named as (
    select lead_id from news
    union
    select lead_id from log.handoff_offered where handoff_id in (select handoff_id from news)
    union
    select unnest([lead_id, surviving_id]) from moved
),
known as (
    select lead_id, surviving_id from identity_now where is_current
    union
    select lead_id, surviving_id from identity_seen where is_current
),
survivor as (
    select coalesce(surviving_id, named.lead_id) as lead_id
    from named
    left join known using (lead_id)
)
select lead_id from named where lead_id is not null
union
select lead_id from survivor where lead_id is not null
union
select lead_id from known where surviving_id in (from survivor)
"""
_CONCERNED_HANDOFF = """
create or replace temp table concerned_handoff as
select handoff_id from news where handoff_id is not null
union
select handoff_id from log.handoff_offered where lead_id in (from changed_lead)
"""
# Two copies of an offer may name two leads; the handoff belongs to the lead of the copy that counts.
_CHANGED_HANDOFF = f"""
create or replace temp table changed_handoff as
from concerned_handoff
except
select handoff_id from {_NAMES["funnel.handoff_offer"]} where named_lead_id not in (from changed_lead)
"""
MEASURED_OF_CHANGED = MEASURED.over(_NAMES)


def next_event_sql() -> str:
    """SQL: when the next event happens that a clock ahead of ours has reported already. Takes $as_of."""
    tables = [*(event.table for event in _NEWS), *sorted(MERGE_FACTS)]
    dated = " union all ".join(
        f"select min(occurred_at) as occurred_at from log.{table} where occurred_at > $as_of"
        for table in tables
    )
    return f"select min(occurred_at) from ({dated})"


class ChangedHandoffs:
    """The handoffs that records since the last look can have changed, in temporary tables of a connection.

    After a look `changed_handoff` names them, and MEASURED_OF_CHANGED says what is measured of them; when
    all may have changed it says so of all. Exact: whatever decides about one of them is looked at, copies
    and merged leads included. It relies on rows of the log staying where they are.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """`connection`: its own, for the tables are temporary."""
        self.connection = connection
        # Rows of each table of the log that have been looked at; nothing has been until the first time.
        self._rows_seen: dict[str, int] = {}
        self._playbooks: list[tuple[object, ...]] = []
        self._as_of: datetime | None = None

    def look(self) -> bool:
        """Find the changed ones. False when all may have changed: the first time, and under another playbook.

        Needs an open transaction: all it reads is of one moment.
        """
        execute = self.connection.execute
        rows = {e.table: execute(f"select count(*) from log.{e.table}").fetchall()[0][0] for e in _NEWS}
        playbooks = execute(
            "select playbook_version, in_force_from from playbook.all_version order by all"
        ).fetchall()
        is_all = not self._rows_seen or playbooks != self._playbooks
        as_of: datetime = execute("select as_of from warehouse.as_of").fetchall()[0][0]
        execute(_IDENTITY_NOW)
        if is_all or self._as_of is None:
            statements = _over_all()
        else:
            statements = _over_changed(self._rows_seen, self._as_of, as_of)
        for statement in statements:
            execute(statement)
        execute("create or replace temp table identity_seen as from identity_now")
        self._rows_seen, self._playbooks, self._as_of = rows, playbooks, as_of
        return not is_all

    def forget(self) -> None:
        """The last look came to nothing: all may have changed."""
        self._rows_seen = {}


def _over_all() -> Iterator[str]:
    """Statements that make the temporary views, over all facts."""
    for event in _NEWS:
        yield f"create or replace temp view changed_{event.table} as from facts.{event.table}"
    for name in _VIEWS:
        select = relations()[name].over(_NAMES).evaluated(live_as_of())
        yield f"create or replace temp view {_NAMES[name]} as {_OPENED_DEAL if name == _DEAL else select}"


def _over_changed(rows_seen: Mapping[str, int], seen_as_of: datetime, as_of: datetime) -> Iterator[str]:
    """Statements that narrow the facts behind those views, given the rows and the as-of seen before."""
    earlier, later = sorted((seen_as_of, as_of))
    news = " union ".join(
        [
            *(_news(event, rows_seen[event.table]) for event in _NEWS),
            *(_now_happened(event, earlier, later) for event in _NEWS),
        ]
    )
    yield f"create or replace temp table news as {news}"
    yield _CHANGED_LEAD
    yield _CONCERNED_HANDOFF
    for event in _NEWS:
        yield f"create or replace temp table narrowed_{event.table} as {_facts_of_changed(event)}"
        yield f"create or replace temp view changed_{event.table} as from narrowed_{event.table}"
    yield _CHANGED_HANDOFF


def _news(event: EventType, rows_seen: int) -> str:
    """SQL: whom its new records name. Copies of one event may name others: all of them are concerned."""
    return f"""
        select lead_id, handoff_id from log.{event.table}
        where rowid >= {rows_seen}
            or event_id in (select event_id from log.{event.table} where rowid >= {rows_seen})
    """


def _now_happened(event: EventType, earlier: datetime, later: datetime) -> str:
    """SQL: whom those records name that lay in the future at one of two as-ofs only."""
    return f"""
        select lead_id, handoff_id from log.{event.table}
        where occurred_at > '{earlier.isoformat()}'::timestamptz
            and occurred_at <= '{later.isoformat()}'::timestamptz
    """


def _facts_of_changed(event: EventType) -> str:
    """SQL: each event once that may count for a changed handoff."""
    log = f"log.{event.table}"
    concerned = (
        f"select event_id from {log}"
        " where lead_id in (from changed_lead) or handoff_id in (from concerned_handoff)"
    )
    return layout.distinct_facts(event, f"(from {log} where event_id in ({concerned}))")
