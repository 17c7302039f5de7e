"""The rules in force at each instant, as every worker of the reaction plane knows them.

The worker with a warehouse knows what was signed; it publishes the playbooks, so that workers with agents
only follow them too. A change applies without a restart.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from projections.agreement import InForce
from projections.alert_rules import AlertRule
from projections.playbook import Playbook, parse_playbook
from streams.kafka.names import Names
from streams.kafka.producer import Message
from streams.kafka.topics import RULES_TOPIC

_KEY = b"playbooks"
_POLL_MS = 500


class RuleBoard:
    """Playbooks by the time they govern. One writer; agents read."""

    def __init__(self, playbook: Playbook) -> None:
        """playbook: what applies until more is known."""
        self.periods: tuple[InForce, ...] = (InForce(playbook),)
        self.revision = 0
        self._on_change: list[Callable[[], None]] = []

    def on_change(self, call: Callable[[], None]) -> None:
        """`call` after each change."""
        self._on_change.append(call)

    def put(self, periods: Sequence[InForce]) -> bool:
        """Let these playbooks govern; whether that changes anything."""
        if _said(periods) == _said(self.periods):
            return False
        self.periods = tuple(periods)
        self.revision += 1
        for call in self._on_change:
            call()
        return True

    def rules_at(self, instant: datetime) -> Sequence[AlertRule]:
        """The rules in force then."""
        return next((p.playbook.alerts for p in reversed(self.periods) if p.governs(instant)), ())

    def rule(self, rule_id: str, instant: datetime) -> AlertRule | None:
        """The rule of this id in force then."""
        return next((rule for rule in self.rules_at(instant) if rule.id == rule_id), None)

    def message(self) -> Message:
        """What other workers need to know the same."""
        return Message(RULES_TOPIC, _KEY, json.dumps(_said(self.periods)).encode(), {})

    def take(self, value: bytes) -> None:
        """Know what that message says."""
        self.put([_period(each) for each in json.loads(value)])


async def follow_rules(
    board: RuleBoard, kafka: dict[str, Any], names: Names, is_known: asyncio.Event
) -> None:
    """Keep the board up with its topic. `is_known` is set once all that is there now was read."""
    consumer = AIOKafkaConsumer(**kafka, client_id="baton-rules", enable_auto_commit=False)
    await consumer.start()
    try:
        place = TopicPartition(names.in_kafka(RULES_TOPIC), 0)
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        end = (await consumer.end_offsets([place]))[place]
        while True:
            for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
                board.take(records[-1].value)
            if await consumer.position(place) >= end:
                is_known.set()
    finally:
        await consumer.stop()


def _said(periods: Sequence[InForce]) -> list[dict[str, Any]]:
    return [
        {
            "since": p.since.isoformat() if p.since else None,
            "until": p.until.isoformat() if p.until else None,
            "version": p.playbook.version,
            "text": p.playbook.text,
        }
        for p in periods
    ]


def _period(said: dict[str, Any]) -> InForce:
    since, until = (datetime.fromisoformat(said[k]) if said[k] else None for k in ("since", "until"))
    return InForce(parse_playbook(said["text"]), since, until)
