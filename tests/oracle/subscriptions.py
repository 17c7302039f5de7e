"""Recurring revenue: what each subscription is worth a year, event after event."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

from tests.oracle.log import Fact, Log
from tests.oracle.playbook import Playbook

SETS_REVENUE = ("CustomerOnboarded", "SubscriptionRenewed", "SubscriptionChurned")
# In the order in which events of one instant count.
MEANING = (
    "CustomerOnboarded", "SubscriptionRenewed", "SubscriptionExpanded", "SubscriptionContracted",
    "SubscriptionChurned",
)  # fmt: skip
SUBSCRIPTION = MEANING
ZERO = Decimal("0.00")
UNKNOWN = Decimal("Infinity")  # sorts after every amount


class Event(NamedTuple):
    """An event of a customer: when it counts, what it says, and the subscription it is about.

    amount is exact, in the playbook's currency; None when it is not known or has no rate.
    """

    at: int
    type: str
    account_id: str
    subscription_id: str
    amount: Decimal | None
    fact: Fact


@lru_cache(maxsize=4)
def customer_events(log: Log, playbook: Playbook) -> list[Event]:
    """Every event of a customer, in the order in which they count."""
    found = []
    for fact in log.of(*SUBSCRIPTION):
        at = fact.occurred_at
        amount = playbook.priced(fact.fields, playbook.day_of(at))
        is_end = fact.type == "SubscriptionChurned"
        account_id, subscription_id = fact.fields["account_id"], fact.fields["subscription_id"] or ""
        found.append(Event(at, fact.type, account_id, subscription_id, ZERO if is_end else amount, fact))
    found.sort(key=lambda e: (e.at, MEANING.index(e.type), e.subscription_id))
    first: dict[str, str] = {}
    for event in found:
        if event.subscription_id:
            first.setdefault(event.account_id, event.subscription_id)
    named = [e._replace(subscription_id=e.subscription_id or first.get(e.account_id, "")) for e in found]
    return sorted(named, key=_place)


def _place(event: Event) -> tuple[Any, ...]:
    fact = event.fact
    return (
        event.at,
        MEANING.index(event.type),
        UNKNOWN if event.amount is None else abs(event.amount),
        fact.event_id,
    )


def departures(log: Log, playbook: Playbook) -> dict[str, list[Event]]:
    """Per company, the churns with which it left: after that instant it had no subscription any more."""
    events = customer_events(log, playbook)
    running: dict[str, set[str]] = defaultdict(set)
    met: set[tuple[str, str]] = set()
    for event in events:  # What ends without a beginning ran before the log begins.
        key = event.account_id, event.subscription_id
        if key not in met and event.type == "SubscriptionChurned":
            running[event.account_id].add(event.subscription_id)
        met.add(key)
    left: dict[str, list[Event]] = defaultdict(list)
    by_instant = groupby(sorted(events, key=lambda e: e.account_id), key=lambda e: (e.account_id, e.at))
    for (account_id, _), instant in by_instant:
        ended = None
        for event in instant:
            if event.type != "SubscriptionChurned":
                running[account_id].add(event.subscription_id)
            else:
                was_running = event.subscription_id in running[account_id]
                running[account_id].discard(event.subscription_id)
                ended = event if was_running or ended else None
        if ended and not running[account_id]:
            left[account_id].append(ended)
    return left


class RecurringRevenue:
    """The yearly revenue of every subscription over time, exact, in the playbook's currency."""

    def __init__(self, log: Log, playbook: Playbook) -> None:
        # account -> subscription -> (instant, revenue from then on), in order
        self.accounts: dict[str, dict[str, list[tuple[int, Decimal]]]] = defaultdict(dict)
        self._unpriced: list[tuple[int, str]] = []
        for event in customer_events(log, playbook):
            if event.amount is None:
                self._unpriced.append((event.at, event.account_id))
                continue
            history = self.accounts[event.account_id].setdefault(event.subscription_id, [])
            history.append((event.at, _after(event.type, history[-1][1] if history else ZERO, event.amount)))

    def before(self, account: str, instant: int) -> Decimal:
        """The account's revenue just before an instant."""
        total = ZERO
        for history in self.accounts[account].values():
            total += next((amount for at, amount in reversed(history) if at < instant), ZERO)
        return total

    def movements(self, account: str, starts_at: int, ends_at: int) -> tuple[Decimal, Decimal]:
        """What the account's revenue rose by and fell by from one instant until another, each time it did."""
        histories = self.accounts[account].values()
        changed_at = sorted({at for history in histories for at, _ in history if starts_at <= at < ends_at})
        changes = [self.before(account, at + 1) - self.before(account, at) for at in changed_at]
        return sum((c for c in changes if c > 0), ZERO), -sum((c for c in changes if c < 0), ZERO)

    def was_ever(self, account: str, instant: int) -> bool:
        """Whether the account had any revenue at any time before an instant."""
        histories = self.accounts[account].values()
        return any(at < instant and amount > 0 for history in histories for at, amount in history)

    def unpriced(self, instant: int) -> int:
        """Accounts with an event before the instant whose amount is unknown or has no rate."""
        return len({account for at, account in self._unpriced if at < instant})


@lru_cache(maxsize=4)
def recurring_revenue(log: Log, playbook: Playbook) -> RecurringRevenue:
    """The recurring revenue of a log, computed once."""
    return RecurringRevenue(log, playbook)


def _after(kind: str, before: Decimal, amount: Decimal) -> Decimal:
    """Revenue never falls below nothing."""
    if kind in SETS_REVENUE:
        return amount
    return before + amount if kind == "SubscriptionExpanded" else max(ZERO, before - amount)
