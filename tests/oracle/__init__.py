"""The oracle: every number of Baton computed a second time, in plain Python, from a log and a playbook.

The tests hold the views against it. It shares no SQL with them and no module of `schemas`, `projections` or
`warehouse`; what it shares with the simulator are its calendars. One module is one view, of the same name:
`rows(log, playbook, as_of)` gives the rows and `KEY` names the columns that identify them. Money, days and
instants are text in a row.

It can be run over any log of a moderate size:

    from datetime import datetime
    from pathlib import Path
    from tests import oracle

    log = oracle.Log.from_file(Path("events.jsonl"))
    as_of = datetime.fromisoformat("2026-05-05T14:00Z")
    oracle.rows("handoff_latency", log, oracle.Playbook(), as_of)

What it leaves out: playbooks that were signed during the log (one playbook is always in force), erased
subjects, and measured handoffs and alerts, which are events of Baton's own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from streams.simulator.clock import microseconds_of
from tests.oracle import (
    attribution,
    attribution_team,
    black_hole,
    booking,
    buying_group,
    buying_group_account,
    campaign_outcome,
    deal_lead,
    deal_stage,
    deal_stay,
    definition_quality,
    dispute,
    feedback_loop,
    funnel_stage,
    gap_bridge,
    goal,
    goal_attainment,
    goal_cascade,
    goal_cases,
    handoff,
    handoff_latency,
    handoff_sla,
    joint_call,
    lead,
    lead_identity,
    lead_verdict,
    opportunity,
    opportunity_amount,
    pipeline_coverage,
    pipeline_velocity,
    promise_churn,
    promise_ledger,
    qualification,
    retention,
    unit_economics,
    win,
    win_rate,
)
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook

__all__ = ["KEYS", "Log", "Playbook", "Row", "rows"]

_VIEWS: Final = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        attribution,
        attribution_team,
        black_hole,
        booking,
        buying_group,
        buying_group_account,
        campaign_outcome,
        deal_lead,
        deal_stage,
        deal_stay,
        definition_quality,
        dispute,
        feedback_loop,
        funnel_stage,
        gap_bridge,
        goal,
        goal_attainment,
        goal_cascade,
        goal_cases,
        handoff,
        handoff_latency,
        handoff_sla,
        joint_call,
        lead,
        lead_identity,
        lead_verdict,
        opportunity,
        opportunity_amount,
        pipeline_coverage,
        pipeline_velocity,
        promise_churn,
        promise_ledger,
        qualification,
        retention,
        unit_economics,
        win,
        win_rate,
    )
}
# View -> the columns that identify its rows.
KEYS: Final[dict[str, tuple[str, ...]]] = {view: module.KEY for view, module in _VIEWS.items()}

# Of what happened after as_of, these views leave out merges only (docs/adr/0009-historical-snapshots.md).
USES_LATER_EVENTS: Final = {
    "black_hole",
    "funnel_stage",
    "handoff",
    "handoff_latency",
    "handoff_sla",
}


def rows(view: str, log: Log, playbook: Playbook, as_of: datetime) -> list[Row]:
    """What the view must say of the log at an instant, in no particular order."""
    at = microseconds_of(as_of)
    seen = log.with_merges_until(at) if view in USES_LATER_EVENTS else log.until(at)
    return list(_VIEWS[view].rows(seen, playbook, at))
