"""What is true of what the teams told each other: returns and their answers, joint calls, disputes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from statistics import median

from streams.simulator.clock import DAY, iso
from streams.simulator.facts import Fact, HandoffFacts, LeadFacts
from streams.simulator.rules import Rules
from streams.simulator.simulation import Chapter
from streams.simulator.tellers import Row
from streams.simulator.true_customers import Money, minimum_n
from streams.simulator.truth import HandoffTruth

DISPOSITIONS = ("nurture", "fix_data", "reroute", "disqualify")
COUNTS: tuple[str, ...] = ("returned", "acknowledged", "acknowledged_in_time", "past_due", *DISPOSITIONS)
COUNTS += ("other_disposition", "offered_again", "converted_after")
ADVANCED_WITHIN = 14 * DAY
AMOUNTS = ("OpportunityOpened", "OpportunityRevised", "OpportunityWon")
OUTCOMES = ("OpportunityWon", "OpportunityLost")


class FeedbackTruths:
    """The loop from a return to its answer, and disputes."""

    def __init__(self, rules: Rules, as_of: int) -> None:
        self._rules = rules
        self._as_of = as_of
        self._loops: dict[tuple[str, str, str], dict[str, int]] = {}
        self._minutes: dict[tuple[str, str, str], list[float]] = {}

    def add(self, chapter: Chapter) -> Iterator[tuple[str, Row]]:
        """Count the returns of a lead; a dispute's facts lie in one chapter."""
        for row in self._disputes(sorted(chapter.facts)):
            yield "dispute", row
        if chapter.is_lead:
            lead = LeadFacts(chapter.facts)
            for handoff in lead.handoffs.values():
                if handoff.returned:
                    self._count(handoff, lead)

    def _count(self, handoff: HandoffFacts, lead: LeadFacts) -> None:
        last = handoff.returned[-1]
        key = (handoff.from_team, handoff.to_team, last.fields["reason_code"])
        counts = self._loops.setdefault(key, dict.fromkeys(COUNTS, 0))
        counts["returned"] += 1
        counts["offered_again"] += handoff.is_recycled
        counts["converted_after"] += any(
            opening.occurred_at > last.occurred_at for opening in _openings(lead, handoff.lead_id)
        )
        for row in HandoffTruth(handoff, lead, self._rules, self._as_of).sla_rows():
            if row["sla"] == "acknowledge_return":
                counts["acknowledged_in_time"] += row["is_met"]
                counts["past_due"] += row["is_past_due"]
                if row["met_at"] is not None and not row["is_clock_suspect"]:
                    self._minutes.setdefault(key, []).append(row["used_minutes"])
        if handoff.acknowledged:
            disposition = handoff.acknowledged[0].fields["disposition"]
            counts["acknowledged"] += 1
            counts[disposition if disposition in DISPOSITIONS else "other_disposition"] += 1

    def finish(self) -> Iterator[tuple[str, Row]]:
        """The loops of every pair and reason."""
        for key, counts in self._loops.items():
            minutes = self._minutes.get(key, [])
            ids = dict(zip(("from_team", "to_team", "reason_code"), key, strict=True))
            middle = median(minutes) if minutes else None
            yield "feedback_loop", {**ids, **counts, "median_ack_minutes": middle, "n": len(minutes)}

    def _disputes(self, facts: list[Fact]) -> list[Row]:
        rows: dict[str, Row] = {}
        resolved = {f.fields["dispute_id"]: f for f in facts if f.type == "DisputeResolved"}
        for opened in (fact for fact in facts if fact.type == "DisputeOpened"):
            said, end = opened.fields, resolved.get(opened.fields["dispute_id"])
            if said["dispute_id"] in rows:
                continue
            until = self._as_of if end is None else end.occurred_at
            rows[said["dispute_id"]] = {
                "dispute_id": said["dispute_id"],
                "opened_at": iso(opened.occurred_at),
                "opened_by_team": said["opened_by_team"],
                "subject_kind": said["subject_kind"],
                "subject_id": said["subject_id"],
                "reason": said["reason"],
                "resolved_at": None if end is None else iso(end.occurred_at),
                "resolution": None if end is None else end.fields["resolution"],
                "resolved_by": None if end is None else end.fields["resolved_by"],
                "open_days": (until - opened.occurred_at) / DAY,
                "is_open": end is None,
            }
        return list(rows.values())


