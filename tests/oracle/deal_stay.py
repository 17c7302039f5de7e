"""The view deal_stay: how long each deal stayed in each stage."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

from streams.simulator.clock import DAY, iso
from tests.oracle.deals import Deal, deals
from tests.oracle.log import Log, Row, optional_iso
from tests.oracle.playbook import Playbook

KEY = ("opportunity_id", "number")


@dataclass
class Stay:
    """A stay of a deal in a stage."""

    opportunity_id: str
    number: int
    stage: str
    entered_at: int
    left_at: int | None = None
    left_for: str | None = None

    @property
    def days(self) -> float | None:
        """Its length once it has ended."""
        return None if self.left_at is None else (self.left_at - self.entered_at) / DAY


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per stay."""
    order = stage_order(playbook)
    for stay in stays(log, playbook):
        yield {
            "opportunity_id": stay.opportunity_id,
            "number": stay.number,
            "stage": stay.stage,
            "position": order.get(stay.stage),
            "entered_at": iso(stay.entered_at),
            "left_at": optional_iso(stay.left_at),
            "left_for": stay.left_for,
            "days": stay.days,
            "age_days": None if stay.left_at is not None else max(0, as_of - stay.entered_at) / DAY,
        }


def stage_order(playbook: Playbook) -> dict[str, int]:
    """The place of each deal stage that the playbook lists, from 0."""
    return {block["id"]: place for place, block in enumerate(playbook.text.get("deal_stage", []))}


@lru_cache(maxsize=4)
def stays(log: Log, playbook: Playbook) -> list[Stay]:
    """All stays, deal by deal."""
    return [
        stay
        for deal in deals(log).values()
        for stay in _stays(deal, stage_order(playbook), log.of_merged_deals)
    ]


def _stays(deal: Deal, order: dict[str, int], of_merged: Collection[tuple[str, str]]) -> list[Stay]:
    """Walks through the deal's events with the stay that goes on, if one does."""
    found: list[Stay] = []
    going_on: Stay | None = None
    stage: str | None = None
    is_open, openings = True, 0
    for fact in deal.facts:
        at = fact.occurred_at
        is_own = (fact.type, fact.event_id) not in of_merged
        openings += fact.type == "OpportunityOpened" and is_own
        if fact.type in ("OpportunityWon", "OpportunityLost") and is_own:
            if going_on is not None:
                going_on.left_at, going_on.left_for = at, fact.type.removeprefix("Opportunity").lower()
            going_on, is_open = None, False
        elif is_own and (
            fact.type == "OpportunityReopened" or (fact.type == "OpportunityOpened" and openings > 1)
        ):
            is_open = True
        entered = fact.fields["stage"]
        before, stage = stage, entered or stage
        if stage is None or not is_open or (going_on is not None and stage == going_on.stage):
            continue
        if going_on is not None:
            going_on.left_at, going_on.left_for = at, _way(order, before, stage)
        going_on = Stay(deal.opportunity_id, len(found) + 1, stage, at)
        found.append(going_on)
    return found


def _way(order: dict[str, int], before: str | None, after: str) -> str:
    if before not in order or after not in order:
        return "elsewhere"
    return "forward" if order[after] > order[before] else "back"
