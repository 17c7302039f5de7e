"""Deliveries alone, over a log in memory and a receiver on this machine: who is notified of what, when, how
often."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from projections.alert_rules import AlertRule, QuietHours
from projections.business_time import read_windows
from projections.playbook import read_playbook
from schemas.catalogue import CATALOGUE
from streams.kafka.producer import Message
from streams.reactions import notices
from streams.reactions.alert_events import event_message
from streams.reactions.alert_notices import AlertNotices, read_alert_event
from streams.reactions.delivery import Deliveries, pause_seconds
from streams.reactions.description import Description
from streams.reactions.notices import escalates_at, waiting, with_event
from streams.reactions.rule_board import RuleBoard
from streams.receivers.configuration import Receiver
from tests.streams.reactions.receiving import SECRET, Got, Receiving, receiving
from tests.streams.reactions.test_agents import ConsumerEvent, OneTable

OPENED_AT = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
PLAYBOOK = read_playbook()
RULE = AlertRule("late", "handoff_past_due", "critical", "sales_development", receivers=("hook",))


def event(name: str, at: datetime, alert_id: str = "a1", **said: Any) -> dict[str, Any]:
    """An event of an alert, complete."""
    filled = {
        "AlertOpened": {
            "rule": "late",
            "severity": "critical",
            "subject_kind": "handoff",
            "subject_id": f"h-{alert_id}",
            "observed": 1.0,
            "threshold": 1.0,
            "sample_size": 1,
            "summary": "Sales Development owes Marketing an answer",
            "subject_lead_id": "l-1",
            "sla": "answer",
            "owed_by": "sales_development",
            "owed_to": "marketing",
            "due_at": at,
            "clock": "business",
            "calendar": "berlin",
            "allowed_minutes": 120.0,
        },
        "AlertAcknowledged": {"acknowledged_by": "sdr-anna"},
        "AlertRetracted": {"reason": "it was done in time"},
    }.get(name, {})
    envelope = {"event_id": f"{alert_id}-{name}-{at.isoformat()}", "occurred_at": at, "recorded_at": at}
    fields = dict.fromkeys(field["name"] for field in CATALOGUE.event_types[name].fields)
    return {**fields, **envelope, "source": "baton", "alert_id": alert_id, **filled, **said}


class Line:
    """The topic, the agent and the deliveries of a worker. `now` is its clock."""

    def __init__(
        self, site: Receiving, rule: AlertRule = RULE, table: OneTable | None = None, **said: Any
    ) -> None:
        self.now = OPENED_AT
        self.table = table or OneTable()
        self.offset = 0
        board = RuleBoard(replace(PLAYBOOK, alerts=(rule,)))
        hook = Receiver("hook", "webhook", site.url, SECRET, ("127.0.0.1",), timeout_seconds=1)
        boss = replace(hook, id="boss", url=f"{site.url}/boss")
        receivers = {"hook": hook, "boss": boss, **said.pop("receivers", {})}
        clock: Callable[[], datetime] = lambda: self.now  # noqa: E731
        describe = Description(board, "http://page", clock, lambda sla: "EUR 500")
        self.deliveries = Deliveries(self.table, board, self.deliver, describe, receivers, "t", 1, clock)
        self.agent = AlertNotices(
            store=self.table,
            deliver=self.deliver,
            before_ack=_unguarded,
            on_known=self.deliveries.on_known,
            on_sync=self.deliveries.on_sync,
        )
        self.published: list[dict[str, Any]] = []

    async def deliver(self, messages: Sequence[Message]) -> None:
        """Publish, and let the agent read at once."""
        for message in messages:
            found = ConsumerEvent(self.offset, message.value)
            found.partition, found.key = 0, message.key or b""
            self.offset += 1
            read = read_alert_event(message.value)
            if isinstance(read, tuple):
                self.published.append({"name": read[0], **read[1]})

            async def one(found: ConsumerEvent = found) -> AsyncIterator[ConsumerEvent]:
                yield found

            async for _ in self.agent.agent(one()):
                pass

    async def say(self, name: str, at: datetime, alert_id: str = "a1", **said: Any) -> None:
        await self.deliver([event_message(CATALOGUE.event_types[name], event(name, at, alert_id, **said))])

    async def until_done(self, seconds: float = 0.4) -> None:
        """Deliver what is due now."""
        running = asyncio.create_task(self.deliveries.run())
        await asyncio.sleep(seconds)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    def outcomes(self) -> list[tuple[str, str, str]]:
        return [
            (said["receiver"], said["step"], said["outcome"])
            for said in self.published
            if said["name"] == "AlertNotified"
        ]


@asynccontextmanager
async def _unguarded() -> AsyncIterator[None]:
    yield


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def types(site: Receiving) -> list[str]:
    return [got.body["type"] for got in site.got]


def test_one_open_and_one_resolve_whatever_is_said_again() -> None:
    async def story(site: Receiving) -> None:
        line = Line(site)
        await line.deliveries.begin([0])
        for _ in range(2):
            await line.say("AlertOpened", OPENED_AT)
            await line.until_done()
            line.now = OPENED_AT + timedelta(minutes=6)
            await line.say("AlertResolved", OPENED_AT + timedelta(minutes=5), cause="met", late_minutes=5.0)
            await line.until_done()
        assert types(site) == ["alert.opened", "alert.resolved"]
        assert site.got[0].body["data"]["facts"]["may cost"] == "EUR 500"
        another = Line(site, table=line.table)  # another worker, with what the table recovered
        await another.deliveries.begin([0])
        await another.until_done()
        assert len(site.got) == 2

    with receiving() as site:
        run(story(site))


def test_nothing_is_delivered_before_the_mark_of_this_worker_is_read() -> None:
    async def story(site: Receiving) -> None:
        line = Line(site)
        await line.say("AlertOpened", OPENED_AT)
        await line.until_done(0.2)
        assert site.got == []
        await line.deliveries.begin([0])
        await line.until_done()
        assert types(site) == ["alert.opened"]

    with receiving() as site:
        run(story(site))


def test_a_busy_receiver_is_left_alone_for_as_long_as_it_asks_and_a_refusal_is_kept_until_redriven() -> None:
    answers = iter([(429, {"Retry-After": "30"}), (403, {}), (200, {})])

    async def story(site: Receiving) -> None:
        site.answer = lambda got: next(answers)
        line = Line(site)
        await line.deliveries.begin([0])
        await line.say("AlertOpened", OPENED_AT)
        await line.until_done()
        line.now += timedelta(seconds=29)
        await line.until_done(0.2)
        assert line.outcomes() == [("hook", "opened", "failed")]
        line.now += timedelta(seconds=2)
        await line.until_done()
        line.now += timedelta(days=1)
        await line.until_done(0.2)
        assert line.outcomes()[1:] == [("hook", "opened", "given_up")]
        again = {"receiver": "hook", "step": "opened", "outcome": "redriven", "tries": 0}
        await line.say("AlertNotified", line.now, **again)
        await line.until_done()
        assert line.outcomes()[-1] == ("hook", "opened", "delivered")
        assert [got.headers["webhook-id"] for got in site.got] == ["a1-opened"] * 3

    with receiving() as site:
        run(story(site))


def test_what_may_have_arrived_is_repeated_only_where_it_is_recognised() -> None:
    """The connection dies after the first notification of each receiver was taken."""

    async def story(site: Receiving) -> None:
        seen: set[str] = set()

        def answer(got: Got) -> tuple[int, dict[str, str]] | None:
            kind = "chat" if "text" in got.body else "hook"
            is_first, _ = kind not in seen, seen.add(kind)
            return None if is_first else (200, {})

        site.answer = answer
        chat = Receiver("chat", "slack", site.url, allow_private=("127.0.0.1",), timeout_seconds=1)
        line = Line(site, replace(RULE, receivers=("hook", "chat")), receivers={"chat": chat})
        await line.deliveries.begin([0])
        await line.say("AlertOpened", OPENED_AT)
        await line.until_done()
        line.now += timedelta(minutes=10)
        await line.until_done()
        said = line.outcomes()
        assert [outcome for who, _, outcome in said if who == "hook"] == ["failed", "delivered"]
        assert [outcome for who, _, outcome in said if who == "chat"] == ["trying", "uncertain"]
        assert sum("text" in got.body for got in site.got) == 1

    with receiving() as site:
        run(story(site))


def test_a_chat_that_was_being_notified_when_the_worker_was_killed_is_not_notified_twice() -> None:
    async def story(site: Receiving) -> None:
        chat = Receiver("chat", "slack", site.url, allow_private=("127.0.0.1",))
        line = Line(site, replace(RULE, receivers=("chat",)), receivers={"chat": chat})
        await line.say("AlertOpened", OPENED_AT)
        trying = {"receiver": "chat", "step": "opened", "outcome": "trying", "tries": 1}
        await line.say("AlertNotified", OPENED_AT, **trying)
        await line.deliveries.begin([0])
        await line.until_done()
        assert site.got == [] and line.outcomes()[-1] == ("chat", "opened", "uncertain")

    with receiving() as site:
        run(story(site))


def test_alerts_of_one_owner_are_one_message_for_people_and_each_its_own_for_machines() -> None:
    async def story(site: Receiving) -> None:
        chat = Receiver("chat", "teams", site.url, allow_private=("127.0.0.1",))
        rule = replace(
            RULE, receivers=("hook", "chat"), group_by="owed_by", group_within=timedelta(minutes=1)
        )
        line = Line(site, rule, receivers={"chat": chat})
        await line.deliveries.begin([0])
        for n in range(3):
            await line.say("AlertOpened", OPENED_AT, f"a{n}")
        await line.until_done()
        assert sum("attachments" in got.body for got in site.got) == 0
        line.now += timedelta(seconds=61)
        await line.until_done()
        cards = [
            got.body["attachments"][0]["content"]["body"] for got in site.got if "attachments" in got.body
        ]
        assert [card[0]["text"].split(":")[0] for card in cards] == ["3 alerts"]
        assert len(site.got) == 4

    with receiving() as site:
        run(story(site))


def test_nobody_is_woken_and_what_is_over_by_morning_is_never_said() -> None:
    quiet = QuietHours("Europe/Berlin", read_windows(["Mon-Sun 20:00-08:00"]))
    night = datetime(2026, 3, 2, 22, 0, tzinfo=UTC)
    morning = datetime(2026, 3, 3, 7, 0, tzinfo=UTC)

    async def story(site: Receiving) -> None:
        line = Line(site, replace(RULE, quiet_hours=quiet))
        line.now = night
        await line.deliveries.begin([0])
        await line.say("AlertOpened", night, "stays")
        await line.say("AlertOpened", night, "ends")
        await line.say("AlertResolved", night + timedelta(hours=1), "ends", cause="met")
        line.now = morning - timedelta(seconds=1)
        await line.until_done()
        assert site.got == []
        line.now = morning + timedelta(seconds=1)
        await line.until_done()
        assert [got.body["data"]["alert_id"] for got in site.got] == ["stays"]

    with receiving() as site:
        run(story(site))


def test_what_nobody_acknowledges_escalates_and_who_snoozes_it_only_delays_that() -> None:
    rule = replace(RULE, escalate_after=timedelta(minutes=30), escalate_to=("boss",))

    async def story(site: Receiving) -> None:
        line = Line(site, rule)
        await line.deliveries.begin([0])
        for alert_id in ("taken", "snoozed", "left"):
            await line.say("AlertOpened", OPENED_AT, alert_id)
        await line.say("AlertAcknowledged", OPENED_AT, "taken")
        until = OPENED_AT + timedelta(hours=2)
        await line.say("AlertAcknowledged", OPENED_AT, "snoozed", snoozed_until=until)
        escalated = []
        for minutes in (29, 31, 149, 151):
            line.now = OPENED_AT + timedelta(minutes=minutes)
            await line.until_done(0.3)
            escalated.append(
                [g.body["data"]["alert_id"] for g in site.got if g.body["type"] == "alert.escalated"]
            )
        assert escalated == [[], ["left"], ["left"], ["left", "snoozed"]]
        await line.say("AlertRetracted", line.now, "left")
        await line.until_done()
        assert types(site).count("alert.retracted") == 2  # whoever was notified of it is

    with receiving() as site:
        run(story(site))


def test_a_receiver_that_is_not_there_is_a_failure_that_is_kept() -> None:
    async def story(site: Receiving) -> None:
        line = Line(site, replace(RULE, receivers=("nobody",)))
        await line.deliveries.begin([0])
        await line.say("AlertOpened", OPENED_AT)
        await line.until_done()
        assert line.outcomes() == [("nobody", "opened", "given_up")]

    with receiving() as site:
        run(story(site))


EVENTS = [
    event("AlertOpened", OPENED_AT),
    event("AlertOpened", OPENED_AT + timedelta(minutes=1)),
    event("AlertAcknowledged", OPENED_AT + timedelta(minutes=2)),
    event("AlertAcknowledged", OPENED_AT + timedelta(minutes=3), acknowledged_by="sdr-boris"),
    event("AlertResolved", OPENED_AT + timedelta(minutes=4), cause="met"),
    event("AlertRetracted", OPENED_AT + timedelta(minutes=9)),
    event("AlertEscalated", OPENED_AT + timedelta(minutes=5), receivers="boss", reason="nobody"),
]


@for_all(order=st.permutations(range(len(EVENTS))), more=st.lists(st.sampled_from(range(len(EVENTS)))))
def test_what_is_known_of_an_alert_does_not_depend_on_the_order(order: list[int], more: list[int]) -> None:
    names = [said["event_id"].split("-")[1] for said in EVENTS]
    known: Any = None
    for n in [*order, *more]:
        known = with_event(known, names[n], EVENTS[n])
    straight: Any = None
    for name, said in zip(names, EVENTS, strict=True):
        straight = with_event(straight, name, said)
    assert json.loads(json.dumps(known)) == straight
    assert known["ended"]["how"] == "retracted" and known["acknowledged"]["acknowledged_by"] == "sdr-boris"


def test_an_alert_of_a_log_that_is_read_for_the_first_time_is_history() -> None:
    old = event("AlertOpened", OPENED_AT, recorded_at=OPENED_AT + timedelta(days=2))
    known = with_event(None, "AlertOpened", old)
    assert list(waiting("a1", known, RULE)) == [] and escalates_at(known, RULE) is None
    assert [n.step for n in waiting("a1", with_event(None, "AlertOpened", EVENTS[0]), RULE)] == [
        notices.OPENED
    ]


@pytest.mark.parametrize(("tries", "shortest", "longest"), [(1, 0.5, 1.0), (4, 4.0, 8.0), (24, 150.0, 300.0)])
def test_pauses_grow_and_are_spread(tries: int, shortest: float, longest: float) -> None:
    assert pause_seconds(tries, chance=0.0) == shortest and pause_seconds(tries, chance=1.0) == longest
    assert 60.0 <= pause_seconds(tries, asked=60.0) <= 60.0 + longest / 10
