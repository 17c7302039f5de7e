"""What both departments look at together: the panels of the page and of the meeting pack, each declared once.

Page and pack show the same panels, so that no number has two sources. tests/streams/queries/test_panels.py
compares every panel with its view, and every count that opens with the rows it opens.
"""

# long: one table, a panel after the other
from __future__ import annotations

from streams.queries.panel import Figure, Opens, Panel

GOAL = Panel(
    "goal",
    "The shared goal",
    "How much of each goal of the period is reached, whether that is enough for the days that have passed,"
    " and what"
    " is missing in money.",
    "goal_attainment",
    (
        Figure("metric", "goal", "name"),
        Figure("owner_team", "owner", "name"),
        Figure("goal_amount", "goal amount", "money"),
        Figure("actual", "reached", "money"),
        Figure("attained_share", "reached, share", "share"),
        Figure("elapsed_share", "time gone", "share"),
        Figure("expected_by_now", "expected by now", "money"),
        Figure("pace", "pace", "share"),
        Figure("gap", "gap", "money"),
        Figure("n", "n", "count"),
        Figure("unpriced", "without a price", "count"),
    ),
    ("metric", "owner_team", "scope"),
    is_sliced=False,
)

GAP = Panel(
    "gap",
    "Where the gap comes from",
    "The gap to the revenue goal by cause, in money; the causes add up to it, to the cent. A positive"
    " amount is"
    " missing, a negative one was gained.",
    "gap_bridge",
    (
        Figure("cause", "cause", "name"),
        Figure("owner_team", "owner", "name"),
        Figure("amount", "part of the gap", "money"),
        Figure("n", "n", "count"),
        Figure("is_enough", "enough cases", "flag"),
        Figure("says", "in a sentence", "text"),
    ),
    ("cause",),
    "waterfall",
    is_sliced=False,
)

_PAIR = {"from_team": "=from_team", "to_team": "=to_team"}
CLOCK = Panel(
    "clock",
    "The handoff clock",
    "How fast one team answers another, in business minutes, with how many cases, and how often its"
    " promise was kept.",
    "handoff_pair_slice",
    (
        Figure("from_team", "from", "name"),
        Figure("to_team", "to", "name"),
        Figure("offered", "offered", "count", Opens("handoff_latency", _PAIR, "offered_at")),
        Figure("n", "answered", "count"),
        Figure("p50_minutes", "p50", "minutes"),
        Figure("p90_minutes", "p90", "minutes"),
        Figure("p95_minutes", "p95", "minutes"),
        Figure("sla_kept_share", "SLA kept", "share"),
        Figure("sla_due", "ever missed", "count"),
        Figure("sla_past_due", "past due", "count"),
        Figure("clock_suspect", "clocks disagree", "count"),
    ),
    ("from_team", "to_team"),
)


def _band(name: str, band: str, label: str = "") -> Figure:
    where = {**_PAIR, "band": band, "answered_at": "not null"}
    return Figure(
        name, label or f"{band} min", "count", Opens("handoff_latency", where, "offered_at"), "band"
    )


BANDS = Panel(
    "bands",
    "Answers by band",
    "How many first answers came within 5, 15 and 60 wall-clock minutes of the offer, as the buyer feels"
    " them, and"
    " how many offers have none yet.",
    "handoff_latency",
    (
        Figure("from_team", "from", "name"),
        Figure("to_team", "to", "name"),
        _band("within_5", "0-5"),
        _band("within_15", "5-15"),
        _band("within_60", "15-60"),
        _band("over_60", "60+"),
        Figure(
            "unanswered",
            "no answer yet",
            "count",
            Opens("handoff_latency", {**_PAIR, "answered_at": "null"}, "offered_at"),
            "answered_at",
        ),
        _band("clock_suspect", "null", "clocks disagree"),
    ),
    ("from_team", "to_team"),
    "bands",
)

