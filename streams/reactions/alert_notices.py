"""The agent over alert events: keeps what is known of each alert, and lets its notices be delivered.

It reads what is forwarded from funnel.alerts, keyed by alert: Baton's own events, acknowledgements of
people, and what became of each notice. So the state of a delivery is in the log like everything else, and
survives its worker.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any

from schemas.catalogue import CATALOGUE
from schemas.codec import Failure, RegistryLookup, decode
from streams.kafka.names import NO_PREFIX, Names
from streams.kafka.producer import Message
from streams.reactions.measurements import BeforeAck, Deliver, Event, dead_letter
from streams.reactions.notices import Known, with_event
from streams.reactions.rule_agent import Store

SYNC = b"\x00sync|"
ALERTS_TOPIC = "funnel.alerts"


class AlertNotices:
    """Folds alert events into the table. on_known: called with an alert and what is now known of it;
    on_sync: with the token of a mark that was read, and its partition."""

    def __init__(
        self,
        *,
        store: Store,
        deliver: Deliver,
        before_ack: BeforeAck,
        on_known: Callable[[str, Known], None],
        on_sync: Callable[[str, int], None],
        registry: RegistryLookup | None = None,
        names: Names = NO_PREFIX,
    ) -> None:
        self.store = store
        self.deliver = deliver
        self.before_ack = before_ack
        self.on_known = on_known
        self.on_sync = on_sync
        self.registry = registry
        self.names = names

    async def agent(self, events: AsyncIterable[Event]) -> AsyncIterator[None]:
        """Take each event. The same again changes nothing."""
        async for event in events:
            async with self.before_ack():
                self._take(event)
            yield

    def _take(self, event: Event) -> None:
        record = event.message
        if record.key is not None and record.key.startswith(SYNC):
            self.on_sync((record.value or b"").decode(), record.partition)
            return
        found = read_alert_event(record.value, self.registry)
        if isinstance(found, Failure):  # whoever forwarded it has seen to that
            return
        name, said = found
        alert_id = said["alert_id"]
        before = self.store.get(alert_id)
        known = with_event(before, name, said)
        if known != before:
            self.store.put(alert_id, known)
        self.on_known(alert_id, known)


async def route_alert_events(
    events: AsyncIterable[Event],
    *,
    to_topic: str,
    deliver: Deliver,
    before_ack: BeforeAck,
    registry: RegistryLookup | None = None,
    names: Names = NO_PREFIX,
) -> AsyncIterator[None]:
    """Forward every event of funnel.alerts, keyed by alert: the partitions of that topic may change."""
    async for event in events:
        async with before_ack():
            record = event.message
            found = read_alert_event(record.value, registry)
            if isinstance(found, Failure):
                await deliver([dead_letter(record, found, names)])
            else:
                await deliver([Message(to_topic, found[1]["alert_id"].encode(), record.value, {})])
        yield


def read_alert_event(
    value: bytes | None, registry: RegistryLookup | None = None
) -> tuple[str, dict[str, Any]] | Failure:
    """The name of the event in these bytes, and what it says; or why they cannot be read."""
    batch = decode([value], CATALOGUE, registry)
    if batch.failures:
        return batch.failures[0]
    name, frame = next(iter(batch.frames.items()))
    if CATALOGUE.event_types[name].topic != ALERTS_TOPIC:
        return Failure(0, "route", f"{name} belongs on {CATALOGUE.event_types[name].topic}", name)
    return name, frame.drop("_row").row(0, named=True)
