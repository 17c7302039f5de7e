"""The agents alone, over a stream in memory: when an alert opens, and what is acknowledged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from projections.alert_rules import AlertRule
from projections.playbook import read_playbook
from schemas.catalogue import CATALOGUE
from schemas.codec import encode
from streams.kafka.producer import Message
from streams.reactions.alert_notices import read_alert_event
from streams.reactions.measurements import route_measured
from streams.reactions.overdue_alerts import OverdueAlerts
from streams.reactions.rule_board import RuleBoard
from streams.worker.shutdown import Shutdown

OBLIGATION = CATALOGUE.event_types["ObligationMeasured"]
MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def overdue(handoff: str, at: datetime, version: int = 1, **said: Any) -> bytes:
    """An answer that was due at an instant, and is not there."""
    record = {
        **dict.fromkeys(field["name"] for field in OBLIGATION.fields),
        **dict.fromkeys(("occurred_at", "recorded_at", "due_at", "late_at", "at_risk_at"), at),
        "starts_at": at - timedelta(hours=2),
        "event_id": f"overdue-{handoff}-{version}",
        "source": "baton",
        "handoff_id": handoff,
        "lead_id": "l",
        "sla": "answer",
        "episode": 1,
        "version": version,
        "reached": 2,
        "from_team": "marketing",
        "to_team": "sales_development",
        "owed_by": "sales_development",
        "clock": "business",
        "allowed_minutes": 120.0,
        "is_withdrawn": False,
        "playbook_version": "v",
        **said,
    }
    return encode(OBLIGATION, record)


class Stream:
    """A stream of one partition that notes what was acknowledged: an event is, once the next is asked for."""

    def __init__(self, values: Sequence[bytes | None]) -> None:
        self.records = [ConsumerEvent(offset, value) for offset, value in enumerate(values)]
        self.acked: list[int] = []

    async def __aiter__(self) -> AsyncIterator[ConsumerEvent]:
        for record in self.records:
            yield record
            self.acked.append(record.offset)


class ConsumerEvent:
    def __init__(self, offset: int, value: bytes | None) -> None:
        self.topic, self.partition, self.offset = "funnel.handoff-latency", 0, offset
        self.key, self.value = b"k", value

    @property
    def message(self) -> ConsumerEvent:
        return self


class OneTable:
    """A table in memory: what a changelog can hold."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        return self.values.get(key)

    def put(self, key: str, value: Any) -> None:
        self.values[key] = json.loads(json.dumps(value))

    def items(self) -> Iterable[tuple[str, Any]]:
        return self.values.items()


def test_an_event_whose_agent_fails_is_never_acknowledged() -> None:
    stream, shutdown = Stream([overdue(f"h{n}", MONDAY) for n in range(3)]), Shutdown()
    delivered = 0

    async def deliver(messages: Iterable[Message]) -> None:
        nonlocal delivered
        delivered += 1
        if delivered == 2:
            raise OSError("the network is gone")

    async def run() -> None:
        agent = route_measured(
            stream, by_pair="t", by_handoff="h", deliver=deliver, before_ack=shutdown.before_ack
        )

        async def work() -> None:
            async for _ in agent:
                pass

        working = asyncio.create_task(work())
        with pytest.raises(OSError, match="the network is gone"):
            await shutdown.wait()
        assert not working.done() and stream.acked == [0]
        working.cancel()

    asyncio.run(run())


HUGE = "t" * 500_000
ODD_RECORDS = {
    "no value": None,
    "no event": b"x",
    "an instant that no window holds": overdue("h", datetime(9999, 12, 31, 23, 59, tzinfo=UTC)),
    "teams whose pair no key holds": overdue("h", MONDAY, from_team=HUGE, to_team=HUGE),
}


@pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in ODD_RECORDS.items()])
def test_an_odd_record_becomes_a_dead_letter_and_its_neighbours_go_on(value: bytes | None) -> None:
    sent: list[Message] = []

    async def deliver(messages: Iterable[Message]) -> None:
        sent.extend(messages)

    async def run() -> Shutdown:
        shutdown = Shutdown()
        stream = Stream([overdue("h1", MONDAY), value, overdue("h2", MONDAY)])
        async for _ in route_measured(
            stream, by_pair="t", by_handoff="h", deliver=deliver, before_ack=shutdown.before_ack
        ):
            pass
        assert stream.acked == [0, 1, 2]
        async for _ in counting(sent, OneTable(), shutdown).agent(Stream([value])):
            pass
        return shutdown

    assert asyncio.run(run()).error is None
    assert [message.topic for message in sent] == [
        "h",
        "t",
        "funnel.dead-letter",
        "h",
        "t",
        "funnel.dead-letter",
    ]


