"""The oracle: what the views say, computed a second time in plain Python, from a log and a playbook.

The tests hold the views against it. It shares no SQL with them and no module of `schemas`, `projections` or
`warehouse`; what it shares with the simulator are its calendars. One module is one view, of the same name:
`rows(log, playbook, as_of)` gives the rows and `KEY` names the columns that identify them. Money, days and
instants are text in a row.

It can be run over any log of a moderate size: `python -m tests.oracle events.jsonl`
(docs/guides/verification.md).

What it leaves out: playbooks that were signed during the log (one playbook is always in force), erased
subjects, and measured handoffs and alerts, which are events of Baton's own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from streams.simulator.clock import microseconds_of
from tests.oracle import (
    account_churn,
    attribution,
    attribution_team,
    black_hole,
    booking,
    buying_group,
    buying_group_account,
    campaign_outcome,
    deal_attribute,
    deal_lead,
    deal_stage,
    deal_stay,
    deal_without_lead,
    decision,
    definition_quality,
    dispute,
    feedback_loop,
    freshness,
    funnel_stage,
    funnel_stage_slice,
    gap_bridge,
    goal,
    goal_attainment,
    goal_cascade,
    goal_cases,
    handoff,
    handoff_latency,
    handoff_pair_slice,
    handoff_sla,
    joint_call,
    lead,
    lead_attribute,
    lead_dimension,
    lead_identity,
    lead_journey,
    lead_pass,
    lead_stage,
    lead_verdict,
    obligation,
    opportunity,
    opportunity_amount,
    pipeline_coverage,
    pipeline_velocity,
    promise_churn,
    promise_ledger,
    qualification,
    retention,
    sla_kept,
    speed_to_lead,
    stage_conversion,
    stage_time,
    subscription_term,
    unit_economics,
    win,
    win_rate,
    win_rate_slice,
)
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook

__all__ = ["KEYS", "Log", "Playbook", "Row", "rows"]

_VIEWS: Final = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        account_churn,
        attribution,
        attribution_team,
        black_hole,
        booking,
        buying_group,
        buying_group_account,
        campaign_outcome,
        deal_attribute,
        deal_lead,
        deal_stage,
        deal_stay,
        deal_without_lead,
        decision,
        definition_quality,
        dispute,
        feedback_loop,
        freshness,
        funnel_stage,
        funnel_stage_slice,
        gap_bridge,
        goal,
        goal_attainment,
        goal_cascade,
        goal_cases,
        handoff,
        handoff_latency,
        handoff_pair_slice,
        handoff_sla,
        joint_call,
        lead,
        lead_attribute,
        lead_dimension,
        lead_identity,
        lead_journey,
        lead_pass,
        lead_stage,
        lead_verdict,
        obligation,
        opportunity,
        opportunity_amount,
        pipeline_coverage,
        pipeline_velocity,
        promise_churn,
        promise_ledger,
        qualification,
        retention,
        sla_kept,
        speed_to_lead,
        stage_conversion,
        stage_time,
        subscription_term,
        unit_economics,
        win,
        win_rate,
        win_rate_slice,
    )
}
# View -> the columns that identify its rows.
KEYS: Final[dict[str, tuple[str, ...]]] = {view: module.KEY for view, module in _VIEWS.items()}


def rows(view: str, log: Log, playbook: Playbook, as_of: datetime) -> list[Row]:
    """What the view must say at an instant, in no particular order. What happened later is left out."""
    at = microseconds_of(as_of)
    return list(_VIEWS[view].rows(log.until(at, playbook), playbook, at))