_OWED = {"sla": "=sla", "owed_by": "=owed_by", "is_clock_suspect": "false"}
SLA = Panel(
    "sla",
    "What each side owes the other",
    "Of the answers and attempts whose clock began in the window, how many were met and missed, by the"
    " team that"
    " owed them.",
    "sla_kept",
    (
        Figure("owed_by", "owed by", "name"),
        Figure("sla", "SLA", "name"),
        Figure("owed", "owed", "count"),
        Figure("met", "met", "count", Opens("obligation", {**_OWED, "outcome": "met"}, "starts_at")),
        Figure("missed", "missed", "count", Opens("obligation", {**_OWED, "outcome": "missed"}, "starts_at")),
        Figure("open", "open", "count", Opens("obligation", {**_OWED, "outcome": "open"}, "starts_at")),
        Figure(
            "past_due",
            "past due",
            "count",
            Opens("obligation", {**_OWED, "is_past_due": "true"}, "starts_at"),
        ),
        Figure("kept_share", "kept", "share"),
    ),
    ("sla", "owed_by"),
)

_WAITS = {**_PAIR, "owed_by": "=owed_by", "sla": "=sla"}


def _waits(name: str, label: str, column: str, value: str = "true") -> Figure:
    return Figure(name, label, "count", Opens("obligation", {**_WAITS, column: value}), column)


WAITING = Panel(
    "waiting",
    "Who waits on whom",
    "What is owed right now, by which team and to which: open in time, at risk, and past due.",
    "obligation",
    (
        Figure("owed_by", "waits on", "name"),
        Figure("owed_to", "who waits", "name", column="from_team"),
        Figure("sla", "for", "name"),
        _waits("open", "in time", "outcome", "open"),
        _waits("at_risk", "of these at risk", "is_at_risk"),
        _waits("past_due", "past due", "is_past_due"),
        Figure("oldest_due_at", "oldest was due", "instant", column="due_at"),
    ),
    ("owed_by", "owed_to", "sla"),
    is_windowed=False,
)

# What one case books on average, by what is late: an offer nobody answered is a qualified lead, one nobody
# worked
# an accepted lead. A handoff that is late twice may cost it once.
LATE = Panel(
    "late",
    "Late right now",
    "What is past due and still owed, the oldest first, and what a lead at that step books on average.",
    "obligation",
    (
        Figure("handoff_id", "handoff", "id"),
        Figure("lead_id", "lead", "id", column="handoff_offer.lead_id"),
        Figure("sla", "owed", "name"),
        Figure("owed_by", "by", "name"),
        Figure("owner", "owner", "id"),
        Figure("due_at", "was due", "instant"),
        Figure("used_minutes", "minutes used", "minutes"),
        Figure("allowed_minutes", "allowed", "minutes"),
        Figure("may_cost", "may cost", "money", column="goal_cascade.amount_each"),
    ),
    ("handoff_id", "sla"),
    is_windowed=False,
)

BLACK_HOLE = Panel(
    "black_hole",
    "The black hole",
    "Where every lead handed over in the window is now; the states add up to the handoffs offered.",
    "black_hole_slice",
    (
        Figure("state", "state", "name"),
        Figure("handoffs", "handoffs", "count", Opens("handoff", {"state": "=state"}, "offered_at")),
        Figure("oldest_offered_at", "oldest offer", "instant"),
        Figure("says", "which is", "text", column="black_hole.says"),
    ),
    ("state",),
    "parts",
)


def _stage(name: str, label: str) -> Figure:
    where = {"stage": "=stage", "outcome": name}
    return Figure(name, label, "count", Opens("lead_stage", where, "entered_at"))


FUNNEL = Panel(
    "funnel",
    "One funnel, three rates",
    "Of those who entered a stage in the window: how many advanced, were lost, returned, went elsewhere or"
    " are still"
    " there. Cohort: the share that ever advanced. In-period: advances by entries. Open: still undecided.",
    "funnel_stage_slice",
    (
        Figure("stage", "stage", "name"),
        Figure("entered", "entered", "count", Opens("lead_stage", {"stage": "=stage"}, "entered_at")),
        _stage("advanced", "advanced"),
        _stage("lost", "lost"),
        _stage("returned", "returned"),
        _stage("elsewhere", "elsewhere"),
        _stage("still_there", "still there"),
        Figure("cohort_rate", "cohort", "share"),
        Figure("in_period_rate", "in-period", "share"),
        Figure("open_rate", "open", "share"),
    ),
    ("stage",),
    "funnel",
)

_VERSION = {"playbook_version": "=playbook_version", "is_qualified": "true"}
_WON = {"win_version": "=playbook_version"}
_NAMED = {**_WON, "is_named_before": "true"}


