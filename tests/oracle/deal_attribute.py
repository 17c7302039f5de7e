"""The view deal_attribute: the declared attributes of each deal, as first and as last stated."""

from __future__ import annotations

from collections.abc import Iterator

from tests.oracle.lead_attribute import declared, stated
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook

KEY = ("opportunity_id", "name")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per deal and declared attribute that one of its openings states."""
    openings = log.of("OpportunityOpened")
    yield from stated("opportunity_id", openings, declared(playbook), {"OpportunityOpened": "deal"})
