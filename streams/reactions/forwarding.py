"""Forwarding records from topic to topic, many at a time.

An agent that waits for Kafka after each record forwards some hundred a second. It need not wait: what must
not happen is that an offset is committed before Kafka has what was forwarded up to it. So the commit waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from streams.kafka.producer import Message
from streams.reactions.measurements import Deliver

MOST_ON_THEIR_WAY = 500


class Forwarder:
    """Delivers without waiting, up to a bound. fail: ends the process, when Kafka does not take a message."""

    def __init__(self, deliver: Deliver, fail: Callable[[BaseException], None]) -> None:
        self.deliver = deliver
        self.fail = fail
        self._on_their_way: dict[asyncio.Task[None], None] = {}
        self._is_lost = False

    async def forward(self, messages: Sequence[Message]) -> None:
        """Begin to deliver. Waits only while too many are on their way."""
        task = asyncio.create_task(self._deliver(messages))
        self._on_their_way[task] = None
        task.add_done_callback(lambda done: self._on_their_way.pop(done, None))
        if len(self._on_their_way) > MOST_ON_THEIR_WAY:
            await asyncio.wait([next(iter(self._on_their_way))])

    async def _deliver(self, messages: Sequence[Message]) -> None:
        try:
            await self.deliver(messages)
        except Exception as error:
            self._is_lost = True
            self.fail(error)

    async def settled(self) -> None:
        """Return once Kafka has all that was forwarded before this call; never, when it refused any: the
        process ends then."""
        if self._on_their_way:
            await asyncio.wait(list(self._on_their_way))
        if self._is_lost:
            await asyncio.Event().wait()