def _verdict(name: str, where: dict[str, str]) -> Figure:
    return Figure(name, name, "count", Opens("lead_outcome", {**_VERSION, **where}, "qualified_at"))


DEFINITION = Panel(
    "definition",
    "How good the definition is",
    "Of the qualified leads, how many Sales takes and wins (precision); of the wins, how many were"
    " qualified before"
    " (recall); and what was booked on those that were not.",
    "definition_quality_slice",
    (
        Figure("playbook_version", "version", "version"),
        _verdict("qualified", {}),
        _verdict("accepted", {"is_accepted": "true"}),
        _verdict("returned", {"is_accepted": "false"}),
        Figure("precision_at_acceptance", "precision at acceptance", "share"),
        _verdict("won", {"fate": "won"}),
        _verdict("lost", {"fate": "lost"}),
        Figure("precision_at_win", "precision at win", "share"),
        Figure("wins", "wins", "count", Opens("lead_outcome", _WON, "won_at")),
        Figure("wins_qualified", "of these named before", "count", Opens("lead_outcome", _NAMED, "won_at")),
        Figure("recall", "recall", "share"),
        Figure("missed_value", "booked on missed wins", "money"),
        Figure("is_enough", "enough cases", "flag"),
    ),
    ("playbook_version",),
)

_RETURNED = {**_PAIR, "return_reason": "=reason_code"}
RETURNS = Panel(
    "returns",
    "Returned leads, and the answers owed",
    "Why leads are given back, and whether the offering team has answered.",
    "feedback_loop_slice",
    (
        Figure("from_team", "owed by", "name"),
        Figure("to_team", "returned by", "name"),
        Figure("reason_code", "reason", "name"),
        Figure("returned", "returned", "count", Opens("handoff", _RETURNED, "returned_at")),
        Figure("acknowledged", "answered", "count"),
        Figure("past_due", "past due", "count"),
        Figure("median_ack_minutes", "median minutes", "minutes"),
        Figure("offered_again", "offered again", "count"),
        Figure("converted_after", "a deal later", "count"),
    ),
    ("from_team", "to_team", "reason_code"),
)

PROMISES = Panel(
    "promises",
    "Promises at risk",
    "What buyers were promised before the deal was won and is neither kept nor given up: overdue first,"
    " then by the"
    " day it is due.",
    "promise_ledger",
    (
        Figure("promise", "promise", "text"),
        Figure("account_id", "to", "id"),
        Figure("made_by", "by", "id"),
        Figure("due_on", "due", "day"),
        Figure("state", "state", "name"),
    ),
    ("promise_id",),
    is_sliced=False,
    is_windowed=False,
)

COVERAGE = Panel(
    "coverage",
    "Coverage of this and the next quarters",
    "Whether the open deals are enough for what is left of each quarter's goal: open pipeline / goal left,"
    " unweighted.",
    "pipeline_coverage",
    (
        Figure("horizon", "closing", "name"),
        Figure("closes_in", "quarter", "text"),
        Figure("open_pipeline_now", "open pipeline", "money"),
        Figure("deals_now", "deals", "count"),
        Figure("goal_left_now", "goal left", "money"),
        Figure("coverage_now", "coverage", "multiple"),
        Figure("unpriced", "without a price", "count"),
    ),
    ("horizon",),
    is_sliced=False,
    is_windowed=False,
)

SPEED = Panel(
    "speed",
    "Speed to lead",
    "How long buyers wait from their first unanswered signal to the first human attempt, in wall-clock"
    " minutes.",
    "speed_to_lead",
    (
        Figure("signals", "signals", "count"),
        Figure("attempted", "attempted", "count"),
        Figure("within_5_minutes", "within 5 min", "count"),
        Figure("within_60_minutes", "within 60 min", "count"),
        Figure("waiting", "still waiting", "count"),
        Figure("p50_minutes", "p50", "minutes"),
        Figure("p90_minutes", "p90", "minutes"),
        Figure("p95_minutes", "p95", "minutes"),
    ),
)

