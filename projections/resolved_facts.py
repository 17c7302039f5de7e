"""Resolved facts: each event once, if it has happened by as-of; merged records count as the survivor.

Views read `resolved.<event>` rather than `facts.<event>`, so that what a merged lead counts as, and that the
future is invisible, is decided here and nowhere else. Columns and grain are those of the fact table.
Of a lead and a deal they also have `named_lead_id` and `named_opportunity_id`, the id as the event states it:
which record it was before a merge.

An event that is known by its day alone counts at the end of that day, in the playbook's zone; one that begins
something counts as the day begins. It has happened once its day has begun, whatever the hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from projections.projection import DERIVED_FOLDER, Column, Projection, read_projection
from schemas.catalogue import CATALOGUE, EventType

# The table of which record a merged one counts as, and the SELECT that makes it.
IDENTITY = "warehouse.record_identity"
IDENTITY_SELECT = read_projection(DERIVED_FOLDER / "record_identity.sql")
# Kinds of records that can be merged, and the column that names one.
_KINDS = {"lead": "lead_id", "account": "account_id", "opportunity": "opportunity_id"}
# Columns in which an empty string means that the source does not know; here it is null.
UNKNOWN = {
    "OpportunityOpened": ("account_id",),
    "OpportunityWon": ("account_id",),
    "LeadCaptured": ("channel",),
    "TouchRecorded": ("channel",),
    "BuyerReached": ("channel",),
    "ContactAttempted": ("channel",),
    "CampaignPlanned": ("channel",),
    "HandoffAccepted": ("owner",),
    "HandoffReassigned": ("to_owner",),
    "HandoffReturned": ("reason_code",),
    "OpportunityLost": ("reason_code",),
    "SubscriptionChurned": ("reason_code",),
}
# Events that begin what they are about.
BEGINNINGS = ("LeadCaptured", "OpportunityOpened", "CustomerOnboarded")
NAMED = {
    "lead_id": Column("named_lead_id", "the lead as the event names it, merged or not"),
    "opportunity_id": Column("named_opportunity_id", "the deal as the event names it, merged or not"),
}
SUBJECTS = ("lead_id", "account_id", "handoff_id", "opportunity_id")


@cache
def resolved_facts() -> tuple[Projection, ...]:
    """One projection for each event type of the log, in the catalogue's order, and those of many types."""
    return (
        *(_resolved(event) for event in CATALOGUE.facts),
        _union("event", "event", CATALOGUE.facts),
        _union("lead_event", "event of a type that names leads", _of_leads()),
    )


def _of_leads() -> tuple[EventType, ...]:
    return tuple(e for e in CATALOGUE.facts if any(field["name"] == "lead_id" for field in e.fields))


def all_events(schema: str, events: Sequence[EventType] = CATALOGUE.facts) -> str:
    """SQL: envelope and subjects of every event of these types, each once. `schema`: facts or resolved."""
    branches = []
    for event in events:
        present = {field["name"] for field in event.fields}
        subjects = ", ".join(s if s in present else f"null::varchar as {s}" for s in SUBJECTS)
        by_day = "is_day_only" if "is_day_only" in present else "false as is_day_only"
        branches.append(
            f"select '{event.name}' as event_type, event_id, occurred_at, {by_day}, recorded_at, source,"
            f" {subjects} from {schema}.{event.table}"
        )
    return " union all ".join(branches)


def _union(name: str, what: str, events: Sequence[EventType]) -> Projection:
    return Projection(
        kind="resolved",
        name=name,
        grain=f"one row per {what} that has happened by as-of",
        reads=tuple(f"resolved.{event.table}" for event in events),
        says="every one with its envelope and subjects, of merged leads under the one that survives",
        means="",
        key=("event_type", "event_id"),
        columns=tuple(
            Column(name, "")
            for name in (
                "event_type",
                "event_id",
                "occurred_at",
                "is_day_only",
                "recorded_at",
                "source",
                *SUBJECTS,
            )  # fmt: skip
        ),
        select=all_events("resolved", events),
        path=Path(__file__),
    )


def visible_from(event: EventType, zone: str) -> str:
    """SQL: the first instant as of which an event has happened. `zone`: SQL of the playbook's zone."""
    if all(field["name"] != "is_day_only" for field in event.fields):
        return "occurred_at"
    earliest = f"earliest_instant(occurred_at, is_day_only, {zone})"
    # Only what begins something is so at the very instant at which its day begins.
    return earliest if event.name in BEGINNINGS else f"{earliest} + to_microseconds(is_day_only::integer)"


def _resolved(event: EventType) -> Projection:
    names = [field["name"] for field in event.fields]
    replaced = {name: f"nullif(fact.{name}, '')" for name in UNKNOWN.get(event.name, ())}
    if event.name == "OpportunityWon":
        replaced |= {
            name: f"case when is_amount_known then fact.{name} end" for name in ("amount", "currency")
        }
    source, reads = f"facts.{event.table} as fact", [f"facts.{event.table}"]
    if "is_day_only" in names:
        which = "earliest" if event.name in BEGINNINGS else "latest"
        replaced["occurred_at"] = f"{which}_instant(occurred_at, is_day_only, zone)"
        source += " cross join playbook.version"
        reads.append("playbook.version")
    for kind, column in _KINDS.items():
        if column in names:
            replaced[column] = f"coalesce({kind}.surviving_id, {replaced.get(column, f'fact.{column}')})"
            source += _SURVIVOR.format(kind=kind, column=column)
            reads.append(IDENTITY)
    stands = ", ".join(f"{sql} as {name}" for name, sql in replaced.items())
    named = {column: name for column, name in NAMED.items() if column in names}
    return Projection(
        kind="resolved",
        name=event.table,
        grain="one row per event that has happened by as-of",
        reads=tuple(dict.fromkeys(reads)),
        says=f"{event.name} events"
        + (", of merged records under the one that survives" if IDENTITY in reads else ""),
        means="",
        key=("event_id",),
        columns=(*(Column(field["name"], field.get("doc", "")) for field in event.fields), *named.values()),
        select=f"select fact.*{f' replace ({stands})' if stands else ''}"
        + "".join(f", fact.{column} as {name.name}" for column, name in named.items())
        + f" from {source} where {visible_from(event, 'zone')} <= $as_of",
        path=Path(__file__),
    )


_SURVIVOR = f"""
left join {IDENTITY} as {{kind}}
    on {{kind}}.kind = '{{kind}}' and {{kind}}.record_id = fact.{{column}}
    and {{kind}}.from_at <= $as_of and {{kind}}.until_at > $as_of
"""
