"""The view lead_verdict: whether each lead is qualified and since when, without the reasons."""

from __future__ import annotations

from collections.abc import Iterator

from tests.oracle import qualification
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook

KEY = ("lead_id",)
COLUMNS = ("lead_id", "account_id", "segment", "is_qualified", "qualified_at")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per lead that was seen."""
    for row in qualification.rows(log, playbook, as_of):
        yield {name: row[name] for name in COLUMNS}
