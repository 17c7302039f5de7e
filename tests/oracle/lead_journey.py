"""The view lead_journey: one lead's life in order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from streams.simulator.clock import iso, minutes
from tests.oracle.log import Fact, Log, Row
from tests.oracle.playbook import Playbook

KEY = ("lead_id", "position")
LIFE = (
    "LeadCaptured", "TouchRecorded", "LeadProfiled", "BuyingGroupMemberIdentified", "HandoffOffered",
    "HandoffReassigned", "HandoffAccepted", "HandoffReturned", "FeedbackAcknowledged", "ContactAttempted",
    "BuyerReached", "OpportunityOpened", "OpportunityReopened", "OpportunityRevised",
    "OpportunityStageEntered", "CallHeld", "PromiseMade", "OpportunityWon", "OpportunityLost",
)  # fmt: skip


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per event that names a lead."""
    merged = log.merged["lead"]
    lives: dict[str, list[Fact]] = defaultdict(list)
    for fact in log.facts:
        lead_id = fact.fields["lead_id"]
        if lead_id is not None:
            lives[merged[lead_id][0] if lead_id in merged else lead_id].append(fact)
    for lead_id, life in lives.items():
        before: Fact | None = None
        for position, fact in enumerate(sorted(life, key=_place), start=1):
            is_day = fact.is_day_only
            is_spaced = before is not None and not is_day and not before.is_day_only
            yield {
                "lead_id": lead_id,
                "position": position,
                "event_type": fact.type,
                "event_id": fact.event_id,
                "occurred_at": iso(fact.occurred_at),
                "is_day_only": is_day,
                "minutes_since_previous": minutes(fact.occurred_at - before.occurred_at)
                if before is not None and is_spaced
                else None,
                "recorded_late_minutes": None if is_day else minutes(fact.recorded_at - fact.occurred_at),
            }
            before = fact


def _place(fact: Fact) -> tuple[int, int, str, str]:
    rank = LIFE.index(fact.type) if fact.type in LIFE else len(LIFE)
    return fact.occurred_at, rank, fact.type, fact.event_id
