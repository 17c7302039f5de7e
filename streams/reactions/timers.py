"""What time alone changes: handoffs that are to be followed again, and whose partitions are delivered from
here.

A table may only be written while its agent processes an event, so a timer publishes a record without a
value, and the agent follows the handoff of its key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from streams.kafka.producer import Message
from streams.kafka.topics import OBLIGATIONS_BY_HANDOFF
from streams.reactions.delivery import Deliveries
from streams.reactions.measurements import Deliver
from streams.reactions.obligation_alerts import ObligationAlerts
from streams.reactions.overdue_alerts import OverdueAlerts

LOOK_SECONDS = 0.1


class Timers:
    """Publishes what is due. own() and look_at_all() are called from the event loop and do not wait."""

    def __init__(
        self,
        obligations: ObligationAlerts,
        overdue: OverdueAlerts,
        deliveries: Deliveries,
        deliver: Deliver,
    ) -> None:
        self.obligations = obligations
        self.overdue = overdue
        self.deliveries = deliveries
        self.deliver = deliver
        self._owned: Sequence[int] | None = None
        self._is_all_due = False

    def own(self, partitions: Sequence[int]) -> None:
        """This worker was given these partitions, and its tables are recovered."""
        self._owned = partitions
        self._is_all_due = True

    def look_at_all(self) -> None:
        """The rules changed."""
        self._is_all_due = True

    async def run(self) -> None:
        """Run until cancelled. Raises what Kafka raises."""
        while True:
            if self._owned is not None:
                owned, self._owned = self._owned, None
                await self.deliveries.begin(owned)
            handoffs = self.obligations.take_due()
            if self._is_all_due:
                self._is_all_due = False
                handoffs += await self.obligations.look_at_all()
                self.overdue.look_at_all()
            keys = [handoff.encode() for handoff in dict.fromkeys(handoffs)]
            due = [Message(OBLIGATIONS_BY_HANDOFF, key, b"", {}) for key in keys] + self.overdue.take_due()
            if due:
                await self.deliver(due)
            await asyncio.sleep(LOOK_SECONDS)
