"""Each lead's deals, as they were last reported; a credit is none."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

from tests.oracle.deals import Deal, deals
from tests.oracle.log import Log
from tests.oracle.playbook import Playbook

__all__ = ["Deal", "begun", "deals_of_leads"]


@lru_cache(maxsize=4)
def deals_of_leads(log: Log, playbook: Playbook) -> dict[str, list[Deal]]:
    """Per lead, its deals. Those without a lead are left out."""
    found: dict[str, list[Deal]] = defaultdict(list)
    for deal in deals(log).values():
        if deal.lead_id is not None and deal.status != "credit":
            found[deal.lead_id].append(deal)
    return dict(found)


def begun(deal: Deal) -> int | None:
    """When a deal began: with its opening, or with its end where that is reported to be earlier."""
    return min((at for at in (deal.opened_at, deal.closed_at) if at is not None), default=None)
