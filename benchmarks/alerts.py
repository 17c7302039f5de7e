"""Case: what one look at the clock costs with many open handoffs and many rules, and how fast agents
follow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.case import Bench, Case, Figure, Target
from benchmarks.own_process import Measured, in_own_process
from projections.alert_rules import AlertRule
from projections.playbook import read_playbook
from schemas.catalogue import CATALOGUE
from schemas.codec import encode
from streams.kafka.producer import Message
from streams.reactions.alert_notices import AlertNotices
from streams.reactions.delivery import Deliveries
from streams.reactions.obligation_alerts import ObligationAlerts
from streams.reactions.rule_board import RuleBoard

METHOD = (
    "Handoffs that are all past due are given to the agents, under rules of which each concerns one pair of "
    "teams; a log in memory stands for Kafka, so the figures are what Baton computes. Then every timer looks"
    " once: at obligations that wait for a time, and at the deliveries that are due. After a change of rules"
    " it looks at everything. The figure is the median of some looks."
)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
RULES = 200
LOOKS = 9


def measure(bench: Bench) -> Case:
    """Milliseconds of a look, and obligations followed a second."""
    handoffs = 100 if bench.scale.is_quick else 10_000
    found = in_own_process(look, handoffs=handoffs, rules=RULES)
    what = f"{handoffs:,} open handoffs and {RULES} rules"
    return Case(
        "alerts",
        METHOD,
        (
            Figure(f"one look of all timers, {what}", "ms", found["look_ms"], target=Target("<=", 100.0)),
            Figure(f"a look at everything, as after a change of rules, {what}", "ms", [found["all_ms"]]),
            Figure("obligations followed, alerts opened", "per second", [found["followed_per_second"]]),
        ),
    )


def look(handoffs: int, rules: int) -> Measured:
    """In a process of its own."""
    return asyncio.run(_look(handoffs, rules))


class _Table:
    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.get, self.items = self.values.get, self.values.items

    def put(self, key: str, value: Any) -> None:
        self.values[key] = value


class _Record:
    """A record as Faust hands it over."""

    def __init__(self, key: bytes, value: bytes | None) -> None:
        self.topic, self.partition, self.offset, self.key, self.value = "t", 0, 0, key, value

    @property
    def message(self) -> _Record:
        return self


@asynccontextmanager
async def _unguarded() -> AsyncIterator[None]:
    yield


async def _each(records: Sequence[_Record]) -> AsyncIterator[Any]:
    for record in records:
        yield record


async def _look(handoffs: int, rules: int) -> Measured:
    some = [
        AlertRule(f"r{n}", "handoff_past_due", "warning", "sales", to_team=f"team{n}", receivers=("nobody",))
        for n in range(rules - 1)
    ]
    waiting = AlertRule("waits", "handoff_past_due", "warning", "sales", held_for=timedelta(days=1))
    board = RuleBoard(replace(read_playbook(), alerts=(*some, waiting)))
    sent: list[Message] = []

    async def deliver(messages: Sequence[Message]) -> None:
        sent.extend(messages)

    now = [NOON]
    obligations = ObligationAlerts(
        store=_Table(), board=board, deliver=deliver, before_ack=_unguarded, clock=lambda: now[0]
    )
    measured = [_Record(b"k", _obligation(n, rules - 1)) for n in range(handoffs)]
    started = time.perf_counter()
    async for _ in obligations.agent(_each(measured)):
        pass
    seconds = time.perf_counter() - started

    alerts = _Table()
    deliveries = Deliveries(alerts, board, deliver, _no_words, {}, "t", 1, lambda: now[0])
    known = AlertNotices(
        store=alerts,
        deliver=deliver,
        before_ack=_unguarded,
        on_known=deliveries.on_known,
        on_sync=deliveries.on_sync,
    )
    opened = [_Record(message.key or b"", message.value) for message in sent]
    sent.clear()
    await deliveries.begin([0])
    async for _ in known.agent(_each([*opened, *(_Record(m.key or b"", m.value) for m in sent)])):
        pass
    now[0] = NOON - timedelta(
        seconds=1
    )  # nothing is due yet: that is the look that is taken ten times a second
    looks = []
    for _ in range(LOOKS):
        started = time.perf_counter()
        obligations.take_due()
        await deliveries.tick()
        looks.append((time.perf_counter() - started) * 1000)
    started = time.perf_counter()
    await obligations.look_at_all()
    return {
        "look_ms": looks,
        "all_ms": (time.perf_counter() - started) * 1000,
        "followed_per_second": handoffs / seconds,
        "alerts": len(opened),
    }


def _no_words(*_: Any) -> Any:
    raise AssertionError("nothing is due")


def _obligation(number: int, teams: int) -> bytes:
    event = CATALOGUE.event_types["ObligationMeasured"]
    due_at = NOON - timedelta(minutes=1)
    record = {
        **dict.fromkeys(field["name"] for field in event.fields),
        **dict.fromkeys(("occurred_at", "recorded_at", "due_at", "late_at", "at_risk_at"), due_at),
        "starts_at": due_at - timedelta(hours=2),
        "event_id": f"o{number}",
        "source": "baton",
        "handoff_id": f"h{number}",
        "lead_id": f"l{number}",
        "sla": "answer",
        "episode": 1,
        "version": 1,
        "reached": 2,
        "from_team": "marketing",
        "to_team": f"team{number % teams}",
        "owed_by": f"team{number % teams}",
        "clock": "business",
        "allowed_minutes": 120.0,
        "is_withdrawn": False,
        "playbook_version": "v",
    }
    return encode(event, record)
