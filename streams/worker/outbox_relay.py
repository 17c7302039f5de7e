"""The outbox relay: delivers the warehouse's messages to Kafka at least once, in the order they were written;
dead letters after all others.

A message is marked as sent only after Kafka has acknowledged it. A crash in between sends it again with
the same id, so a second delivery is the same event. A dead letter that Kafka takes in no form is marked as
refused: its record stays in warehouse.failed_event.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, chain

import duckdb
import pyarrow as pa

from schemas.catalogue import DEAD_LETTER_TOPIC
from schemas.codec import WITHHELD
from streams.kafka.producer import Message, Producer
from streams.worker.shutdown import wait_for_stop

MOST_MESSAGES = 2_000
MOST_BYTES = 8 << 20
IDLE_SECONDS = 0.05


class OutboxRelay:
    """Sends the unsent messages of the outbox to Kafka. One relay per warehouse."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, producer: Producer) -> None:
        """`connection`: used by the relay only."""
        self.connection = connection
        self.producer = producer
        self.sent = 0
        self._chosen = ""  # where the messages lie that are being sent

    async def run(self, stop: asyncio.Event) -> None:
        """Send what is there and wait for more, until `stop`. Raises when Kafka does not accept a message."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "outbox") as pool:
            while not stop.is_set():
                waiting = await loop.run_in_executor(pool, self._next)
                if not waiting:
                    await wait_for_stop(stop, IDLE_SECONDS)
                    continue
                messages = [message for _, message in waiting]
                refused = {id(message) for message in await self.producer.deliver_acceptable(messages)}
                done = [(message_id, id(message) in refused) for message_id, message in waiting]
                await loop.run_in_executor(pool, self._mark_done, done)
                self.sent += len(waiting)

    def _next(self) -> list[tuple[str, Message]]:
        """The oldest unsent messages: at most MOST_MESSAGES and, unless the first is larger, MOST_BYTES.

        Dead letters only when nothing else waits: a flood of them would hold up measurements.
        """
        # The relay looks twenty times a second, mostly for nothing: this costs a quarter of what follows.
        if not self.connection.execute("select 1 from warehouse.outbox where not is_sent limit 1").fetchall():
            return []
        return self._oldest(f"topic <> '{DEAD_LETTER_TOPIC}'") or self._oldest(
            f"topic = '{DEAD_LETTER_TOPIC}'"
        )

    def _oldest(self, of_topic: str) -> list[tuple[str, Message]]:
        # In order of insertion, as a warehouse preserves it: sorting would read every message that waits.
        places = self.connection.execute(
            "select rowid, coalesce(octet_length(value), 0) from warehouse.outbox"
            f" where not is_sent and {of_topic} limit {MOST_MESSAGES}"
        ).fetchall()
        total = accumulate(size for _, size in places)
        before = zip(places, chain([0], total), strict=False)
        chosen = [place for (place, _), earlier in before if earlier < MOST_BYTES]
        if not chosen:
            return []
        self._chosen = f"rowid between {chosen[0]} and {chosen[-1]}"
        rows = self.connection.execute(
            "select message_id, topic, key, value, headers::varchar from warehouse.outbox"
            f" where {self._chosen} and not is_sent and {of_topic}"
        ).fetchall()
        return [
            (message_id, Message(topic, key, value, json.loads(headers)))
            for message_id, topic, key, value, headers in rows
        ]

    def _mark_done(self, done: list[tuple[str, bool]]) -> None:
        """Mark what Kafka has, and what it refuses. Dead letters that it has are deleted: the failed event
        keeps their bytes. Only of the withheld is it known here that they were given up (withheld.py)."""
        # A table, no parameter: the client tries to import pandas, which is not here, for each value.
        message_ids, are_refused = zip(*done, strict=True)
        self.connection.register("done_now", pa.table({"message_id": message_ids, "is_refused": are_refused}))
        # The place narrows the search, the id decides: a checkpoint may move rows meanwhile.
        self.connection.execute("begin")
        self.connection.execute(
            f"delete from warehouse.outbox where {self._chosen} and topic = '{DEAD_LETTER_TOPIC}'"
            " and message_id in (select message_id from done_now where not is_refused)"
            f" and (headers ->> 'baton_stage') <> '{WITHHELD}'"
        )
        self.connection.execute(
            "update warehouse.outbox set is_sent = true, is_refused = done_now.is_refused from done_now"
            f" where {self._chosen} and not is_sent and outbox.message_id = done_now.message_id"
        )
        self.connection.execute("commit")
        self.connection.unregister("done_now")
