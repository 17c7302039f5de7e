"""The publisher of the latency case: events encoded ahead, sent at a steady rate, in its own process.

`python -m benchmarks.steady_publisher BOOTSTRAP RATE EVENTS FILE UNREADABLE` says "ready" on stdout, waits
for a line on stdin, sends, and writes topic, partition, offset, due_at and acked_at of every event to a
Parquet file. After each event it sends so many unreadable records to the same partition. Times are of the
monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Sequence
from itertools import islice
from typing import Any

import polars as pl
from aiokafka import AIOKafkaProducer

from benchmarks.load import SEED, Encoded, encoded_events, partition_of
from streams.kafka.publisher import BATCH_BYTES, COMPRESSION, LINGER_MS

TICK_SECONDS = 0.002
NOISE = b"{not an event" + bytes(280)


async def publish(
    bootstrap: str, rate: int, events: Sequence[Encoded], unreadable: int
) -> list[dict[str, Any]]:
    """Send each event when it is due, all acknowledged by the broker; a row for each."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        compression_type=COMPRESSION,
        max_batch_size=BATCH_BYTES,
        linger_ms=LINGER_MS,
    )
    await producer.start()
    try:
        for event in {event.topic: event for event in events}.values():
            await producer.partitions_for(event.topic)
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        sent = await _send_on_time(producer, rate, events, unreadable)
        await producer.flush()
        return [_row(due_at, future.result(), acked[0]) for due_at, future, acked in sent]
    finally:
        await producer.stop()


async def _send_on_time(
    producer: AIOKafkaProducer, rate: int, events: Sequence[Encoded], unreadable: int
) -> list[tuple[float, asyncio.Future[Any], list[float]]]:
    sent = []
    started = time.monotonic()
    for number, event in enumerate(events):
        due_at = started + number / rate
        while time.monotonic() < due_at:
            await asyncio.sleep(TICK_SECONDS)
        future = await producer.send(
            event.topic, event.value, event.key, partition_of(event), headers=event.headers
        )
        acked: list[float] = []
        future.add_done_callback(lambda _, acked=acked: acked.append(time.monotonic()))
        sent.append((due_at, future, acked))
        for _ in range(unreadable):
            noise = NOISE + number.to_bytes(8, "big")
            await producer.send(event.topic, noise, event.key, partition_of(event))
    return sent


def _row(due_at: float, written: Any, acked_at: float) -> dict[str, Any]:
    return {
        "topic": written.topic,
        "partition": written.partition,
        "offset": written.offset,
        "due_at": due_at,
        "acked_at": acked_at,
    }


def main() -> None:
    """The process."""
    bootstrap, rate, wanted, file, unreadable = sys.argv[1:]
    events = list(islice(encoded_events(int(int(wanted) * 1.2), SEED + 1), int(wanted)))
    gc.freeze()  # a garbage collection over all these events would pause the publisher
    pl.DataFrame(asyncio.run(publish(bootstrap, int(rate), events, int(unreadable)))).write_parquet(file)


if __name__ == "__main__":
    main()
