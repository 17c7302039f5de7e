"""The panels that only the meeting pack shows, and in which order it shows all of its panels."""

from __future__ import annotations

from streams.queries import panels
from streams.queries.panel import Figure, Opens, Panel

_OF_HANDOFF = {"handoff_id": "=handoff_id", "is_clock_suspect": "false"}
TALK = Panel(
    "talk",
    "Ten handoffs worth talking about",
    "Those of the window, and those still past due, with the most that was missed: first what is past due,"
    " then how often and by how much the clock was overrun.",
    "handoff",
    (
        Figure("handoff_id", "handoff", "id"),
        Figure("lead_id", "lead", "id"),
        Figure("from_team", "from", "name"),
        Figure("to_team", "to", "name"),
        Figure("offered_at", "offered", "instant"),
        Figure("state", "state", "name"),
        Figure(
            "missed",
            "missed",
            "count",
            Opens("obligation", {**_OF_HANDOFF, "is_missed": "true"}),
            "obligation.is_missed",
        ),
        Figure(
            "past_due",
            "past due",
            "count",
            Opens("obligation", {**_OF_HANDOFF, "is_past_due": "true"}),
            "obligation.is_past_due",
        ),
        Figure("over_minutes", "worst overrun", "minutes", column="obligation.used_minutes"),
        Figure("reasons", "because", "text", column="obligation.sla"),
        Figure("return_reason", "returned for", "name"),
    ),
    ("handoff_id",),
)

GROUPS = Panel(
    "groups",
    "Buying groups that are stuck",
    "Companies with an open deal whose buying group is incomplete and late, or nearly late.",
    "buying_group_account",
    (
        Figure("account_id", "company", "id"),
        Figure("members", "people known", "count"),
        Figure("filled_roles", "roles filled", "count"),
        Figure("required_roles", "of", "count"),
        Figure("assigned_completeness", "complete", "share"),
        Figure("engaged_completeness", "engaged", "share"),
        Figure("open_deals", "open deals", "count"),
        Figure("due_at", "due", "instant"),
        Figure("state", "state", "name"),
    ),
    ("account_id",),
    is_sliced=False,
    is_windowed=False,
)

DECISIONS = Panel(
    "decisions",
    "Decisions, and whether they worked",
    "What was decided, and where the number that should move stood then, as known then, and stands now.",
    "decision",
    (
        Figure("decided_at", "decided", "instant"),
        Figure("decision", "decision", "text"),
        Figure("owner", "owner", "text"),
        Figure("number", "number", "text"),
        Figure("due_on", "by", "day"),
    ),
    ("decision_id",),
    is_sliced=False,
    is_windowed=False,
)

# As docs/guides/meeting_pack.md lists them; an audience has its own order.
PACK_PANELS = (
    panels.GOAL,
    panels.GAP,
    panels.SLA,
    panels.CLOCK,
    panels.BANDS,
    panels.WAITING,
    panels.BLACK_HOLE,
    TALK,
    panels.RETURNS,
    panels.DEFINITION,
    GROUPS,
    panels.PROMISES,
    panels.COVERAGE,
    DECISIONS,
    panels.DISPUTES,
)
