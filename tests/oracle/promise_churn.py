"""The view promise_churn: how many customers left, by what became of the promises made to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from streams.simulator.clock import iso
from tests.oracle import promise_ledger
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook
from tests.oracle.subscriptions import SUBSCRIPTION, departures

KEY = ("promise_state",)
STATES = ("all_kept", "some_missed", "none_settled", "none_made")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per state of an account's promises. Promises made after it first left do not count."""
    churned = {account: left[0].at for account, left in departures(log, playbook).items()}
    promises: dict[str, list[str]] = defaultdict(list)
    for row in promise_ledger.rows(log, playbook, as_of):
        churn = churned.get(row["account_id"])
        if churn is None or row["made_at"] < iso(churn):
            promises[row["account_id"]].append(row["state"])
    accounts: dict[str, list[str]] = defaultdict(list)
    for account_id in {fact.fields["account_id"] for fact in log.of(*SUBSCRIPTION)}:
        accounts[_state_of(promises[account_id])].append(account_id)
    for state in STATES:
        n, left = len(accounts[state]), sum(account in churned for account in accounts[state])
        yield {
            "promise_state": state,
            "customers": n,
            "churned": left,
            "churn_rate": left / n if n else None,
            "n": n,
            "is_enough": n >= playbook.minimum_n,
        }


def _state_of(states: list[str]) -> str:
    if not states:
        return "none_made"
    if "missed" in states:
        return "some_missed"
    return "all_kept" if "kept" in states else "none_settled"
