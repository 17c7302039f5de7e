"""Which handoffs the newest records can have changed, and the views of a handoff over these alone.

Each pass of the measurement loop reads only these. Reading every handoff would cost in proportion to the log;
this costs in proportion to the new records, and a scan of a few columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import duckdb

from projections.projection import Projection, states
from projections.relations import dependencies, relations
from schemas.catalogue import CATALOGUE, EventType
from warehouse import layout
from warehouse.layout import live_as_of

_STATE = next(state for state in states() if state.name == "handoff")
# Contact is a fact each, and may name a lead only.
_CONTACT = tuple(e for e in CATALOGUE.facts if e.table in ("contact_attempted", "buyer_reached"))
_NEWS = (*(e for e in CATALOGUE.facts if e.table in _STATE.fact_tables), *_CONTACT)
# A deal is no moment of a handoff, so none is looked up.
_DEAL_VIEWS = dependencies().upstream(["funnel.deal"])
_READ = dependencies().upstream(["funnel.handoff"]) - _DEAL_VIEWS
_HANDOFF_VIEWS = tuple(
    view for name, view in relations().items() if name in _READ and name != "resolved.handoff"
)
# What the views read -> what they read here.
_NAMES = {
    "resolved.handoff": "changed_resolved_handoff",
    "funnel.deal": "no_deal",
    "funnel.lead_identity": "identity_now",
    **{f"facts.{event.table}": f"changed_{event.table}" for event in _CONTACT},
    **{view.relation: f"changed_{view.kind}_{view.name}" for view in _HANDOFF_VIEWS},
}
_IDENTITY = "select lead_id, surviving_lead_id from funnel.lead_identity"
# Leads of the news, those that a merge moved, and whoever is one with any of them, then or now.
_CHANGED_LEAD = """
create or replace temp table changed_lead as
with moved as (
    (from identity_now except from identity_seen) union (from identity_seen except from identity_now)
),
named as (
    select lead_id from news
    union
    select offer.lead_id from partial.handoff where handoff_id in (select handoff_id from news)
    union
    select unnest([lead_id, surviving_lead_id]) from moved
),
known as (from identity_now union from identity_seen),
survivor as (
    select coalesce(surviving_lead_id, named.lead_id) as lead_id
    from named
    left join known using (lead_id)
)
select lead_id from named where lead_id is not null
union
select lead_id from survivor where lead_id is not null
union
select lead_id from known where surviving_lead_id in (from survivor)
"""
_OFFERED = "select handoff_id from partial.handoff where offer.lead_id in (from changed_lead)"
# An offer reported twice may name two leads; the handoff belongs to the lead of the copy that counts.
_CHANGED_STATE = f"""
create or replace temp table changed_state as
from ({_STATE.merge_select(f"(from partial.handoff where handoff_id in ({_OFFERED}))")})
where offer.lead_id in (from changed_lead)
"""


_CHANGED_HANDOFF = """
create or replace temp view changed_resolved_handoff as
select * from resolved.handoff where handoff_id in (select handoff_id from changed_state)
"""


def over_changed(projection: Projection) -> Projection:
    """A projection of handoffs as it is over the changed ones alone."""
    return projection.over(_NAMES)


class ChangedHandoffs:
    """The handoffs that records since the last look can have changed, in temporary tables of a connection.

    After a look `changed_handoff` names them, and over_changed() says what any view of them says. Exact:
    whatever decides about one of them is looked at, copies and merged leads included. It relies on rows of
    the log staying where they are.
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
        execute(f"create or replace temp table identity_now as {_IDENTITY}")
        if not is_all and self._as_of is not None:
            for statement in _narrowing(self._rows_seen, self._as_of, as_of):
                execute(statement)
        execute("create or replace temp table identity_seen as from identity_now")
        self._rows_seen, self._playbooks, self._as_of = rows, playbooks, as_of
        return not is_all

    def forget(self) -> None:
        """The last look came to nothing: all may have changed."""
        self._rows_seen = {}


def _narrowing(rows_seen: Mapping[str, int], seen_as_of: datetime, as_of: datetime) -> Iterator[str]:
    """Statements that fill the temporary tables, given the rows and the as-of seen before."""
    earlier, later = sorted((seen_as_of, as_of))
    news = " union ".join(
        [
            *(_news(event, rows_seen[event.table]) for event in _NEWS),
            *(_now_happened(event, earlier, later) for event in _NEWS),
        ]
    )
    yield f"create or replace temp table news as {news}"
    yield "create temp table if not exists no_deal as from funnel.deal limit 0"
    yield _CHANGED_LEAD
    yield _CHANGED_STATE
    yield _CHANGED_HANDOFF
    yield "create or replace temp table changed_handoff as select handoff_id from changed_state"
    for event in _CONTACT:
        yield f"create or replace temp table changed_{event.table} as {_facts_of_changed(event)}"
    for view in _HANDOFF_VIEWS:
        select = over_changed(view).evaluated(live_as_of())
        yield f"create or replace temp view {_NAMES[view.relation]} as {select}"


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
        " where lead_id in (from changed_lead) or handoff_id in (from changed_handoff)"
    )
    return layout.distinct_facts(event, f"(from {log} where event_id in ({concerned}))")
