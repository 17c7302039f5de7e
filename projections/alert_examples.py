"""The examples of alert rules in a playbook: given these events, this is what becomes of an alert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from projections.alert_rules import HANDOFF_KINDS, AlertRule
from projections.examples import read_as_of, read_events
from projections.incidents import OPENED, RESOLVED, RETRACTED
from projections.playbook_blocks import Blocks
from schemas.validation import Record

KEYS = {"alert_example": {"id", "says", "rule", "events", "as_of", "state", "opened_at"}}
NO_ALERT = "none"
STATES = (NO_ALERT, OPENED, RESOLVED, RETRACTED)


@dataclass(frozen=True)
class AlertExample:
    """Events about one handoff, and what the rule says of it as of then. opened_at: when the alert opened,
    where
    the example says so. line: where the block stands in the file."""

    id: str
    rule: str
    events: tuple[tuple[str, Record], ...]
    as_of: datetime
    state: str
    opened_at: datetime | None = None
    line: int = field(default=0, compare=False)


def read_alert_examples(blocks: Blocks, rules: tuple[AlertRule, ...]) -> tuple[AlertExample, ...]:
    """The examples of a playbook. Faults are BatonErrors that name the line."""
    return tuple(blocks.each("alert_example", lambda i, block: _example(blocks, i, block, rules)))


def _example(
    blocks: Blocks, index: int, block: Mapping[str, Any], rules: tuple[AlertRule, ...]
) -> AlertExample:
    known = tuple(rule.id for rule in rules if rule.kind in HANDOFF_KINDS)
    events = read_events(blocks, "alert_example", index, block)
    blocks.text("alert_example", index, block, "says")
    state = blocks.one_of("alert_example", index, block, "state", STATES)
    opened_at = block.get("opened_at")
    if opened_at is not None and (
        state == NO_ALERT or not isinstance(opened_at, datetime) or not opened_at.tzinfo
    ):
        raise blocks.fault(
            "alert_example",
            index,
            "opened_at is an instant such as 2026-03-02T11:00:00Z, of an alert that opened",
        )
    return AlertExample(
        id=block["id"],
        rule=blocks.one_of("alert_example", index, block, "rule", known),
        events=events,
        as_of=read_as_of(blocks, "alert_example", index, block, events),
        state=state,
        opened_at=opened_at,
        line=blocks.line("alert_example", index),
    )
