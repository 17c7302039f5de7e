"""What is true of the goals of a simulation: which stand, and how much of each is reached.

Plain Python over the emitted facts and the playbook's text, counted once the whole story is known. It shares
no code with the views it is held against.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from streams.simulator.clock import EPOCH, iso, microseconds_of
from streams.simulator.facts import Fact
from streams.simulator.rules import Rules
from streams.simulator.simulation import Chapter
from streams.simulator.tellers import Row

CENT = Decimal("0.01")
SUBSCRIPTION = (
    "CustomerOnboarded",
    "SubscriptionRenewed",
    "SubscriptionExpanded",
    "SubscriptionContracted",
    "SubscriptionChurned",
)
OPPORTUNITY = ("OpportunityOpened", "OpportunityRevised", "OpportunityWon", "OpportunityLost")


class Goal(NamedTuple):
    """A goal that stands. amount is in the playbook's currency; starts and until are instants."""

    goal_id: str
    parent: str | None
    period: str
    metric: str
    team: str
    amount: Decimal | None
    set_by: str
    first: date
    after: date
    starts: int
    until: int


class Deal(NamedTuple):
    """A deal as it was last told. Amounts are in the playbook's currency, None where they cannot be."""

    opportunity_id: str
    lead_id: str | None
    opened: int | None
    status: str
    closed: int | None
    amount: Decimal | None
    booked: Decimal | None


