"""What is true of simulated customers: promises kept or not, who left, and how much revenue stayed.

Counted event by event from the emitted facts. Money is exact to the cent, in the goal's currency.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from streams.simulator.clock import EPOCH, iso, microseconds_of
from streams.simulator.facts import Fact
from streams.simulator.rules import Rules
from streams.simulator.simulation import Chapter
from streams.simulator.tellers import Row

SETTING = ("CustomerOnboarded", "SubscriptionRenewed", "SubscriptionChurned")
OF_CUSTOMERS = (*SETTING, "SubscriptionExpanded", "SubscriptionContracted")
OF_PROMISES = ("PromiseMade", "PromiseKept", "PromiseMissed", "OpportunityWon")
ZERO = Decimal("0.00")
PROMISE_STATES = ("all_kept", "some_missed", "none_settled", "none_made")


class Money:
    """Amounts in the goal's currency, at the playbook's rates."""

    def __init__(self, text: dict[str, Any]) -> None:
        self.currency: str = text.get("money", {}).get("currency", "EUR")
        self._rates = {row["currency"]: Decimal(row["rate"]) for row in text.get("rate", [])}
        self._rates[self.currency] = Decimal(1)

    def of(self, fields: dict[str, Any]) -> Decimal | None:
        """The amount an event says, converted; None without an amount or a rate."""
        rate = self._rates.get(fields.get("currency") or "")
        if fields.get("amount") is None or rate is None:
            return None
        return (Decimal(fields["amount"]) * rate).quantize(Decimal("0.01"), ROUND_HALF_UP)


def minimum_n(text: dict[str, Any]) -> int:
    """How many cases make a rate."""
    return int(text.get("cascade", {}).get("minimum_n", 30))


class CustomerTruths:
    """Promises, churn by promise state, and retention by quarter."""

    def __init__(self, rules: Rules, as_of: int) -> None:
        self._zone = rules.zone
        self._as_of = as_of
        self._money = Money(dict(rules.text))
        self._minimum_n = minimum_n(dict(rules.text))
        self._facts: list[Fact] = []

    def add(self, chapter: Chapter) -> Iterable[tuple[str, Row]]:
        """Keep what is about customers: companies have several leads, so rows come at the end."""
        self._facts += [fact for fact in chapter.facts if fact.type in OF_CUSTOMERS + OF_PROMISES]
        return ()

    def finish(self) -> Iterator[tuple[str, Row]]:
        """All rows."""
        self._facts.sort(key=lambda fact: (fact.occurred_at, fact.event_id))
        ledger = self._ledger()
        for row in ledger:
            yield "promise_ledger", row
        for row in self._churn_by_promises(ledger):
            yield "promise_churn", row
        for row in self._retention():
            yield "retention", row

    def _of(self, *types: str) -> list[Fact]:
        return [fact for fact in self._facts if fact.type in types]

    def _first(self, type_: str, field: str) -> dict[str, int]:
        """When the first event of a type happened, by a field."""
        found: dict[str, int] = {}
        for fact in self._of(type_):
            found.setdefault(fact.fields[field], fact.occurred_at)
        return found

    def _by(self, field: str, *types: str) -> dict[str, list[Fact]]:
        """Facts of some types by a field, each list in order."""
        found: dict[str, list[Fact]] = {}
        for fact in self._of(*types):
            found.setdefault(fact.fields[field], []).append(fact)
        return found

    def _ledger(self) -> list[Row]:
        reports = self._by("promise_id", "PromiseKept", "PromiseMissed")
        churns = self._by("account_id", "SubscriptionChurned")
        won = self._first("OpportunityWon", "opportunity_id")
        onboarded = self._first("CustomerOnboarded", "account_id")
        rows: dict[str, Row] = {}
        for made in self._of("PromiseMade"):
            said = made.fields
            if said["promise_id"] in rows:
                continue
            deal = said["opportunity_id"]
            won_at = won.get(deal) if deal else onboarded.get(said["account_id"])
            told = reports.get(said["promise_id"], [])
            later = (f for f in churns.get(said["account_id"], []) if f.occurred_at > made.occurred_at)
            churn = next(later, None)
            rows[said["promise_id"]] = {
                "promise_id": said["promise_id"],
                "account_id": said["account_id"],
                "opportunity_id": deal,
                "made_by": said["made_by"],
                "promise": said["promise"],
                "made_at": iso(made.occurred_at),
                "due_on": said["due_on"],
                "won_at": None if won_at is None else iso(won_at),
                "is_before_win": won_at is None or made.occurred_at <= won_at,
                "state": self._promise_state(said["due_on"], told),
                "settled_at": iso(told[0].occurred_at) if told else None,
                "is_reported_after_churn": bool(told and churn and told[0].occurred_at > churn.occurred_at),
                "churned_at": iso(churn.occurred_at) if churn else None,
                "is_churned": churn is not None,
                "churn_reason": churn.fields["reason_code"] if churn else None,
            }
        return list(rows.values())

    def _promise_state(self, due_on: str | None, told: list[Fact]) -> str:
        if told:
            return told[-1].type.removeprefix("Promise").lower()
        is_over = due_on is not None and self._local_day(self._as_of) > date.fromisoformat(due_on)
        return "overdue" if is_over else "open"

    def _local_day(self, instant: int) -> date:
        return (EPOCH + timedelta(microseconds=instant)).astimezone(self._zone).date()

    def _churn_by_promises(self, ledger: list[Row]) -> list[Row]:
        churned = self._first("SubscriptionChurned", "account_id")
        states: dict[str, list[str]] = {}
        for row in ledger:
            left_at = churned.get(row["account_id"])
            if left_at is None or row["made_at"] < iso(left_at):
                states.setdefault(row["account_id"], []).append(row["state"])
        counts = {state: [0, 0] for state in PROMISE_STATES}
        for account_id in {fact.fields["account_id"] for fact in self._of(*OF_CUSTOMERS)}:
            count = counts[_state_of(states.get(account_id, []))]
            count[0] += 1
            count[1] += account_id in churned
        return [
            {
                "promise_state": state,
                "customers": customers,
                "churned": left,
                "churn_rate": left / customers if customers else None,
                "n": customers,
                "is_enough": customers >= self._minimum_n,
            }
            for state, (customers, left) in counts.items()
        ]

    def _retention(self) -> Iterator[Row]:
        facts = self._of(*OF_CUSTOMERS)
        if not facts:
            return
        first = self._local_day(facts[0].occurred_at)
        year, quarter = first.year, (first.month - 1) // 3
        book = RevenueBook(self._money, facts)
        while self._begin_of(year, quarter) <= self._as_of:
            after = (year + (quarter == 3), (quarter + 1) % 4)
            ends_at = self._begin_of(*after)
            counted = _cohort(book, self._begin_of(year, quarter), ends_at)
            yield {
                "period": f"{year}-Q{quarter + 1}",
                "starts_on": str(date(year, quarter * 3 + 1, 1)),
                "ends_on": str(date(after[0], after[1] * 3 + 1, 1) - timedelta(days=1)),
                "is_over": self._as_of >= ends_at,
                **counted,
                "is_enough": counted["n"] >= self._minimum_n,
                "currency": self._money.currency,
            }
            year, quarter = after

    def _begin_of(self, year: int, quarter: int) -> int:
        begin = datetime(year, quarter * 3 + 1, 1, tzinfo=self._zone)
        return microseconds_of(begin.astimezone(UTC))


def _state_of(states: list[str]) -> str:
    if not states:
        return "none_made"
    if "missed" in states:
        return "some_missed"
    return "all_kept" if "kept" in states else "none_settled"


class RevenueBook:
    """The recurring revenue of every subscription, event after event. facts: in order."""

    def __init__(self, money: Money, facts: list[Fact]) -> None:
        named: dict[str, str] = {}
        for fact in facts:
            if fact.fields["subscription_id"] is not None:
                named.setdefault(fact.fields["account_id"], fact.fields["subscription_id"])
        # account -> subscription -> (instant, revenue from then on), in order
        self.accounts: dict[str, dict[str, list[tuple[int, Decimal]]]] = {}
        self.unpriced: list[tuple[int, str]] = []
        for fact in facts:
            account = fact.fields["account_id"]
            subscription = fact.fields["subscription_id"] or named.get(account, "")
            amount = ZERO if fact.type == "SubscriptionChurned" else money.of(fact.fields)
            if amount is None:
                self.unpriced.append((fact.occurred_at, account))
                continue
            life = self.accounts.setdefault(account, {}).setdefault(subscription, [])
            before = life[-1][1] if life else ZERO
            life.append((fact.occurred_at, _after(fact.type, before, amount)))

    def revenue(self, account: str, instant: int) -> Decimal:
        """The account's revenue just before an instant."""
        total = ZERO
        for life in self.accounts[account].values():
            total += next((amount for at, amount in reversed(life) if at < instant), ZERO)
        return total

    def had_revenue(self, account: str, instant: int) -> bool:
        """Whether the account had any revenue before an instant."""
        lives = self.accounts[account].values()
        return any(at < instant and amount > 0 for life in lives for at, amount in life)


