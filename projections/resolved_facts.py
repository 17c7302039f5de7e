"""Resolved facts: each event once, if it has happened by as-of, under the lead that lives on.

Views read `resolved.<event>` rather than `facts.<event>`, so that what a merged lead counts as, and that the
future is invisible, is decided here and nowhere else. Columns and grain are those of the fact table.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from projections.projection import Column, Projection
from schemas.catalogue import CATALOGUE, EventType

IDENTITY = "funnel.lead_identity"
SUBJECTS = ("lead_id", "account_id", "handoff_id", "opportunity_id")


@cache
def resolved_facts() -> tuple[Projection, ...]:
    """One projection for each event type of the log, in the catalogue's order."""
    return (*(_resolved(event) for event in CATALOGUE.facts), _all_events())


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


_HAPPENED = "select * from facts.{table} where occurred_at <= $as_of"
_UNDER_SURVIVOR = f"""
select fact.* replace (coalesce(identity.surviving_lead_id, fact.lead_id) as lead_id)
from facts.{{table}} as fact
left join {IDENTITY} as identity on identity.lead_id = fact.lead_id
where fact.occurred_at <= $as_of
"""