def cents(value: Fraction) -> Decimal:
    """A fraction as money, half away from zero."""
    doubled = abs(value) * 200 + 1
    rounded = Decimal(doubled.numerator // doubled.denominator // 2) * CENT
    return -rounded if value < 0 else rounded


def written(amount: Decimal | None) -> str | None:
    """Money as a truth states it."""
    return None if amount is None else f"{amount:.2f}"


class Books:
    """All facts about goals, deals, subscriptions and leads, and what the playbook says of money."""

    def __init__(self, rules: Rules, as_of: int) -> None:
        self.as_of = as_of
        self.zone = rules.zone
        text = rules.text
        self.currency: str = text["money"]["currency"]
        self._rates = {row["currency"]: Decimal(row["rate"]) for row in text.get("rate", [])}
        self._rates[self.currency] = Decimal(1)
        self._planned: list[dict[str, Any]] = text.get("goal", [])
        self.cascade: dict[str, Any] = text["cascade"]
        self.facts: dict[str, list[Fact]] = defaultdict(list)

    def keep(self, chapter: Chapter) -> None:
        """Keep the chapter's facts by type."""
        for fact in chapter.facts:
            self.facts[fact.type].append(fact)

    def of(self, *types: str) -> list[Fact]:
        """Facts of these types, in order of time."""
        found = [fact for type_ in types for fact in self.facts[type_]]
        return sorted(found, key=lambda fact: (fact.occurred_at, fact.event_id, fact.type))

    def priced(self, fields: dict[str, Any]) -> Decimal | None:
        """The amount of an event in the playbook's currency."""
        rate = self._rates.get(fields.get("currency") or "")
        if fields.get("amount") is None or rate is None:
            return None
        return (Decimal(fields["amount"]) * rate).quantize(CENT, ROUND_HALF_UP)

    def begins(self, day: date) -> int:
        """The instant a local day begins."""
        return microseconds_of(datetime(day.year, day.month, day.day, tzinfo=self.zone))

    def day_of(self, instant: int) -> date:
        """The local day of an instant."""
        return (EPOCH + timedelta(microseconds=instant)).astimezone(self.zone).date()

    def goals(self) -> list[Goal]:
        """The goals that stand."""
        told = {fact.fields["goal_id"]: fact.fields for fact in self.of("GoalSet")}
        lines: dict[tuple[str, str, str], tuple[dict[str, Any], str]] = {}
        stands_for: dict[str, str] = {}
        for fields in told.values():
            lines[fields["period"], fields["metric"], fields["owner_team"]] = (fields, "event")
        for planned in self._planned:
            fields = {**planned, "goal_id": planned["id"], "parent_goal_id": planned.get("parent")}
            line = planned["period"], planned["metric"], planned["owner_team"]
            stands_for[planned["id"]] = lines.setdefault(line, (fields, "playbook"))[0]["goal_id"]
        return [self._goal(fields, set_by, stands_for) for fields, set_by in lines.values()]

    def _goal(self, fields: dict[str, Any], set_by: str, stands_for: dict[str, str]) -> Goal:
        year, _, quarter = fields["period"].partition("-Q")
        first = date(int(year), int(quarter) * 3 - 2 if quarter else 1, 1)
        months = first.month + (3 if quarter else 12)
        after = date(first.year + (months > 12), months - 12 if months > 12 else months, 1)
        parent = fields["parent_goal_id"]
        return Goal(
            fields["goal_id"], stands_for.get(parent, parent), fields["period"], fields["metric"],
            fields["owner_team"], self.priced(fields), set_by, first, after,
            self.begins(first), self.begins(after),
        )  # fmt: skip

    def deals(self) -> list[Deal]:
        """Every deal, as it was last told."""
        told: dict[str, list[Fact]] = defaultdict(list)
        for fact in self.of(*OPPORTUNITY):
            told[fact.fields["opportunity_id"]].append(fact)
        return [self._deal(opportunity_id, facts) for opportunity_id, facts in told.items()]

    def _deal(self, opportunity_id: str, facts: list[Fact]) -> Deal:
        opened = [fact.occurred_at for fact in facts if fact.type == "OpportunityOpened"]
        ends = [fact for fact in facts if fact.type in ("OpportunityWon", "OpportunityLost")]
        amounts = [fact.fields for fact in facts if fact.fields.get("amount") is not None]
        leads = [fact.fields["lead_id"] for fact in facts if fact.fields["lead_id"] is not None]
        is_won = bool(ends) and ends[-1].type == "OpportunityWon"
        return Deal(
            opportunity_id,
            leads[0] if leads else None,
            opened[0] if opened else None,
            ends[-1].type.removeprefix("Opportunity").lower() if ends else "open",
            ends[-1].occurred_at if ends else None,
            self.priced(amounts[-1]) if amounts else None,
            self.priced(ends[-1].fields) if is_won else None,
        )


class GoalTruths:
    """Tells the goals, what is reached of them, and what deals are worth."""

    def __init__(self, rules: Rules, as_of: int) -> None:
        self._books = Books(rules, as_of)

    def add(self, chapter: Chapter) -> Iterable[tuple[str, Row]]:
        """Keep the facts; nothing is certain before the last chapter."""
        self._books.keep(chapter)
        return ()

    def finish(self) -> Iterator[tuple[str, Row]]:
        """All rows."""
        books = self._books
        deals = books.deals()
        for deal in deals:
            yield "opportunity_amount", _deal_row(deal, books.currency)
        for goal in books.goals():
            yield "goal", _goal_row(goal)
            yield "goal_attainment", attainment(books, goal, deals)


def _deal_row(deal: Deal, currency: str) -> Row:
    return {
        "opportunity_id": deal.opportunity_id,
        "lead_id": deal.lead_id,
        "opened_at": None if deal.opened is None else iso(deal.opened),
        "status": deal.status,
        "closed_at": None if deal.closed is None else iso(deal.closed),
        "amount": written(deal.amount),
        "booked": written(deal.booked),
        "currency": currency,
    }


def _goal_row(goal: Goal) -> Row:
    return {
        "goal_id": goal.goal_id,
        "parent_goal_id": goal.parent,
        "period": goal.period,
        "starts_on": goal.first.isoformat(),
        "ends_on": (goal.after - timedelta(days=1)).isoformat(),
        "metric": goal.metric,
        "owner_team": goal.team,
        "goal_amount": written(goal.amount),
        "is_priced": goal.amount is not None,
        "set_by": goal.set_by,
    }


def attainment(books: Books, goal: Goal, deals: list[Deal]) -> Row:
    """The row of goal_attainment; every simulated goal has an amount."""
    assert goal.amount is not None
    amounts = _counted(books, goal, deals)
    actual = sum((amount for amount in amounts if amount is not None), Decimal(0))
    days = (goal.after - goal.first).days
    gone = min(max((books.day_of(books.as_of) - goal.first).days, 0), days)
    has_begun = goal.starts <= books.as_of
    is_kept = goal.metric == "retained_revenue" and has_begun
    expected = goal.amount if is_kept else cents(Fraction(goal.amount) * gone / days)
    return {
        "goal_id": goal.goal_id,
        "period": goal.period,
        "owner_team": goal.team,
        "metric": goal.metric,
        "goal_amount": written(goal.amount),
        "actual": written(actual),
        "n": sum(amount is not None for amount in amounts),
        "unpriced": sum(amount is None for amount in amounts),
        "attained_share": float(actual) / float(goal.amount) if goal.amount else None,
        "elapsed_share": gone / days,
        "expected_by_now": written(expected),
        "pace": float(actual) / float(expected) if expected else None,
        "gap": written(goal.amount - actual),
        "currency": books.currency,
    }


def _counted(books: Books, goal: Goal, deals: list[Deal]) -> list[Decimal | None]:
    """What counts towards the goal: one amount each, None where there is none that can be counted."""
    if goal.metric == "revenue":
        won = (deal for deal in deals if deal.status == "won" and deal.closed is not None)
        return [deal.booked for deal in won if goal.starts <= (deal.closed or 0) < goal.until]
    if goal.metric == "pipeline":
        opened = (deal for deal in deals if deal.opened is not None)
        return [deal.amount for deal in opened if goal.starts <= (deal.opened or 0) < goal.until]
    return _kept(books, goal) if goal.starts <= books.as_of else []


def _kept(books: Books, goal: Goal) -> list[Decimal | None]:
    """What each company of the opening cohort still pays a year, at most what it did then."""
    opening, closing = _yearly(books, goal.starts), _yearly(books, goal.until)
    kept: list[Decimal | None] = [
        min(amount, closing.get(account, Decimal(0))) for account, amount in opening.items() if amount > 0
    ]
    unpriced = {
        fact.fields["account_id"]
        for fact in books.of(*SUBSCRIPTION)
        if fact.occurred_at < goal.until and _change(books, fact) is None
    }
    return kept + [None] * len(unpriced)


def _change(books: Books, fact: Fact) -> Decimal | None:
    return Decimal(0) if fact.type == "SubscriptionChurned" else books.priced(fact.fields)


def _yearly(books: Books, until: int) -> dict[str, Decimal]:
    """Yearly revenue by company before an instant: each subscription followed event by event."""
    facts = books.of(*SUBSCRIPTION)
    first: dict[str, str] = {}
    for fact in facts:
        if fact.fields["subscription_id"] is not None:
            first.setdefault(fact.fields["account_id"], fact.fields["subscription_id"])
    standing: dict[tuple[str, str], Decimal] = {}
    for fact in facts:
        amount = _change(books, fact)
        if fact.occurred_at >= until or amount is None:
            continue
        account = fact.fields["account_id"]
        key = account, fact.fields["subscription_id"] or first.get(account, "")
        if fact.type == "SubscriptionExpanded":
            amount += standing.get(key, Decimal(0))
        elif fact.type == "SubscriptionContracted":
            amount = max(Decimal(0), standing.get(key, Decimal(0)) - amount)
        standing[key] = amount
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for (account, _), amount in standing.items():
        totals[account] += amount
    return totals
