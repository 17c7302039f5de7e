"""What a meeting records: decisions and disputes, published as events like any other."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

from streams.kafka.publisher import Publisher
from streams.project import Project
from streams.queries.numbers import Number, read_number

SOURCE = "baton"
SUBJECTS = ("number", "handoff", "lead", "opportunity")
RESOLUTIONS = ("upheld", "rejected", "corrected")
DIRECTIONS = ("rise", "fall")
_SHOULD = " should "

Event = dict[str, Any]


def decision(
    words: str, *, by: str, owner: str | None, number: Number | None, should: str | None, due_on: date | None
) -> Event:
    """The event of a decision."""
    return {
        **_event("DecisionRecorded", "decision_id", "dec"),
        "decision": words,
        "decided_by": by,
        "owner": owner,
        "number": number and number.address,
        "due_on": due_on and due_on.isoformat(),
        "expected_effect": f"{number.address}{_SHOULD}{should}" if number and should else None,
    }


def direction(expected_effect: str | None) -> str | None:
    """Whether a decision's number should rise or fall; None where its event says neither."""
    _, _, word = (expected_effect or "").rpartition(_SHOULD)
    return word if word in DIRECTIONS else None


def dispute(kind: str, subject: str, *, team: str, reason: str) -> Event:
    """The event that opens a dispute. Raises BatonError (exit 2) for a number that is not there."""
    if kind == "number":
        subject = read_number(subject).address
    return {
        **_event("DisputeOpened", "dispute_id", "dis"),
        "subject_kind": kind,
        "subject_id": subject,
        "opened_by_team": team,
        "reason": reason,
    }


def resolution(dispute_id: str, *, how: str, by: str) -> Event:
    """The event that settles a dispute."""
    event = _event("DisputeResolved", "dispute_id", "dis")
    return {**event, "dispute_id": dispute_id, "resolution": how, "resolved_by": by}


def record(project: Project, event: Mapping[str, Any]) -> str:
    """Publish an event; its id, once Kafka has it. Raises BatonError when it could not be delivered."""
    with Publisher(project) as publisher:
        event_id = publisher.publish(event)
        publisher.flush()
    return event_id


def shown_when(project: Project, usually: str) -> str:
    """Where what was recorded shows; `usually` says so of a project whose clock runs."""
    if (as_of := project.pinned_as_of) is None:
        return f"Recorded. {usually}"
    return (
        f"Recorded. It shows nowhere: this project's clock stands still at {as_of:%Y-%m-%d %H:%M} UTC, before"
        " it happened, as the demo's does."
    )


def _event(type_: str, key: str, prefix: str) -> Event:
    now = datetime.now(UTC).isoformat()
    return {"type": type_, "occurred_at": now, "source": SOURCE, key: f"{prefix}-{uuid4().hex[:12]}"}
