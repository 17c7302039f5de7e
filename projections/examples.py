"""The examples in a playbook: given these events, the definition of a qualified lead must say this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from projections.playbook_blocks import Blocks
from schemas.validation import ContractViolation, Record, read_event

KEYS = {"example": {"id", "says", "events", "lead_id", "as_of", "verdict", "failing"}}
VERDICTS = ("qualified", "not_qualified")
_SOURCE = "example"


@dataclass(frozen=True)
class Example:
    """Events and the verdict on the lead they are about.

    events: (name of the event, record), complete. failing: the required criteria that are not met; None
    leaves them open. line: where the block stands in the file.
    """

    id: str
    events: tuple[tuple[str, Record], ...]
    lead_id: str
    as_of: datetime
    is_qualified: bool
    failing: frozenset[str] | None = None
    line: int = field(default=0, compare=False)


def read_examples(blocks: Blocks) -> tuple[Example, ...]:
    """The examples of a playbook. Faults are BatonErrors that name the line."""
    return tuple(blocks.each("example", lambda i, block: _example(blocks, i, block)))


def _example(blocks: Blocks, index: int, block: Mapping[str, Any]) -> Example:
    events = read_events(blocks, "example", index, block)
    blocks.text("example", index, block, "says")
    verdict = blocks.one_of("example", index, block, "verdict", VERDICTS)
    failing = frozenset(blocks.texts("example", index, block, "failing")) if "failing" in block else None
    if failing is not None and (verdict == "qualified") is bool(failing):
        raise blocks.fault(
            "example", index, f"verdict = {verdict!r} does not go with failing = {block['failing']}"
        )
    return Example(
        id=block["id"],
        events=events,
        lead_id=_lead(blocks, index, block, events),
        as_of=read_as_of(blocks, "example", index, block, events),
        is_qualified=verdict == "qualified",
        failing=failing,
        line=blocks.line("example", index),
    )


def read_events(
    blocks: Blocks, name: str, index: int, block: Mapping[str, Any]
) -> tuple[tuple[str, Record], ...]:
    """The events of an example, at least one."""
    events = tuple(
        _event(blocks, name, index, number, event)
        for number, event in enumerate(blocks.values(name, index, block, "events"), 1)
    )
    if not events:
        raise blocks.fault(name, index, "events is missing: name at least one")
    return events


def _event(blocks: Blocks, name: str, index: int, number: int, event: Any) -> tuple[str, Record]:
    """An event with what an example may leave out: its id, its source, and when Baton accepted it."""
    if not isinstance(event, dict):
        raise blocks.fault(name, index, f"event {number} is no table such as {{type = 'LeadCaptured', ...}}")
    complete = {"source": _SOURCE, "recorded_at": event.get("occurred_at"), **event}
    try:
        event_type, record = read_event(complete)
    except ContractViolation as violation:
        place = f", {violation.field}" if violation.field else ""
        raise blocks.fault(name, index, f"event {number}{place}: {violation.why}") from violation
    return event_type.name, record


def _lead(
    blocks: Blocks, index: int, block: Mapping[str, Any], events: tuple[tuple[str, Record], ...]
) -> str:
    """The lead that is judged: the one named, or the only one there is."""
    leads = sorted({record["lead_id"] for _, record in events if record.get("lead_id")})
    if "lead_id" in block:
        named = blocks.text("example", index, block, "lead_id")
        if named not in leads:
            raise blocks.fault("example", index, f"lead_id = {named!r}: no event is about this lead")
        return named
    if len(leads) != 1:
        about = ", ".join(leads) or "no lead"
        raise blocks.fault("example", index, f"the events are about {about}: say lead_id = '...'")
    return str(leads[0])


def read_as_of(
    blocks: Blocks, name: str, index: int, block: Mapping[str, Any], events: tuple[tuple[str, Record], ...]
) -> datetime:
    """When the verdict is asked for: the moment of the last event unless the block says another."""
    value = block.get("as_of")
    if value is None:
        last: datetime = max(record["occurred_at"] for _, record in events)
        return last
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        instant = None
    if instant is None or instant.utcoffset() is None:
        why = f"as_of = {value!r}; it is an instant such as 2026-03-02T09:00:00Z"
        raise blocks.fault(name, index, why)
    return instant
