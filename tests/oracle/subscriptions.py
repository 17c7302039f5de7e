"""Recurring revenue: what each subscription is worth a year, event after event."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from functools import lru_cache

from tests.oracle.log import Fact, Log, first_by
from tests.oracle.playbook import Playbook

SETS_REVENUE = ("CustomerOnboarded", "SubscriptionRenewed", "SubscriptionChurned")
SUBSCRIPTION = (*SETS_REVENUE, "SubscriptionExpanded", "SubscriptionContracted")
ZERO = Decimal("0.00")


class RecurringRevenue:
    """The yearly revenue of every subscription over time, in the playbook's currency."""

    def __init__(self, log: Log, playbook: Playbook) -> None:
        facts = log.of(*SUBSCRIPTION)
        # An event that names no subscription is about the account's first one.
        first = first_by("account_id", [f for f in facts if f.fields["subscription_id"] is not None])
        # account -> subscription -> (instant, revenue from then on), in order
        self.accounts: dict[str, dict[str, list[tuple[int, Decimal]]]] = defaultdict(dict)
        self._unpriced: list[tuple[int, str]] = []
        for fact in facts:
            account, subscription = fact.fields["account_id"], fact.fields["subscription_id"]
            if subscription is None and account in first:
                subscription = first[account].fields["subscription_id"]
            amount = ZERO if fact.type == "SubscriptionChurned" else playbook.priced(fact.fields)
            if amount is None:
                self._unpriced.append((fact.occurred_at, account))
                continue
            history = self.accounts[account].setdefault(subscription or "", [])
            history.append((fact.occurred_at, _after(fact, history[-1][1] if history else ZERO, amount)))

    def before(self, account: str, instant: int) -> Decimal:
        """The account's revenue just before an instant."""
        total = ZERO
        for history in self.accounts[account].values():
            total += next((amount for at, amount in reversed(history) if at < instant), ZERO)
        return total

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


def _after(fact: Fact, before: Decimal, amount: Decimal) -> Decimal:
    """Revenue never falls below nothing."""
    if fact.type in SETS_REVENUE:
        return amount
    return before + amount if fact.type == "SubscriptionExpanded" else max(ZERO, before - amount)
