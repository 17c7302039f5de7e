"""All truths of a simulation: which views have one, by which columns a row is known, and who tells it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from streams.simulator.facts import LeadFacts
from streams.simulator.funnel import Funnel, opportunities
from streams.simulator.rules import Rules
from streams.simulator.simulation import Chapter
from streams.simulator.tellers import Row, Teller
from streams.simulator.true_cascade import CascadeTruths
from streams.simulator.true_coverage import CoverageTruths
from streams.simulator.true_customers import CustomerTruths
from streams.simulator.true_feedback import CallTruths, FeedbackTruths
from streams.simulator.true_goals import GoalTruths
from streams.simulator.true_groups import GroupTruths
from streams.simulator.true_identity import IdentityTruths
from streams.simulator.true_money import MoneyTruths
from streams.simulator.true_qualification import QualificationTruths
from streams.simulator.truth import STATES, HandoffTruth, statuses

# View -> the columns that tell its rows apart.
KEYS: dict[str, tuple[str, ...]] = {
    "handoff": ("handoff_id",),
    "handoff_latency": ("handoff_id",),
    "handoff_sla": ("handoff_id", "sla"),
    "opportunity": ("opportunity_id",),
    "black_hole": ("state",),
    "funnel_stage": ("stage", "window_start"),
    "lead": ("lead_id",),
    "lead_identity": ("lead_id",),
    "qualification": ("lead_id",),
    "lead_verdict": ("lead_id",),
    "definition_quality": ("segment",),
    "win": ("opportunity_id",),
    "attribution": ("opportunity_id", "model", "session_id"),
    "attribution_team": ("model", "period", "team"),
    "campaign_outcome": ("campaign_id",),
    "unit_economics": ("period",),
    "buying_group": ("account_id", "role"),
    "buying_group_account": ("account_id",),
    "promise_ledger": ("promise_id",),
    "promise_churn": ("promise_state",),
    "retention": ("period",),
    "feedback_loop": ("from_team", "to_team", "reason_code"),
    "joint_call": ("is_marketing_present",),
    "dispute": ("dispute_id",),
    "goal": ("goal_id",),
    "goal_attainment": ("period", "owner_team", "metric"),
    "goal_cases": ("goal_id", "step"),
    "goal_cascade": ("goal_id", "step"),
    "gap_bridge": ("goal_id", "cause"),
    "opportunity_amount": ("opportunity_id",),
    "pipeline_coverage": ("looked_on", "closes_in"),
}

__all__ = ["KEYS", "HandoffTruths", "Row", "all_truths"]


class HandoffTruths:
    """Handoffs, their latency and SLAs, the funnel and the deals."""

    def __init__(self, rules: Rules, as_of: int) -> None:
        self._rules = rules
        self._as_of = as_of
        self._funnel = Funnel(rules)
        self._states = dict.fromkeys(STATES, 0)

    def add(self, chapter: Chapter) -> Iterator[tuple[str, Row]]:
        """Count one lead."""
        if not chapter.is_lead:
            return
        facts = LeadFacts(chapter.facts)
        self._funnel.add(facts)
        closed = statuses(facts)
        for handoff in facts.handoffs.values():
            truth = HandoffTruth(handoff, facts, self._rules, self._as_of)
            state = truth.state(closed)
            self._states[state] += 1
            yield "handoff", {"handoff_id": handoff.handoff_id, "state": state}
            yield "handoff_latency", truth.latency()
            for row in truth.sla_rows():
                yield "handoff_sla", row
        for row in opportunities(facts):
            yield "opportunity", row

    def finish(self) -> Iterable[tuple[str, Row]]:
        """Write the views that count over all leads."""
        for state, handoffs in self._states.items():
            yield "black_hole", {"state": state, "handoffs": handoffs}
        for row in self._funnel.rows():
            yield "funnel_stage", row


def all_truths(rules: Rules, as_of: int) -> tuple[Teller, ...]:
    """Everybody who tells a truth about the same story. as_of: microseconds since 1970."""
    qualification = QualificationTruths(rules, as_of)
    return (
        HandoffTruths(rules, as_of),
        IdentityTruths(),
        qualification,
        MoneyTruths(rules, as_of, qualification),
        GroupTruths(rules, as_of, qualification),
        CustomerTruths(rules, as_of),
        FeedbackTruths(rules, as_of),
        CallTruths(rules),
        GoalTruths(rules, as_of),
        CascadeTruths(rules, as_of, qualification),  # after it, for it asks who is qualified
        CoverageTruths(rules, as_of),
    )