FRESHNESS = Panel(
    "freshness",
    "Freshness of each source",
    "How long each system has been silent, and how late its events were recorded.",
    "freshness",
    (
        Figure("source", "source", "text"),
        Figure("events", "events", "count"),
        Figure("last_recorded_at", "last recorded", "instant"),
        Figure("minutes_since_last", "silent for", "minutes"),
        Figure("p95_delay_minutes", "worst p95 delay", "minutes"),
    ),
    ("source",),
    is_sliced=False,
    is_windowed=False,
    is_slow=True,
)

_FAILED = {"topic": "=topic", "stage": "=stage", "event_type": "=event_type"}
FAILED = Panel(
    "failed",
    "Failed events",
    "Records that could not be read. Nothing is lost: their bytes are kept; baton failed ls says why.",
    "failed_events",
    (
        Figure("topic", "topic", "text"),
        Figure("stage", "stopped at", "name"),
        Figure("event_type", "event", "text"),
        Figure("records", "records", "count", Opens("failed_events", _FAILED), "stage"),
    ),
    ("topic", "stage", "event_type"),
    is_sliced=False,
    is_windowed=False,
)

DISPUTES = Panel(
    "disputes",
    "Open disputes",
    "That a number is disputed, since when, and which; its words are for those who settle it.",
    "dispute",
    (
        Figure("subject_kind", "about", "name"),
        Figure("subject_id", "which", "id"),
        Figure("opened_at", "since", "instant"),
        Figure("open_days", "days", "days"),
    ),
    ("dispute_id",),
    is_sliced=False,
    is_windowed=False,
)

ALERTS = Panel(
    "alerts",
    "Open alerts",
    "What is late or at risk now by the playbook's rules, and who has it. The handoff opens the evidence, the"
    " steps what became of the alert.",
    "alert",
    (
        Figure("severity", "severity", "name"),
        Figure("rule", "rule", "name"),
        Figure("handoff_id", "handoff", "id", column="subject"),
        Figure("subject", "about", "text"),
        Figure("owed_by", "whose part", "name"),
        Figure("owner", "owner", "id"),
        Figure("opened_at", "since", "instant"),
        Figure("due_at", "due", "instant"),
        Figure("state", "state", "name"),
        Figure("held_by", "who has it", "id"),
        Figure("snoozed_until", "snoozed until", "instant"),
        Figure(
            "steps", "steps", "count", Opens("alert_history", {"alert_id": "=alert_id"}), "alert_history.step"
        ),
        Figure(
            "undelivered",
            "not delivered",
            "count",
            Opens("alert_notice", {"alert_id": "=alert_id", "is_undelivered": "true"}),
            "alert_notice.is_undelivered",
        ),
    ),
    ("alert_id",),
    is_sliced=False,
    is_windowed=False,
)


def _became(name: str, label: str, state: str) -> Figure:
    return Figure(name, label, "count", Opens("alert", {"rule": "=rule", "state": state}), "state")


ALERT_RULES = Panel(
    "alert_rules",
    "What became of alerts",
    "How often each rule has fired, and how its alerts ended. One that is often retracted, or never"
    " acknowledged, is to be tuned: baton alerts test.",
    "alert",
    (
        Figure("rule", "rule", "name"),
        Figure("opened", "alerts", "count", Opens("alert", {"rule": "=rule"}), "alert_id"),
        _became("waiting", "open", "opened"),
        _became("acknowledged", "acknowledged", "acknowledged"),
        _became("snoozed", "snoozed", "snoozed"),
        _became("resolved", "resolved", "resolved"),
        _became("retracted", "retracted", "retracted"),
        Figure("latest_at", "latest", "instant", column="opened_at"),
    ),
    ("rule",),
    is_sliced=False,
    is_windowed=False,
)

# In the order of importance that is nobody's: an audience has its own (streams/queries/audiences.py).
PANELS = (
    GOAL,
    GAP,
    CLOCK,
    BANDS,
    SLA,
    WAITING,
    LATE,
    BLACK_HOLE,
    FUNNEL,
    DEFINITION,
    RETURNS,
    SPEED,
    PROMISES,
    COVERAGE,
    ALERTS,
    ALERT_RULES,
    DISPUTES,
    FRESHNESS,
    FAILED,
)


def panel(panel_id: str) -> Panel:
    """One of the panels. An id that is not there is a KeyError."""
    return {found.id: found for found in PANELS}[panel_id]