RULE = AlertRule(
    "late",
    "overdue_in_window",
    "warning",
    "sales_development",
    window=timedelta(hours=1),
    threshold=3,
    minimum_n=3,
)
BOARD = RuleBoard(replace(read_playbook(), alerts=(RULE,)))


def counting(
    sent: list[Message], table: OneTable, shutdown: Shutdown, now: datetime = MONDAY
) -> OverdueAlerts:
    async def deliver(messages: Iterable[Message]) -> None:
        sent.extend(messages)

    return OverdueAlerts(
        store=table, board=BOARD, deliver=deliver, before_ack=shutdown.before_ack, clock=lambda: now
    )


def said_of(
    *values: bytes, table: OneTable | None = None, now: datetime = MONDAY
) -> list[tuple[str, dict[str, Any]]]:
    """The alert events that follow from these obligations, by name."""
    sent: list[Message] = []

    async def run() -> None:
        shutdown = Shutdown()
        async for _ in counting(sent, table or OneTable(), shutdown, now).agent(Stream(values)):
            pass
        assert shutdown.error is None

    asyncio.run(run())
    found = [read_alert_event(message.value) for message in sent]
    return [each for each in found if isinstance(each, tuple)]


@pytest.mark.parametrize(
    ("minutes", "opened"),
    [
        pytest.param([0, 1], [], id="below the threshold"),
        pytest.param([0, 1, 0, 1], [], id="the same handoffs again"),
        pytest.param([0, 1, 2], [2], id="at the threshold"),
        pytest.param([0, 1, 2, 3, 4, 5, 0, 2, 5], [2], id="far above it, and some again"),
        pytest.param([5, 4, 3, 2, 1, 0], [5, 4, 3, 2], id="told backwards"),
        pytest.param([4, 0, 3, 4, 1], [4, 3], id="one told late moves it back"),
    ],
)
def test_an_alert_opened_when_the_third_went_overdue(minutes: list[int], opened: list[int]) -> None:
    told = [
        event for _, event in said_of(*(overdue(f"h{n}", MONDAY + timedelta(minutes=n)) for n in minutes))
    ]

    assert [alert["occurred_at"] for alert in told] == [MONDAY + timedelta(minutes=n) for n in opened]
    assert len({alert["alert_id"] for alert in told}) == min(len(opened), 1)
    for alert in told:
        assert (alert["window_start_at"], alert["window_end_at"]) == (MONDAY, MONDAY + timedelta(hours=1))
        assert alert["sample_size"] == 3


def test_a_window_that_is_over_ends_its_alert_and_one_that_late_events_emptied_is_retracted() -> None:
    three = [overdue(f"h{n}", MONDAY + timedelta(minutes=n)) for n in range(3)]
    in_time = overdue("h0", MONDAY, 2, late_at=None, at_risk_at=None, reached=0, ended="met", ended_at=MONDAY)
    late_again = overdue("h0", MONDAY, 3)
    stale = overdue("h1", MONDAY, 0, late_at=None, reached=0)
    later = MONDAY + timedelta(hours=1)

    at_once = said_of(*three, stale, in_time, late_again)
    afterwards = said_of(*three, now=later)
    told_late = said_of(*three, in_time, now=later)

    assert [name for name, _ in at_once] == ["AlertOpened", "AlertRetracted", "AlertOpened"]
    assert at_once[0][1]["alert_id"] == at_once[1][1]["alert_id"] != at_once[2][1]["alert_id"]
    assert [name for name, _ in afterwards] == ["AlertOpened", "AlertResolved"]
    assert (afterwards[1][1]["occurred_at"], afterwards[1][1]["cause"]) == (later, "window_ended")
    assert [name for name, _ in told_late] == ["AlertOpened", "AlertResolved", "AlertRetracted"]
