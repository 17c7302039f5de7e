"""Resolved facts: each event once, if it has happened by as-of, under the lead that lives on.

Views read `resolved.<event>` rather than `facts.<event>`, so that what a merged lead counts as, and that the
future is invisible, is decided here and nowhere else. Columns and grain are those of the fact table.
`resolved.handoff` is the state of each handoff, computed from these facts: a stored state knows no as-of.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from projections.projection import DERIVED_FOLDER, Column, Projection, read_projection, states
from schemas.catalogue import CATALOGUE, EventType

# The table of which record a merged one counts as, and the SELECT that makes it.
IDENTITY = "warehouse.record_identity"
IDENTITY_SELECT = read_projection(DERIVED_FOLDER / "record_identity.sql")
SUBJECTS = ("lead_id", "account_id", "handoff_id", "opportunity_id")


@cache
def resolved_facts() -> tuple[Projection, ...]:
    """One projection for each event type of the log, in the catalogue's order."""
    return (*(_resolved(event) for event in CATALOGUE.facts), _all_events(), _handoffs())


def all_events(schema: str) -> str:
    """SQL: the envelope and subjects of every event, each once. `schema`: facts or resolved."""
    branches = []
    for event in CATALOGUE.facts:
        present = {field["name"] for field in event.fields}
        subjects = ", ".join(s if s in present else f"null::varchar as {s}" for s in SUBJECTS)
        branches.append(
            f"select '{event.name}' as event_type, event_id, occurred_at, recorded_at, source, {subjects}"
            f" from {schema}.{event.table}"
        )
    return " union all ".join(branches)


def _all_events() -> Projection:
    return Projection(
        kind="resolved",
        name="event",
        grain="one row per event that has happened by as-of",
        reads=tuple(f"resolved.{event.table}" for event in CATALOGUE.facts),
        says="every event with its envelope and subjects, of merged leads under the one that survives",
        means="",
        key=("event_type", "event_id"),
        columns=tuple(
            Column(name, "")
            for name in ("event_type", "event_id", "occurred_at", "recorded_at", "source", *SUBJECTS)
        ),
        select=all_events("resolved"),
        path=Path(__file__),
    )


def _resolved(event: EventType) -> Projection:
    has_lead = any(field["name"] == "lead_id" for field in event.fields)
    return Projection(
        kind="resolved",
        name=event.table,
        grain="one row per event that has happened by as-of",
        reads=(f"facts.{event.table}", *([IDENTITY] if has_lead else [])),
        says=f"{event.name} events" + (", of merged leads under the one that survives" if has_lead else ""),
        means="",
        key=("event_id",),
        columns=tuple(Column(field["name"], field.get("doc", "")) for field in event.fields),
        select=_UNDER_SURVIVOR.format(table=event.table) if has_lead else _HAPPENED.format(table=event.table),
        path=Path(__file__),
    )


def _handoffs() -> Projection:
    state = next(state for state in states() if state.name == "handoff")
    merged = state.from_facts("resolved.{}".format)
    return Projection(
        kind="resolved",
        name=state.name,
        grain=state.grain,
        reads=tuple(f"resolved.{table}" for table in state.fact_tables),
        says=f"{state.says}; as far as as-of, of merged leads under the one that survives",
        means="",
        key=state.key,
        columns=(
            Column("handoff_id", ""),
            *state.columns,
            Column("lead_id", "the lead of the earliest offer; of merged ones the one that survives"),
        ),
        select=f"select *, offer.lead_id as lead_id from ({merged}) where offer is not null",
        path=Path(__file__),
    )


_HAPPENED = "select * from facts.{table} where occurred_at <= $as_of"
_UNDER_SURVIVOR = f"""
select fact.* replace (coalesce(lead.surviving_id, fact.lead_id) as lead_id)
from facts.{{table}} as fact
left join {IDENTITY} as lead
    on lead.kind = 'lead' and lead.record_id = fact.lead_id
    and lead.from_at <= $as_of and lead.until_at > $as_of
where fact.occurred_at <= $as_of
"""
