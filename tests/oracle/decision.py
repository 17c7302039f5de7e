"""The view decision: what the teams decided, and which number should move."""

from __future__ import annotations

from collections.abc import Iterator

from streams.simulator.clock import iso
from tests.oracle.log import Log, Row, first_by
from tests.oracle.playbook import Playbook

KEY = ("decision_id",)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per decision; its last record counts, its first one says when."""
    latest = {fact.fields["decision_id"]: fact for fact in log.of("DecisionRecorded")}
    for decision_id, first in first_by("decision_id", log.of("DecisionRecorded")).items():
        fields = latest[decision_id].fields
        said = ("decision", "decided_by", "owner", "number", "due_on", "expected_effect")
        yield {
            "decision_id": decision_id,
            "decided_at": iso(first.occurred_at),
            **{name: fields.get(name) for name in said},
        }
