"""One lead while its story is generated: who it is, who owns it, and what happened so far."""

from __future__ import annotations

from typing import Any, NamedTuple

from streams.simulator.chance import Dice, Odds
from streams.simulator.clock import DAY, HOUR, MINUTE
from streams.simulator.world import DEVELOPMENT, MARKETING, Account, World

LATENCY = Odds(((14.0, 0.9), 58), ((85.0, 0.7), 27), ((620.0, 0.9), 15))  # median and spread in minutes


class StoryEvent(NamedTuple):
    """Something that happened, in true time, before any system's clock or delay."""

    at: int
    type: str
    event_id: str
    source: str
    by: str | None
    fields: dict[str, Any]


class Handoff:
    """A handoff in progress. owner: who has it now."""

    __slots__ = ("at", "from_team", "handoff_id", "owner", "to_team")

    def __init__(self, handoff_id: str, at: int, from_team: str, to_team: str, owner: str) -> None:
        self.handoff_id = handoff_id
        self.at = at
        self.from_team = from_team
        self.to_team = to_team
        self.owner = owner


class Lead:
    """A lead of an account, its random stream and story so far. Instants are true time in microseconds."""

    def __init__(self, world: World, account: Account, number: int, place: int) -> None:
        self.world = world
        self.account = account
        self.number = number
        self.name = f"{world.seed}-{number:06d}"
        self.lead_id = f"lead-{self.name}"
        self.dice = Dice(f"{world.seed}/lead/{number}")
        self.contact_id, self.role = account.contacts[place % len(account.contacts)]
        self.campaign_id: str | None = None
        self.handoffs = 0
        self.deals = 0
        self.events: list[StoryEvent] = []
        self._horizon = world.as_of + HOUR  # nothing later can be published, however wrong a clock is

    def emit(self, type_: str, at: int, source: str, by: str | None, fields: dict[str, Any]) -> None:
        """Add an event to the story. `by` is the person whose system reports it."""
        event_id = self.dice.event_id()
        if at <= self._horizon:
            self.events.append(StoryEvent(at, type_, event_id, source, by, fields))

    def touch(self, at: int, activity: str, channel: str, *, inbound: bool, automated: bool) -> None:
        """A touch by Marketing; the website reports what buyers do there, HubSpot the rest."""
        fields = {
            "lead_id": self.lead_id,
            "account_id": self.account.account_id,
            "contact_id": self.contact_id if self.dice.chance(0.6) else None,
            "campaign_id": self.campaign_id,
            "team": MARKETING,
            "channel": channel,
            "activity": activity,
            "is_inbound": inbound,
            "is_automated": automated,
        }
        self.emit("TouchRecorded", at, "segment" if channel == "web" else "hubspot", None, fields)

    def buyer_moment(self, day: int) -> int:
        """A moment of that day when the buyer is active: mostly office hours of their own zone."""
        dice = self.dice
        hours = dice.within(8.5, 18.5) if dice.chance(0.78) else dice.within(6.0, 23.9)
        return self.account.local.midnight(day) + int(hours * HOUR)

    def later(self, at: int, days: float) -> int:
        """A moment when the buyer is active, about this many days after `at` and never before it."""
        day = (at + int(self.dice.around(days, 0.7) * DAY)) // DAY
        if (day + 3) % 7 >= 5 and self.dice.chance(0.6):
            day += 2
        return max(self.buyer_moment(day), at + int(self.dice.within(0.5, 30) * MINUTE))

    def acts(self, person: str, team: str, at: int, open_minutes: float) -> int:
        """When a person is done who starts at `at` and needs this many open minutes of their calendar."""
        calendar = self.world.rules.calendar(person, team)
        return calendar.after(at, int(open_minutes * MINUTE) + 1)

    def answer_minutes(self) -> float:
        """How long an answer takes: most are fast, some slow, a few very slow."""
        median, spread = self.dice.draw(LATENCY)
        return self.dice.around(median, spread)

    def offer(
        self, at: int, from_team: str, to_team: str, reason: str, previous: Handoff | None = None
    ) -> Handoff:
        """Offer the lead to a team. Some systems offer twice, in one instant or minutes apart."""
        dice = self.dice
        self.handoffs += 1
        owner = self.world.person(dice, to_team, self.account.region)
        if to_team == DEVELOPMENT and dice.chance(0.02):
            owner = "sdr-temp"  # not listed in the playbook: works by the team's calendar
        handoff = Handoff(f"ho-{self.name}-{self.handoffs}", at, from_team, to_team, owner)
        fields = {
            "handoff_id": handoff.handoff_id,
            "lead_id": self.lead_id,
            "account_id": self.account.account_id if dice.chance(0.9) else None,
            "from_team": from_team,
            "to_team": to_team,
            "owner": owner if dice.chance(0.5) else None,
            "reason": reason,
            "data_completeness": int(dice.within(4, 10.99)) / 10 if dice.chance(0.9) else None,
            "previous_handoff_id": previous.handoff_id if previous else None,
        }
        source = "hubspot" if from_team == MARKETING else "salesforce"
        self.emit("HandoffOffered", at, source, None, fields)
        if dice.chance(0.006):
            again_at = at + int(max(0.0, dice.within(-50, 50)) * MINUTE)
            self.emit("HandoffOffered", again_at, source, None, fields)
        return handoff

    def about(self, handoff: Handoff, **fields: Any) -> dict[str, Any]:
        """The ids of a handoff's event, with its other fields."""
        return {"handoff_id": handoff.handoff_id, "lead_id": self.lead_id, **fields}

    def attempt(self, at: int, handoff: Handoff, channel: str, *, automated: bool = False) -> None:
        """Try to reach the buyer. A third of the systems do not know the handoff's id."""
        dice = self.dice
        fields = {
            "lead_id": self.lead_id,
            "handoff_id": handoff.handoff_id if dice.chance(0.65) else None,
            "owner": None if automated else handoff.owner,
            "channel": channel,
            "is_automated": automated,
            "contact_id": self.contact_id if dice.chance(0.5) else None,
        }
        source = "dialer" if channel == "phone" else "salesforce"
        self.emit("ContactAttempted", at, source, None if automated else handoff.owner, fields)

    def reached(self, at: int, handoff: Handoff, channel: str) -> None:
        """The buyer was reached: a conversation took place."""
        dice = self.dice
        fields = {
            "lead_id": self.lead_id,
            "handoff_id": handoff.handoff_id if dice.chance(0.7) else None,
            "owner": handoff.owner,
            "channel": channel,
            "contact_id": self.contact_id if dice.chance(0.7) else None,
        }
        source = "dialer" if channel == "phone" else "salesforce"
        self.emit("BuyerReached", at, source, handoff.owner, fields)
