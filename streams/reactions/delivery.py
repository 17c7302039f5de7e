"""Delivering notices: each worker sends those of the partitions it owns, and publishes what became of them.

Delivery of a partition begins once this worker has read a mark that it wrote there after it got the
partition: then it knows what its predecessor had sent. A notice counts as sent when AlertNotified says so.
Killed in between, the next worker sends it again under the same id. Receivers that do not know ids get a
notice at most once: the attempt is published before it is made.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from kafka.partitioner import murmur2

from projections.alert_rules import AlertRule
from schemas.catalogue import CATALOGUE
from streams.kafka.producer import Message
from streams.reactions import notices
from streams.reactions.alert_events import SOURCE, event_message
from streams.reactions.alert_notices import SYNC
from streams.reactions.measurements import Deliver
from streams.reactions.notices import Known, Notice
from streams.reactions.rule_agent import Store
from streams.reactions.rule_board import RuleBoard
from streams.receivers.configuration import Receiver
from streams.receivers.notification import Attempt, Notification
from streams.receivers.sending import send

NOTIFIED = CATALOGUE.event_types["AlertNotified"]
ESCALATED = CATALOGUE.event_types["AlertEscalated"]
LOOK_SECONDS = 0.05
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 300.0
# With these pauses: given up after about an hour and a half.
MOST_TRIES = 24
MOST_IN_A_MESSAGE = 15
MOST_AT_A_TIME = 8  # requests to one receiver
# What fails is said at once, and then after so many tries more.
SAY_EVERY_TRIES = 5

Describe = Callable[[str, Known, AlertRule, Notice], Notification]


@dataclass
class _Retry:
    tries: int = 0
    not_before: datetime | None = None


@dataclass
class Deliveries:
    """The deliveries of one worker. partitions: how many the topic has that the table is keyed by.

    describe: puts a notice into words. receivers: by id. Nothing here is kept: the table is.
    """

    store: Store
    board: RuleBoard
    deliver: Deliver
    describe: Describe
    receivers: Mapping[str, Receiver]
    to_topic: str
    partitions: int
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _token: str = ""
    _live: set[int] = field(default_factory=set)
    _next_at: dict[str, datetime] = field(default_factory=dict)
    _busy: set[tuple[str, str]] = field(default_factory=set)
    _done: set[tuple[str, str]] = field(default_factory=set)
    _retries: dict[tuple[str, str], _Retry] = field(default_factory=dict)
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    # --- what is to be looked at ----------------------------------------------------------------

    async def begin(self, owned: Iterable[int]) -> None:
        """This worker owns these partitions from now on; none is delivered before its mark is read."""
        self._live.clear()
        self._next_at.clear()
        self._token = token = secrets.token_hex(8)
        marks = [
            Message(self.to_topic, mark_key(p, self.partitions), f"{token}".encode(), {})
            for p in sorted(set(owned))
        ]
        if marks:
            await self.deliver(marks)

    def on_sync(self, token: str, partition: int) -> None:
        """A mark was read. Of our own it says that the table holds all that was there when we wrote it."""
        if token != self._token:
            return
        self._live.add(partition)
        for alert_id, known in list(self.store.items()):
            if partition_of(alert_id, self.partitions) == partition:
                self.on_known(alert_id, known)

    def on_known(self, alert_id: str, known: Known) -> None:
        """More may be known of an alert."""
        if partition_of(alert_id, self.partitions) not in self._live:
            return
        settled = [
            key for key, (outcome, _) in known.get("notices", {}).items() if outcome in notices.SETTLED
        ]
        self._done -= {(alert_id, key) for key in settled}  # the table remembers from here on
        rule = self._rule(known)
        times = [notice.at for notice in notices.waiting(alert_id, known, rule)]
        escalates_at = notices.escalates_at(known, rule)
        times += [] if escalates_at is None else [escalates_at]
        if times:
            self._next_at[alert_id] = min(times)
        else:
            self._next_at.pop(alert_id, None)

    def _rule(self, known: Known) -> AlertRule | None:
        if "opened" not in known:
            return None
        opened = known["opened"]
        rule = self.board.rule(opened["rule"], notices.instant(opened["occurred_at"]))
        if rule is None:
            return None
        others = [name for name, each in self.receivers.items() if {rule.id, "*"} & set(each.rules)]
        return replace(rule, receivers=tuple(dict.fromkeys((*rule.receivers, *others))))

    # --- the loop -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Deliver until cancelled. Raises what Kafka or a fault of ours raises; never what a receiver
        does."""
        try:
            while True:
                await self.tick()
                for task in [task for task in self._running if task.done()]:
                    self._running.discard(task)
                    task.result()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for task in self._running:
                task.cancel()

    async def tick(self) -> None:
        """Begin what is due."""
        now = self.clock()
        groups: dict[tuple[str, str, str], list[tuple[Notice, AlertRule, Known]]] = {}
        for alert_id in [each for each, at in self._next_at.items() if at <= now]:
            known = self.store.get(alert_id)
            rule = self._rule(known) if known else None
            if known is None or rule is None:
                self._next_at.pop(alert_id, None)
                continue
            escalates_at = await self._escalate(alert_id, known, rule, now)
            later = [] if escalates_at is None else [escalates_at]
            for notice in notices.waiting(alert_id, known, rule):
                due_at = self._due_at(notice, known, rule)
                if due_at is None:
                    continue
                if due_at > now:
                    later.append(due_at)
                else:
                    groups.setdefault(self._group(notice, known, rule), []).append((notice, rule, known))
            if later:
                self._next_at[alert_id] = min(later)
        for members in groups.values():
            for first in range(0, len(members), MOST_IN_A_MESSAGE):
                self._start(members[first : first + MOST_IN_A_MESSAGE])

    def _due_at(self, notice: Notice, known: Known, rule: AlertRule) -> datetime | None:
        """When to try it; None while it is being tried, or done."""
        place = (notice.alert_id, notice.key)
        if place in self._busy or place in self._done:
            return None
        receiver = self.receivers.get(notice.receiver)
        at = notice.at
        if rule.group_by and receiver and receiver.takes_groups:
            at += rule.group_within
        retry = self._retries.get(place)
        return max(at, retry.not_before) if retry and retry.not_before else at

    def _group(self, notice: Notice, known: Known, rule: AlertRule) -> tuple[str, str, str]:
        receiver = self.receivers.get(notice.receiver)
        if notice.is_unsure:
            return notice.receiver, notice.step, notice.alert_id
        if not rule.group_by or receiver is None or not receiver.takes_groups:
            return notice.receiver, notice.step, notice.alert_id
        value = rule.id if rule.group_by == "rule" else known["opened"].get(rule.group_by)
        return notice.receiver, notice.step, f"{rule.id}|{rule.group_by}|{value}"

    def _start(self, members: list[tuple[Notice, AlertRule, Known]]) -> None:
        receiver = members[0][0].receiver
        at_a_time = sum(1 for task in self._running if task.get_name() == receiver and not task.done())
        if at_a_time >= MOST_AT_A_TIME:
            return
        self._busy |= {(notice.alert_id, notice.key) for notice, _, _ in members}
        self._running.add(asyncio.create_task(self._send(members), name=receiver))

    # --- one message ----------------------------------------------------------------------------

    async def _send(self, members: list[tuple[Notice, AlertRule, Known]]) -> None:
        places = {(notice.alert_id, notice.key) for notice, _, _ in members}
        try:
            attempt = await self._attempt(members)
            messages = [message for notice, _, _ in members if (message := self._judge(notice, attempt))]
            # Before it is published: the agent may read it before we go on here.
            self._done |= {place for place in places if place not in self._retries}
            if messages:
                await self.deliver(messages)
        finally:
            self._busy -= places

    async def _attempt(self, members: list[tuple[Notice, AlertRule, Known]]) -> Attempt | str:
        """What became of it; or the outcome, where nothing is sent."""
        first = members[0][0]
        receiver = self.receivers.get(first.receiver)
        if receiver is None:
            return Attempt(False, "receivers.toml has no receiver of this name", is_permanent=True)
        if not receiver.is_idempotent:
            unsure = [n for n, _, _ in members if n.is_unsure and (n.alert_id, n.key) not in self._retries]
            if unsure:
                return notices.UNCERTAIN  # they are a group of their own
            await self.deliver([self._notified(n, notices.TRYING, None, n.tries + 1) for n, _, _ in members])
        return await send(receiver, [self.describe(n.alert_id, k, r, n) for n, r, k in members], self.clock())

    def _judge(self, notice: Notice, attempt: Attempt | str) -> Message | None:
        """What is published of it; what is tried again is noted."""
        place = (notice.alert_id, notice.key)
        if isinstance(attempt, str):
            why = "the worker ended while it was sent: it may have arrived"
            return self._notified(notice, attempt, why, notice.tries)
        retry = self._retries.setdefault(place, _Retry(notice.tries))
        retry.tries += 1
        receiver = self.receivers.get(notice.receiver)
        is_lost = attempt.is_unsure and receiver is not None and not receiver.is_idempotent
        if attempt.is_delivered or attempt.is_permanent or is_lost or retry.tries >= MOST_TRIES:
            del self._retries[place]
            outcome = (
                notices.DELIVERED
                if attempt.is_delivered
                else notices.UNCERTAIN
                if is_lost
                else notices.GIVEN_UP
            )
            return self._notified(notice, outcome, attempt.why, retry.tries)
        pause = pause_seconds(retry.tries, attempt.retry_after_seconds)
        retry.not_before = self.clock() + timedelta(seconds=pause)
        self._next_at[notice.alert_id] = min(
            self._next_at.get(notice.alert_id, retry.not_before), retry.not_before
        )
        if retry.tries % SAY_EVERY_TRIES != 1 and receiver is not None and receiver.is_idempotent:
            return None
        return self._notified(notice, notices.FAILED, attempt.why, retry.tries, retry.not_before)

    def _notified(
        self, notice: Notice, outcome: str, why: str | None, tries: int, next_try_at: datetime | None = None
    ) -> Message:
        now = self.clock()
        record = {
            "event_id": f"{notice.alert_id}-{notice.key}-{outcome}-{int(now.timestamp() * 1e6)}",
            "occurred_at": now,
            "recorded_at": now,
            "source": SOURCE,
            "alert_id": notice.alert_id,
            "receiver": notice.receiver,
            "step": notice.step,
            "outcome": outcome,
            "why": why,
            "tries": tries,
            "next_try_at": next_try_at,
        }
        return event_message(NOTIFIED, record)

    async def _escalate(self, alert_id: str, known: Known, rule: AlertRule, now: datetime) -> datetime | None:
        """Escalate it if its time has come; otherwise when that is."""
        at = notices.escalates_at(known, rule)
        if at is None or at > now or (alert_id, "escalates") in self._done:
            return at if at is not None and at > now else None
        self._done.add((alert_id, "escalates"))
        record = {
            "event_id": f"{alert_id}-escalated",
            "occurred_at": at,
            "recorded_at": now,
            "source": SOURCE,
            "alert_id": alert_id,
            "receivers": ", ".join(rule.escalate_to),
            "reason": f"nobody acknowledged it within {rule.escalate_after}",
        }
        await self.deliver([event_message(ESCALATED, record)])
        return None


def pause_seconds(tries: int, asked: float | None = None, chance: float | None = None) -> float:
    """How long to wait after so many tries: twice as long each time, spread over half of it so that many do
    not come back at once; never shorter than the receiver asked for. chance: 0 to 1, random if left out."""
    whole = min(FIRST_PAUSE_SECONDS * 2.0 ** min(tries - 1, 30), LONGEST_PAUSE_SECONDS)
    spread = whole * (0.5 + 0.5 * (random.random() if chance is None else chance))
    return spread if asked is None else asked + spread / 10


@lru_cache(maxsize=100_000)
def partition_of(key: str, partitions: int) -> int:
    """The partition that a producer puts this key into."""
    number: int = murmur2(key.encode()) & 0x7FFFFFFF
    return number % partitions


def mark_key(partition: int, partitions: int) -> bytes:
    """A key that a producer puts into this partition."""
    prefix = SYNC.decode()
    return next(
        key.encode()
        for number in range(10_000)
        if partition_of(key := f"{prefix}{number}", partitions) == partition
    )
