"""Events of alerts: when a retraction happened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from projections.incidents import OPENED, RETRACTED, Incident, Obligation, Step
from schemas.codec import Failure
from streams.reactions.alert_events import message_of
from streams.reactions.alert_notices import read_alert_event

DUE = datetime(2026, 3, 2, 10, tzinfo=UTC)
NOW = DUE + timedelta(hours=3)


@pytest.mark.parametrize(
    ("measured_at", "retracted_at"),
    [
        pytest.param(NOW - timedelta(minutes=1), NOW - timedelta(minutes=1), id="when it became known"),
        pytest.param(NOW + timedelta(microseconds=1), NOW, id="a clock that stands still"),
    ],
)
def test_an_alert_is_retracted_when_it_became_known_but_never_in_the_future(
    measured_at: datetime, retracted_at: datetime
) -> None:
    version = (measured_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    obligation = Obligation(
        handoff_id="h1", lead_id="l1", sla="answer", episode=1, version=version, reached=2,
        from_team="marketing", to_team="sales", owed_by="sales", clock="business", allowed_minutes=60.0,
        starts_at=DUE - timedelta(hours=1), playbook_version="p1", due_at=DUE,
    )  # fmt: skip
    step = Step(RETRACTED, Incident("late", DUE, OPENED), DUE, why="answered in time")

    found = read_alert_event(message_of(step, obligation, NOW).value)

    assert not isinstance(found, Failure) and found[1]["occurred_at"] == retracted_at
