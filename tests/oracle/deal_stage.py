"""The view deal_stage: the open deals of each stage, and how long deals stay in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal

from streams.simulator.clock import DAY
from tests.oracle.deal_stay import Stay, stage_order, stays
from tests.oracle.deals import deals
from tests.oracle.log import Log, Row
from tests.oracle.opportunity_amount import priced_deals
from tests.oracle.percentiles import percentile
from tests.oracle.playbook import Playbook, decimal_text, nearest_cent

KEY = ("stage",)
WAYS = ("forward", "back", "elsewhere", "won", "lost")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per stage that is listed or that a deal was in, and unknown for deals in none."""
    worth: dict[str, list[Decimal | None]] = defaultdict(list)
    for priced_deal in priced_deals(log, playbook, as_of):
        if priced_deal.status == "open" and priced_deal.opened_at is not None:
            stage_now = deals(log)[priced_deal.opportunity_id].stage
            worth[stage_now or "unknown"].append(priced_deal.amount)
    of_stage: dict[str, list[Stay]] = defaultdict(list)
    for stay in stays(log, playbook):
        of_stage[stay.stage].append(stay)
    order = stage_order(playbook)
    for stage in order.keys() | worth.keys() | of_stage.keys():
        ways = Counter(stay.left_for for stay in of_stage[stage])
        ended = [stay.days for stay in of_stage[stage] if stay.days is not None]
        ages = [(as_of - stay.entered_at) / DAY for stay in of_stage[stage] if stay.left_at is None]
        priced = [amount for amount in worth[stage] if amount is not None]
        yield {
            "stage": stage,
            "position": order.get(stage),
            "deals": len(worth[stage]),
            "amount": decimal_text(nearest_cent(sum(priced, Decimal(0)))),
            "unpriced": len(worth[stage]) - len(priced),
            "entered": len(of_stage[stage]),
            **{way: ways[way] for way in WAYS},
            "median_days": percentile(ended, 0.5),
            "p90_days": percentile(ended, 0.9),
            "median_age_days": percentile(ages, 0.5),
            "n": len(ended),
            "is_enough": len(ended) >= playbook.minimum_n,
        }
