"""The view account_churn: when a company had no subscription any more."""

from __future__ import annotations

from collections.abc import Iterator

from streams.simulator.clock import iso
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook
from tests.oracle.subscriptions import departures

KEY = ("account_id", "churned_at")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per company and instant at which it left."""
    for account_id, churns in departures(log, playbook).items():
        for churn in churns:
            yield {
                "account_id": account_id,
                "churned_at": iso(churn.at),
                "event_id": churn.fact.event_id,
                "churn_reason": churn.fact.fields["reason_code"],
            }
