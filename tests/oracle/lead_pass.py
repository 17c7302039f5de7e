"""The view lead_pass: each way of a lead through the funnel, until a win, a loss or a disqualification."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from streams.simulator.clock import iso
from tests.oracle.deals_of_leads import Deal, begun, deals_of_leads
from tests.oracle.live_handoffs import Handoff, handoffs_of_leads
from tests.oracle.log import Fact, Log, Row, is_buyer_signal, optional_iso
from tests.oracle.playbook import Playbook

KEY = ("lead_id", "pass")
FOREVER = 10**18
# Of several ends in one instant the first of these counts.
ENDS = ("won", "lost", "disqualified")


class Entry(NamedTuple):
    """An event that enters a stage. It belongs to the pass that was open at `begun_at`."""

    index: int
    entered_at: int
    begun_at: int
    reported_at: int
    after_loss: bool
    after_win: bool
    is_suspect: bool


class End(NamedTuple):
    """What may end the pass in which it began."""

    ended_at: int
    begun_at: int
    outcome: str


@dataclass
class Pass:
    """One pass; `entries` are its events that enter a stage."""

    lead_id: str
    number: int
    began_at: int
    ended_at: int | None = None
    outcome: str = "open"
    entries: list[Entry] = field(default_factory=list)

    def holds(self, at: int) -> bool:
        """Whether an instant lies in it."""
        return self.began_at <= at <= (FOREVER if self.ended_at is None else self.ended_at)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per lead and pass."""
    for each in (each for of_lead in passes(log, playbook).values() for each in of_lead):
        yield {
            "lead_id": each.lead_id,
            "pass": each.number,
            "began_at": iso(each.began_at),
            "ended_at": optional_iso(each.ended_at),
            "outcome": each.outcome,
        }


@lru_cache(maxsize=4)
def passes(log: Log, playbook: Playbook) -> dict[str, list[Pass]]:
    """The passes of each lead that entered a stage, in their order."""
    deals_of, handoffs = deals_of_leads(log, playbook), handoffs_of_leads(log, playbook)
    found = {}
    for lead_id in {*log.by_lead, *deals_of}:
        facts, deals = log.by_lead.get(lead_id, []), deals_of.get(lead_id, [])
        born_at = min((f.occurred_at for f in facts if f.type == "LeadCaptured"), default=-FOREVER)
        entries = _entries(playbook, facts, deals, born_at)
        ends = _ends(facts, deals, handoffs.get(lead_id, []), born_at)
        if entries:
            found[lead_id] = _walk(lead_id, entries, ends)
    return found


def _walk(lead_id: str, entries: list[Entry], ends: list[End]) -> list[Pass]:
    """Live through what happened to a lead, instant by instant; an end comes last in its instant."""
    found: list[Pass] = []
    instants = sorted({*(entry.begun_at for entry in entries), *(end.ended_at for end in ends)})
    for at in instants:
        last = found[-1] if found else None
        if last is None or last.ended_at is not None:
            begins = [
                entry
                for entry in entries
                if entry.begun_at == at
                and (last is None or (entry.after_win if last.outcome == "won" else entry.after_loss))
            ]
            if not begins:
                continue
            found.append(Pass(lead_id, len(found) + 1, at))
        current, before = found[-1], found[-2].ended_at if len(found) > 1 else None
        due = [e.outcome for e in ends if e.ended_at == at and (before is None or e.begun_at > before)]
        if due:
            current.ended_at, current.outcome = at, min(due, key=ENDS.index)
    for each in found:
        each.entries = [entry for entry in entries if each.holds(entry.begun_at)]
    return found


def _entries(playbook: Playbook, facts: list[Fact], deals: list[Deal], born_at: int) -> list[Entry]:
    sales = {team["id"] for team in playbook.text["team"] if team["side"] == "sales"}
    index = {stage["entered_by"]: at for at, stage in enumerate(playbook.text["stage"])}
    found = []

    def enter(
        type_: str, at: int, begun_at: int, after_loss: bool, after_win: bool, is_on_some_day: bool = False
    ) -> None:
        if type_ in index:
            later, began = max(at, born_at), max(begun_at, born_at)
            is_that_day = is_on_some_day and born_at > 0 and playbook.day_of(at) == playbook.day_of(born_at)
            is_suspect = at < born_at and not is_that_day
            found.append(Entry(index[type_], later, began, at, after_loss, after_win, is_suspect))

    for fact in facts:
        at = fact.occurred_at
        if fact.type == "LeadCaptured":
            enter(fact.type, at, at, True, True)
        elif fact.type == "HandoffOffered":
            enter(fact.type, at, at, True, fact.fields["from_team"] not in sales)
        elif fact.type == "HandoffAccepted" or is_buyer_signal(fact):
            enter(fact.type, at, at, True, False)
        elif fact.type == "BuyerReached":
            enter(fact.type, at, at, False, False)
    for deal in deals:
        began = begun(deal)
        if deal.opened_at is not None and began is not None:
            enter("OpportunityOpened", deal.opened_at, began, True, True, deal.is_opened_on_some_day)
        if deal.status == "won" and deal.closed_at is not None and began is not None:
            enter("OpportunityWon", deal.closed_at, began, True, True)
    return found


def _ends(facts: list[Fact], deals: list[Deal], handoffs: list[Handoff], born_at: int) -> list[End]:
    """Every win; a loss that leaves no deal open; a disqualification of a lead that nobody has."""

    def is_deal_open(at: int) -> bool:
        began = [(begun(deal), deal) for deal in deals]
        return any(
            when is not None and when <= at and (deal.closed_at is None or deal.closed_at > at)
            for when, deal in began
        )

    found = []
    for deal in deals:
        if deal.closed_at is not None and (deal.status == "won" or not is_deal_open(deal.closed_at)):
            found.append(End(max(deal.closed_at, born_at), begun(deal) or 0, deal.status))
    began_at = {handoff.handoff_id: handoff.from_at for handoff in handoffs}
    first: dict[str, int] = {}
    for fact in facts:
        if fact.type == "FeedbackAcknowledged" and fact.fields["disposition"] == "disqualify":
            first.setdefault(fact.fields["handoff_id"], fact.occurred_at)
    for handoff_id, at in first.items():
        if not is_deal_open(at) and not any(handoff.is_live(at) for handoff in handoffs):
            found.append(End(max(at, born_at), began_at.get(handoff_id, at), "disqualified"))
    return found
