"""Leads that turn out to be one person: which ones, and when the two are merged."""

from __future__ import annotations

from collections.abc import Sequence

from streams.simulator.chance import Dice
from streams.simulator.clock import DAY
from streams.simulator.lead import Lead, Told
from streams.simulator.world import Account, World

Pairs = list[tuple[int, int]]


def plan_merges(world: World, account: Account) -> Pairs:
    """Which leads of an account are one person, by place: (stays, goes), in the order of the merges."""
    dice = Dice(f"{world.seed}/merges/{account.account_id}")
    if account.leads < 2 or not dice.chance(0.1):
        return []
    pairs = [(0, 1)]
    if account.leads > 2 and dice.chance(0.4):
        pairs = [(1, 2), (0, 1)] if dice.chance(0.5) else [(0, 1), (1, 2)]
    if dice.chance(0.06):
        pairs.append((1, 0))  # the two systems merge them each its own way
    return pairs


def make_one(pairs: Pairs, leads: Sequence[Lead]) -> None:
    """Before their stories: the lead last made is the contact it is one with."""
    for stays, goes in sorted(pairs):
        if stays < goes == len(leads) - 1:
            leads[goes].contact_id, leads[goes].role = leads[stays].contact_id, leads[stays].role


def tell_merges(world: World, pairs: Pairs, leads: Sequence[Lead]) -> None:
    """After their stories: each merge, some days after both leads are known, if that is within the period."""
    dice = Dice(f"{world.seed}/merging/{leads[0].account.account_id}")
    at = 0
    for stays, goes in pairs:
        stayed, gone = leads[stays], leads[goes]
        at = max(at, *(min((told.at for told in lead.told), default=world.start) for lead in (stayed, gone)))
        at += int(dice.around(4, 0.8) * DAY)
        fields = {"lead_id": stayed.lead_id, "merged_lead_id": gone.lead_id}
        source = dice.pick(("hubspot", "salesforce"))
        event_id = dice.event_id()
        if at <= world.as_of:
            stayed.told.append(Told(at, "LeadsMerged", event_id, source, None, fields))
