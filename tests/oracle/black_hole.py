"""The view black_hole: how many handoffs are in each state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from tests.oracle import handoff
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook

KEY = ("state",)
STATES: Final = (
    "not_arrived",
    "waiting",
    "at_risk",
    "past_due",
    "accepted_untouched",
    "being_worked",
    "returned_unacknowledged",
    "returned_acknowledged",
    "recycled",
    "converted",
    "lost",
    "moot",
)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per state, with 0 where no handoff is in it."""
    counts = Counter(row["state"] for row in handoff.rows(log, playbook, as_of))
    for state in STATES:
        yield {"state": state, "handoffs": counts[state]}
