"""The outbox relay: delivers the warehouse's messages to Kafka at least once, in the order they were written.

A message is marked as sent only after Kafka has acknowledged it. A crash in between sends it again with
the same id, so a second delivery is the same event. A dead letter that Kafka takes in no form is marked as
refused: its record stays in warehouse.failed_event.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pyarrow as pa

from streams.kafka.producer import Message, Producer
from streams.worker.shutdown import wait_for_stop

MOST_MESSAGES = 1_000
MOST_BYTES = 8 << 20
IDLE_SECONDS = 0.2


class OutboxRelay:
    """Sends the unsent messages of the outbox to Kafka. One relay per warehouse."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, producer: Producer) -> None:
        """`connection`: used by the relay only."""
        self.connection = connection
        self.producer = producer
        self.sent = 0

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
        """The oldest unsent messages: at most MOST_MESSAGES and, unless the first is larger, MOST_BYTES."""
        # The relay looks five times a second, mostly for nothing: this costs a quarter of the query below.
        if not self.connection.execute("select 1 from warehouse.outbox where not is_sent limit 1").fetchall():
            return []
        rows = self.connection.execute(
            """
            with waiting as (
                select rowid as place, coalesce(octet_length(value), 0) as bytes
                from warehouse.outbox where not is_sent order by rowid limit $messages),
            chosen as (
                select place from waiting qualify sum(bytes) over (order by place) - bytes < $bytes)
            select message_id, topic, key, value, headers::varchar
            from warehouse.outbox where rowid in (select place from chosen) order by rowid
            """,
            {"messages": MOST_MESSAGES, "bytes": MOST_BYTES},
        ).fetchall()
        return [
            (message_id, Message(topic, key, value, json.loads(headers)))
            for message_id, topic, key, value, headers in rows
        ]

    def _mark_done(self, done: list[tuple[str, bool]]) -> None:
        # A table, no parameter: the client tries to import pandas, which is not here, for each value.
        message_ids, are_refused = zip(*done, strict=True)
        self.connection.register("done_now", pa.table({"message_id": message_ids, "is_refused": are_refused}))
        self.connection.execute(
            "update warehouse.outbox set is_sent = true, is_refused = done_now.is_refused from done_now"
            " where not is_sent and outbox.message_id = done_now.message_id"
        )
        self.connection.unregister("done_now")
