"""The view lead_stage: when each pass of a lead entered each stage, and how it stands there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from streams.simulator.clock import iso
from tests.oracle.deals_of_leads import deals_of_leads
from tests.oracle.lead_pass import Pass, passes
from tests.oracle.live_handoffs import Handoff, handoffs_of_leads
from tests.oracle.log import Fact, Log, Row, optional_iso
from tests.oracle.playbook import Playbook

KEY = ("lead_id", "pass", "stage")


@dataclass(frozen=True)
class Stay:
    """A pass in a stage; `index` is the stage's place in the playbook."""

    lead_id: str
    number: int
    index: int
    entered_at: int
    is_inferred: bool
    is_suspect: bool
    advanced_at: int | None
    left_at: int | None
    outcome: str


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per lead, pass and stage that it entered."""
    for stay in stays(log, playbook):
        yield {
            "lead_id": stay.lead_id,
            "pass": stay.number,
            "stage": playbook.text["stage"][stay.index]["id"],
            "entered_at": iso(stay.entered_at),
            "is_inferred": stay.is_inferred,
            "is_clock_suspect": stay.is_suspect,
            "advanced_at": optional_iso(stay.advanced_at),
            "left_at": optional_iso(stay.left_at),
            "outcome": stay.outcome,
            "entered_on": playbook.day_of(stay.entered_at).isoformat(),
            "advanced_on": None
            if stay.advanced_at is None
            else playbook.day_of(stay.advanced_at).isoformat(),
        }


@lru_cache(maxsize=4)
def stays(log: Log, playbook: Playbook) -> list[Stay]:
    """Every pass in each stage up to its furthest one."""
    open_deals = {
        lead_id: [deal.opened_at for deal in of_lead if deal.status == "open" and deal.opened_at is not None]
        for lead_id, of_lead in deals_of_leads(log, playbook).items()
    }
    handoffs = handoffs_of_leads(log, playbook)
    found = []
    for lead_id, of_lead in passes(log, playbook).items():
        facts = log.by_lead.get(lead_id, [])
        for each in of_lead:
            found += _stays(playbook, each, facts, handoffs.get(lead_id, []), open_deals.get(lead_id, []))
    return found


def _stays(
    playbook: Playbook, each: Pass, facts: list[Fact], handoffs: list[Handoff], open_deals: list[int]
) -> Iterator[Stay]:
    own = [
        min(
            (e for e in each.entries if e.index == index),
            key=lambda e: (e.entered_at, e.reported_at),
            default=None,
        )
        for index in range(len(playbook.text["stage"]))
    ]
    furthest = max(index for index, entry in enumerate(own) if entry is not None)
    # A later stage implies this one.
    entered = [
        min(entry.entered_at for entry in own[index:] if entry is not None) for index in range(furthest + 1)
    ]
    for index in range(furthest + 1):
        entry, at = own[index], entered[index]
        outcome, left_at = "advanced", entered[index + 1] if index < furthest else None
        if index == furthest:
            outcome, left_at = _end(playbook, each, facts, handoffs, open_deals, index)
        yield Stay(
            each.lead_id,
            each.number,
            index,
            at,
            is_inferred=entry is None or entry.entered_at != at,
            is_suspect=entry is not None and entry.is_suspect,
            advanced_at=left_at if outcome == "advanced" else None,
            left_at=left_at,
            outcome=outcome,
        )


def _end(
    playbook: Playbook,
    each: Pass,
    facts: list[Fact],
    handoffs: list[Handoff],
    open_deals: list[int],
    furthest: int,
) -> tuple[str, int | None]:
    """What became of a pass in the furthest stage it entered, and when it left it."""
    if furthest == len(playbook.text["stage"]) - 1 or each.outcome == "won":
        return "still_there", None
    if each.outcome != "open":
        return "lost", each.ended_at
    # What lies before the first pass, by a clock that disagrees, belongs to it.
    since = each.began_at if each.number > 1 else -(10**18)
    returns = [f.occurred_at for f in facts if f.type == "HandoffReturned" and f.occurred_at >= since]
    has_owner = any(h.until_at is None and h.held_at >= since for h in handoffs)
    if returns and not has_owner and not any(at >= since for at in open_deals):
        return "returned", max(returns)
    teams = {team["id"] for team in playbook.text["team"]}
    offers = [fact for fact in facts if fact.type == "HandoffOffered" and fact.occurred_at >= since]
    if offers and offers[-1].fields["to_team"] not in teams:
        return "elsewhere", offers[-1].occurred_at
    return "still_there", None
