"""The view joint_call: calls with Marketing and without, and what became of their deals."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from statistics import median

from streams.simulator.clock import DAY
from tests.oracle.deals import Deal, deals
from tests.oracle.log import Fact, Log, Row, first_by
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
        ids = {call.fields["opportunity_id"] for call in own} - (set() if is_joint else joint)
        found = (deals(log).get(deal, Deal(deal, [])) for deal in ids)
        told = [deal for deal in found if deal.status != "credit"]
        ends = [deal.status for deal in told]
        worth = [_worth(playbook, as_of, deal) for deal in told]
        amounts = [amount for amount in worth if amount is not None]
        won, lost = ends.count("won"), ends.count("lost")
        yield {
            "is_marketing_present": is_joint,
            "calls": sum(call.fields["is_marketing_present"] == is_joint for call in calls),
            "calls_on_deals": len(own),
            "advanced_within_14_days": sum(_is_advanced(log, playbook, call) for call in own),
            "deals": len(told),
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


def _worth(playbook: Playbook, as_of: int, deal: Deal) -> Decimal | None:
    day = playbook.day_of(as_of if deal.closed_at is None else deal.closed_at)
    amount = playbook.priced(deal.amount, day)
    return None if amount is None else nearest_cent(amount)


def _is_advanced(log: Log, playbook: Playbook, call: Fact) -> bool:
    """Whether the call's deal got further than it had been at the call, soon after it."""
    deal = deals(log).get(call.fields["opportunity_id"])
    if deal is None:
        return False
    order = [block["id"] for block in playbook.text.get("deal_stage", [])]
    before = [stage for stage, at in deal.stays if at <= call.occurred_at]
    for stage, at in deal.stays:
        if not 0 < at - call.occurred_at <= ADVANCED_WITHIN:
            continue
        if not before:
            return True
        if stage in order and before[-1] in order:
            if order.index(stage) > order.index(before[-1]):
                return True
        elif stage not in before:
            return True
    return False