def _openings(lead: LeadFacts, lead_id: str) -> Iterable[Fact]:
    """Openings of the lead's deals: by its own id, else by that of one of its handoffs."""
    for opening in lead.of("OpportunityOpened"):
        if opening.fields["lead_id"] == lead_id:
            yield opening
        elif opening.fields["lead_id"] is None and opening.fields["handoff_id"] in lead.handoffs:
            yield opening


class CallTruths:
    """Calls with Marketing and without, and what became of their deals."""

    def __init__(self, rules: Rules) -> None:
        self._money = Money(dict(rules.text))
        self._minimum_n = minimum_n(dict(rules.text))
        self._counts = {joint: {"calls": 0, "on_deals": 0, "advanced": 0} for joint in (True, False)}
        self._deals: dict[bool, list[tuple[str | None, Decimal | None]]] = {True: [], False: []}

    def add(self, chapter: Chapter) -> Iterable[tuple[str, Row]]:
        """Count a lead's calls; a deal and its calls lie in one chapter."""
        calls: dict[str, Fact] = {}
        facts = sorted(chapter.facts)
        for fact in facts:
            if fact.type == "CallHeld":
                calls.setdefault(fact.fields["call_id"], fact)
        joint: dict[str, bool] = {}
        for call in calls.values():
            deal, is_joint = call.fields["opportunity_id"], call.fields["is_marketing_present"]
            counts = self._counts[is_joint]
            counts["calls"] += 1
            if deal is not None:
                counts["on_deals"] += 1
                counts["advanced"] += any(
                    fact.type == "OpportunityStageEntered"
                    and fact.fields["opportunity_id"] == deal
                    and 0 < fact.occurred_at - call.occurred_at <= ADVANCED_WITHIN
                    for fact in facts
                )
                joint[deal] = joint.get(deal, False) or is_joint
        for deal, is_joint in joint.items():
            self._deals[is_joint].append(
                self._deal([f for f in facts if f.fields.get("opportunity_id") == deal])
            )
        return ()

    def _deal(self, facts: list[Fact]) -> tuple[str | None, Decimal | None]:
        """How a deal ended so far, and what it was last said to be worth."""
        outcome = next((f.type for f in reversed(facts) if f.type in OUTCOMES), None)
        worth = (f.fields for f in reversed(facts) if f.type in AMOUNTS and f.fields["amount"] is not None)
        return outcome, self._money.of(next(worth, {}))

    def finish(self) -> Iterator[tuple[str, Row]]:
        """Both rows."""
        for is_joint, counts in self._counts.items():
            deals = self._deals[is_joint]
            amounts = [amount for _, amount in deals if amount is not None]
            won = sum(outcome == "OpportunityWon" for outcome, _ in deals)
            lost = sum(outcome == "OpportunityLost" for outcome, _ in deals)
            middle = median(amounts).quantize(Decimal("0.01"), ROUND_HALF_UP) if amounts else None
            yield (
                "joint_call",
                {
                    "is_marketing_present": is_joint,
                    "calls": counts["calls"],
                    "calls_on_deals": counts["on_deals"],
                    "advanced_within_14_days": counts["advanced"],
                    "deals": len(deals),
                    "won": won,
                    "lost": lost,
                    "still_open": len(deals) - won - lost,
                    "win_rate": won / (won + lost) if won + lost else None,
                    "median_amount": None if middle is None else str(middle),
                    "unpriced": len(deals) - len(amounts),
                    "n": won + lost,
                    "is_enough": won + lost >= self._minimum_n,
                    "currency": self._money.currency,
                },
            )