def _after(type_: str, before: Decimal, amount: Decimal) -> Decimal:
    if type_ in SETTING:
        return amount
    return before + amount if type_ == "SubscriptionExpanded" else max(ZERO, before - amount)


def _cohort(book: RevenueBook, starts_at: int, ends_at: int) -> Row:
    """What became, by the end, of the revenue there was at the start."""
    sums = dict.fromkeys(("opening_arr", "expansion", "contraction", "churn"), ZERO)
    sums |= dict.fromkeys(("closing_arr", "new_arr", "reactivated_arr"), ZERO)
    customers = churned = 0
    for account in book.accounts:
        opening, closing = book.revenue(account, starts_at), book.revenue(account, ends_at)
        if not opening:
            sums["reactivated_arr" if book.had_revenue(account, starts_at) else "new_arr"] += closing
            continue
        customers += 1
        churned += not closing
        sums["opening_arr"] += opening
        sums["closing_arr"] += closing
        if closing > opening:
            sums["expansion"] += closing - opening
        else:
            sums["contraction" if closing else "churn"] += opening - closing
    start, lost = sums["opening_arr"], sums["contraction"] + sums["churn"]
    return {
        "customers": customers,
        **{name: str(amount) for name, amount in sums.items()},
        "nrr": float(sums["closing_arr"]) / float(start) if start else None,
        "grr": float(start - lost) / float(start) if start else None,
        "churned_customers": churned,
        "unpriced": len({account for at, account in book.unpriced if at < ends_at}),
        "n": customers,
    }
