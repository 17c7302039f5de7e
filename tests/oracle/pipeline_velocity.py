"""The view pipeline_velocity: what the open deals of a segment bring a day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from statistics import median

from streams.simulator.clock import DAY
from tests.oracle import lead
from tests.oracle.deals import Deal, deals
from tests.oracle.log import Log, Row
from tests.oracle.percentiles import percentile
from tests.oracle.playbook import Playbook, decimal_text, microseconds, nearest_cent
from tests.oracle.win import wins

KEY = ("segment",)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per segment with a deal that is open, or was opened in the cohort time."""
    cohort = microseconds(playbook.text.get("cascade", {}).get("cohort", "180 days"))
    segment_of = {row["lead_id"]: row["segment"] for row in lead.rows(log, playbook, as_of)}
    of_segment: dict[str, list[Deal]] = defaultdict(list)
    for deal in deals(log).values():
        is_recent = deal.opened_at is not None and deal.opened_at >= as_of - cohort
        if deal.opened_at is not None and (deal.status == "open" or (is_recent and deal.status != "credit")):
            of_segment[segment_of.get(deal.lead_id or "", "unknown")].append(deal)
    booked_by = {win.opportunity_id: win.booked for win in wins(log, playbook)}
    for segment, found in of_segment.items():
        recent = [deal for deal in found if (deal.opened_at or 0) >= as_of - cohort]
        won = [deal for deal in recent if deal.status == "won"]
        decided = len(won) + sum(deal.status == "lost" for deal in recent)
        booked = [amount for deal in won if (amount := booked_by[deal.opportunity_id]) is not None]
        days = [(deal.closed_at - deal.opened_at) / DAY for deal in won if deal.closed_at and deal.opened_at]
        cycle = percentile(days, 0.5)
        middle = nearest_cent(median(booked)) if booked else None
        open_deals = sum(deal.status == "open" for deal in found)
        velocity = None
        if middle is not None and cycle:
            velocity = open_deals * float(middle) * (len(won) / decided) / cycle
        yield {
            "segment": segment,
            "open_deals": open_deals,
            "median_amount": decimal_text(middle),
            "win_rate": len(won) / decided if decided else None,
            "median_cycle_days": cycle,
            "velocity_per_day": velocity,
            "unpriced": len(won) - len(booked),
            "currency": playbook.currency,
            "n": decided,
            "is_enough": decided >= playbook.minimum_n,
        }
