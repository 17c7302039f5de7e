"""The wins of a simulation, and its money in the goal's currency: what the truths about money begin with.

Plain Python over the emitted facts and the playbook's text. Amounts are whole cents until they are written.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from streams.simulator.clock import EPOCH, iso
from streams.simulator.facts import Fact
from streams.simulator.rules import Rules
from streams.simulator.simulation import Chapter
from streams.simulator.tellers import Row

HEARD = frozenset(
    (
        "LeadCaptured",
        "LeadProfiled",
        "HandoffOffered",
        "HandoffAccepted",
        "TouchRecorded",
        "BuyerReached",
        "CallHeld",
        "OpportunityOpened",
        "OpportunityWon",
        "OpportunityLost",
        "CampaignPlanned",
        "CampaignCostBooked",
        "CustomerOnboarded",
    )
)


@dataclass(slots=True)
class Win:
    """A deal that was won, with what was booked in cents of the goal's currency; None without a rate."""

    opportunity_id: str
    account_id: str
    lead_id: str | None
    opened_at: int | None
    won_at: int
    period: str
    amount: str
    currency: str
    booked: int | None
    is_first: bool = False


class Ledger:
    """All facts about money and the wins among them, in order once `close` was called."""

    def __init__(self, rules: Rules) -> None:
        money = rules.text.get("money", {})
        self.zone = ZoneInfo(rules.text["playbook"]["zone"])
        self.currency: str = money.get("currency", "EUR")
        self._rates = {row["currency"]: Decimal(row["rate"]) for row in rules.text.get("rate", ())}
        self._rates[self.currency] = Decimal(1)
        self.facts: dict[str, list[Fact]] = defaultdict(list)
        self.account_of_lead: dict[str, str] = {}
        self.openings: dict[str, Fact] = {}
        self.wins: list[Win] = []

    def add(self, chapter: Chapter) -> None:
        """Keep what is about money."""
        for fact in chapter.facts:
            if fact.type in HEARD:
                self.facts[fact.type].append(fact)

    def close(self) -> None:
        """Put everything in order and find the wins."""
        for facts in self.facts.values():
            facts.sort(key=when)
        self.account_of_lead = self._accounts_of_leads()
        for fact in self.facts["OpportunityOpened"]:
            self.openings.setdefault(fact.fields["opportunity_id"], fact)
        self.wins = self._wins()

    def day(self, instant: int) -> date:
        """The day of an instant in the playbook's zone."""
        return (EPOCH + timedelta(microseconds=instant)).astimezone(self.zone).date()

    def cents(self, amount: str | None, currency: str | None) -> int | None:
        """In the goal's currency; None where there is no amount or no rate."""
        if amount is None or currency not in self._rates:
            return None
        return rounded(Decimal(amount) * self._rates[currency] * 100)

    def _accounts_of_leads(self) -> dict[str, str]:
        """The account of each lead: the earliest event that names one decides."""
        naming = ("LeadCaptured", "LeadProfiled", "HandoffOffered", "OpportunityOpened")
        found: dict[str, tuple[int, str, str]] = {}
        for fact in (fact for type_ in naming for fact in self.facts[type_]):
            lead_id, account_id = fact.fields["lead_id"], fact.fields["account_id"]
            if lead_id is not None and account_id is not None:
                claim = (fact.occurred_at, fact.event_id, account_id)
                found[lead_id] = min(found.get(lead_id, claim), claim)
        return {lead_id: account_id for lead_id, (_, _, account_id) in found.items()}

    def _wins(self) -> list[Win]:
        """Deals whose last outcome is won, by when they were."""
        last: dict[str, Fact] = {}
        for fact in sorted(self.facts["OpportunityWon"] + self.facts["OpportunityLost"], key=when):
            last[fact.fields["opportunity_id"]] = fact
        wins = []
        for opportunity_id, fact in last.items():
            if fact.type == "OpportunityWon":
                wins.append(self._win(opportunity_id, fact, self.openings.get(opportunity_id)))
        wins.sort(key=lambda win: (win.won_at, win.opportunity_id))
        seen: set[str] = set()
        for win in wins:
            win.is_first = win.account_id not in seen
            seen.add(win.account_id)
        return wins

    def _win(self, opportunity_id: str, fact: Fact, opening: Fact | None) -> Win:
        opened = opening.fields if opening else {}
        said = fact.fields
        return Win(
            opportunity_id=opportunity_id,
            account_id=opened.get("account_id") or said["account_id"],
            lead_id=opened.get("lead_id") or said["lead_id"],
            opened_at=opening.occurred_at if opening else None,
            won_at=fact.occurred_at,
            period=quarter(self.day(fact.occurred_at)),
            amount=said["amount"],
            currency=said["currency"],
            booked=self.cents(said["amount"], said["currency"]),
        )

    def win_row(self, win: Win) -> Row:
        """The row of win."""
        return {
            "opportunity_id": win.opportunity_id,
            "account_id": win.account_id,
            "lead_id": win.lead_id,
            "opened_at": None if win.opened_at is None else iso(win.opened_at),
            "won_at": iso(win.won_at),
            "period": win.period,
            "amount": win.amount,
            "currency": win.currency,
            "booked": written(win.booked),
            "is_first": win.is_first,
        }


def when(fact: Fact) -> tuple[int, str]:
    """How facts are ordered, everywhere."""
    return fact.occurred_at, fact.event_id


def quarter(day: date) -> str:
    """2026-Q1."""
    return f"{day.year}-Q{(day.month + 2) // 3}"


def rounded(cents: Decimal) -> int:
    """To whole cents, halves up."""
    return int(cents.to_integral_value(ROUND_HALF_UP))


def written(cents: int | None) -> str | None:
    """Cents as the views show money."""
    return None if cents is None else f"{Decimal(cents).scaleb(-2):.2f}"
