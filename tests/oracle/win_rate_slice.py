"""The view win_rate_slice: the shares of win_rate by dimension, in windows of every unit."""

from __future__ import annotations

from collections.abc import Iterator

from tests.oracle import deal_lead
from tests.oracle.deals import Deal
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook
from tests.oracle.slices import KEY, Slice, slices
from tests.oracle.win_rate import win_rates

__all__ = ["KEY", "rows"]


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per slice and window in which a deal was opened, won or lost."""
    counted_by = {
        row["opportunity_id"]: row["lead_id"]
        for row in deal_lead.rows(log, playbook, as_of)
        if row["is_counted"]
    }

    def slices_of(deal: Deal, instant: int) -> Iterator[Slice]:
        return slices(log, playbook, counted_by.get(deal.opportunity_id), instant)

    for each, shares in win_rates(log, playbook, as_of, slices_of):
        yield {**each.row(), **shares}
