"""The world a story happens in: companies and their people, our own people on leave, campaigns, clocks.

Everything comes from the seed, the period and the playbook; the wall clock is not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from streams.simulator.chance import Dice, Odds
from streams.simulator.clock import DAY, LAST_DAY, MINUTE, LocalTime
from streams.simulator.rules import Rules

MARKETING = "marketing"
DEVELOPMENT = "sales_development"
SALES = "sales"
SUCCESS = "customer_success"
PARTNERS = "partner_desk"  # a team the playbook does not know

REGION_OF_CONTINENT = {"Europe": "emea", "America": "americas", "Asia": "apac"}

# country, zone of its buyers, region, currency
COUNTRIES = Odds(
    (("DE", "Europe/Berlin", "emea", "EUR"), 24),
    (("FR", "Europe/Paris", "emea", "EUR"), 9),
    (("GB", "Europe/London", "emea", "GBP"), 14),
    (("NL", "Europe/Amsterdam", "emea", "EUR"), 5),
    (("US", "America/New_York", "americas", "USD"), 18),
    (("US", "America/Los_Angeles", "americas", "USD"), 12),
    (("CA", "America/Toronto", "americas", "USD"), 4),
    (("IN", "Asia/Kolkata", "apac", "USD"), 9),
    (("SG", "Asia/Singapore", "apac", "USD"), 5),
)
INDUSTRIES = ("software", "manufacturing", "logistics", "retail", "health", "energy", "finance")
ROLES = ("champion", "economic_buyer", "user", "technical", "legal", "user", "champion")
LEADS_PER_ACCOUNT = Odds((1, 55), (2, 25), (3, 12), (4, 5), (5, 3))
CAMPAIGN_KINDS = (
    ("web_form", "Search"),
    ("event", "Webinar"),
    ("web_form", "Guide"),
    ("partner", "Partner week"),
    ("list_import", "Trade fair list"),
    ("event", "Roadshow"),
)


@dataclass(slots=True)
class Account:
    """A company and its buying group: contacts with their roles, in order of appearance."""

    account_id: str
    country: str
    local: LocalTime
    region: str
    currency: str
    industry: str
    employees: int
    contacts: tuple[tuple[str, str], ...]
    leads: int
    is_customer: bool
    identified: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign; days are numbered from 1970-01-01."""

    campaign_id: str
    name: str
    channel: str
    starts_on: int
    ends_on: int
    planned: int
    currency: str


class World:
    """What all stories share. start and as_of are instants; events after as_of are left out."""

    def __init__(self, seed: int, start: int, days: int, rules: Rules) -> None:
        self.seed = seed
        self.start = start
        self.days = days
        self.first_day = start // DAY
        self.as_of = start + days * DAY + LAST_DAY
        self.rules = rules
        dice = Dice(f"{seed}/world")
        self.people = self._people_by_region()
        self.absences = self._absences(dice)
        self.campaigns = self._campaigns(dice)
        self.clock_errors = self._clock_errors(dice)
        self._zones: dict[str, LocalTime] = {}

    def accounts(self, leads: int) -> Iterator[Account]:
        """Companies until they have this many leads; the last one is cut to fit."""
        number = 0
        while leads > 0:
            number += 1
            account = self._account(number)
            account.leads = min(account.leads, leads)
            leads -= account.leads
            yield account

    def _account(self, number: int) -> Account:
        dice = Dice(f"{self.seed}/account/{number}")
        country, zone, region, currency = dice.draw(COUNTRIES)
        local = self._zones.get(zone) or self._zones.setdefault(zone, LocalTime(zone))
        leads = dice.draw(LEADS_PER_ACCOUNT)
        group = 1 + int(dice.random() * 6) if leads < 3 else leads + int(dice.random() * 3)
        name = f"{self.seed}-{number:05d}"
        return Account(
            account_id=f"acc-{name}",
            country=country,
            local=local,
            region=region,
            currency=currency,
            industry=dice.pick(INDUSTRIES),
            employees=int(dice.around(180, 1.3)) + 3,
            contacts=tuple((f"con-{name}-{n + 1}", ROLES[n % len(ROLES)]) for n in range(max(group, leads))),
            leads=leads,
            is_customer=dice.chance(0.06),
        )

    def person(self, dice: Dice, team: str, region: str) -> str:
        """A member of the team who covers the region; any member where none does."""
        return dice.pick(self.people.get((team, region)) or self.people.get((team, "")) or (f"{team}-1",))

    def is_absent(self, member: str, instant: int) -> bool:
        """Whether the member is on leave then."""
        return any(begin <= instant < end for begin, end in self.absences.get(member, ()))

    def _people_by_region(self) -> dict[tuple[str, str], tuple[str, ...]]:
        people: dict[tuple[str, str], tuple[str, ...]] = {}
        for team, members in self.rules.members.items():
            people[team, ""] = members
            for member in members:
                zone = str(self.rules.calendar(member, team).local.zone)
                region = REGION_OF_CONTINENT.get(zone.partition("/")[0], "emea")
                people[team, region] = (*people.get((team, region), ()), member)
        return people

    def _absences(self, dice: Dice) -> dict[str, tuple[tuple[int, int], ...]]:
        """A leave of one or two weeks every two months, for each member."""
        absences: dict[str, tuple[tuple[int, int], ...]] = {}
        for member in (member for members in self.rules.members.values() for member in members):
            leaves = []
            for day in range(0, self.days, 60):
                begin = self.start + int((day + dice.within(3, 45)) * DAY)
                leaves.append((begin, begin + (7 if dice.chance(0.7) else 14) * DAY))
            absences[member] = tuple(leaves)
        return absences

    def _campaigns(self, dice: Dice) -> tuple[Campaign, ...]:
        campaigns = []
        for number in range(max(6, self.days // 8)):
            channel, kind = CAMPAIGN_KINDS[number % len(CAMPAIGN_KINDS)]
            starts_on = self.first_day + int(dice.random() * self.days) if number >= 6 else self.first_day
            campaigns.append(
                Campaign(
                    campaign_id=f"cmp-{self.seed}-{number + 1:03d}",
                    name=f"{kind} {number + 1}",
                    channel=channel,
                    starts_on=starts_on,
                    ends_on=starts_on + (self.days if number < 6 else int(dice.within(14, 60))),
                    planned=int(dice.around(12_000, 0.8)) * 100,
                    currency=("EUR", "USD", "GBP")[int(dice.random() * 3)],
                )
            )
        return tuple(campaigns)

    def _clock_errors(self, dice: Dice) -> dict[str, int]:
        """Clocks that are off, in microseconds: one owner's system is slow, and so is the dialer of Sales."""
        owner = dice.pick(self.people[DEVELOPMENT, ""]) if (DEVELOPMENT, "") in self.people else DEVELOPMENT
        return {
            owner: -int(dice.within(6, 14) * MINUTE),
            "dialer": -int(dice.within(2, 4) * MINUTE),
        }
