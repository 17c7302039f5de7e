"""The view joint_call: calls with Marketing and without, and what became of their deals."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from statistics import median

from streams.simulator.clock import DAY
from tests.oracle.log import Fact, Log, Row, first_by
from tests.oracle.opportunity import PRICED, latest_with, status
from tests.oracle.playbook import Playbook, decimal_text, nearest_cent

KEY = ("is_marketing_present",)
ADVANCED_WITHIN = 14 * DAY


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row with Marketing and one without. A deal with one joint call counts as joint."""
    calls = list(first_by("call_id", log.of("CallHeld")).values())
    on_deals = [call for call in calls if call.fields["opportunity_id"] is not None]
    joint = {call.fields["opportunity_id"] for call in on_deals if call.fields["is_marketing_present"]}
    for is_joint in (True, False):
        own = [call for call in on_deals if call.fields["is_marketing_present"] == is_joint]
        deals = {call.fields["opportunity_id"] for call in own} - (set() if is_joint else joint)
        ends = [status(log.outcomes.get(deal)) for deal in deals]
        worth = [_worth(log, playbook, as_of, deal) for deal in deals]
        amounts = [amount for amount in worth if amount is not None]
        won, lost = ends.count("won"), ends.count("lost")
        yield {
            "is_marketing_present": is_joint,
            "calls": sum(call.fields["is_marketing_present"] == is_joint for call in calls),
            "calls_on_deals": len(own),
            "advanced_within_14_days": sum(_is_advanced(log, call) for call in own),
            "deals": len(deals),
            "won": won,
            "lost": lost,
            "still_open": ends.count("open"),
            "win_rate": won / (won + lost) if won + lost else None,
            "median_amount": decimal_text(nearest_cent(median(amounts))) if amounts else None,
            "unpriced": len(worth) - len(amounts),
            "n": won + lost,
            "is_enough": won + lost >= playbook.minimum_n,
            "currency": playbook.currency,
        }


def _worth(log: Log, playbook: Playbook, as_of: int, deal: str) -> Decimal | None:
    end = log.outcomes.get(deal)
    day = playbook.day_of(end.occurred_at if end else as_of)
    amount = playbook.priced(latest_with("amount", log.by_deal[deal], PRICED), day)
    return None if amount is None else nearest_cent(amount)


def _is_advanced(log: Log, call: Fact) -> bool:
    """Whether the call's deal entered a stage soon after the call."""
    return any(
        fact.type == "OpportunityStageEntered" and 0 < fact.occurred_at - call.occurred_at <= ADVANCED_WITHIN
        for fact in log.by_deal[call.fields["opportunity_id"]]
    )
