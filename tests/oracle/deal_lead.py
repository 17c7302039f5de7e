"""The view deal_lead: which leads each deal came from."""

from __future__ import annotations

from collections.abc import Iterator

from tests.oracle.deals import leads_of_deals
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook

KEY = ("opportunity_id", "lead_id")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per deal and lead; the first counts it."""
    for opportunity_id, leads in leads_of_deals(log).items():
        for position, lead_id in enumerate(leads, start=1):
            yield {
                "opportunity_id": opportunity_id,
                "lead_id": lead_id,
                "position": position,
                "is_counted": position == 1,
            }
