"""Records whose schema the registry does not hand out now: kept as failed events, and tried for a while.

Only after MOST_TRIES does their failure go to the dead-letter topic like any other. The topic goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow.compute as pc
from aiokafka import ConsumerRecord

from schemas.codec import CONFLUENT_MAGIC, HEADER_LENGTH, WITHHELD, RegistryLookup
from streams.worker.records import Fetched, to_batch
from warehouse.commit import Batch

FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 300.0
# With these pauses: given up after about half an hour.
MOST_TRIES = 12
MOST_RECORDS = 1_000
MOST_BYTES = 8 << 20

_WAITING = f"""
from (select *, value[1:{HEADER_LENGTH[CONFLUENT_MAGIC]}] as header from warehouse.failed_event
      where stage = '{WITHHELD}') as kept
where not exists (
    select 1 from warehouse.outbox
    where message_id = concat_ws('/', 'failed', kept.topic, kept.kafka_partition, kept.kafka_offset))
"""


class WithheldRecords:
    """Reads withheld records again, those of one schema at a time."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        registry: RegistryLookup,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`connection`: used here only."""
        self._connection = connection
        self._registry = registry
        self._clock = clock
        self._tries: dict[bytes, int] = {}
        self._due_at: dict[bytes, float] = {}
        self._may_be_some = True  # of an earlier run

    def notice(self, batch: Batch) -> None:
        """Look at a batch that was written: whether it holds any. Not before: a look for them in between
        would not find them, and be the last."""
        if batch.failed.num_rows and pc.any(pc.equal(batch.failed["stage"], WITHHELD)).as_py():
            self._may_be_some = True

    def retry(self) -> Batch | None:
        """Records that were withheld, and what became of them now; None while there is nothing to write. It
        must be written before the next call."""
        if not self._may_be_some:
            return None
        self._may_be_some = False
        found = self._connection.execute(f"select distinct header {_WAITING}").fetchall()
        headers = [header for (header,) in found]
        if headers:  # and no other thread's notice is overwritten
            self._may_be_some = True
        self._tries = {header: self._tries.get(header, 0) for header in headers}
        now = self._clock()
        due = next((header for header in headers if self._due_at.get(header, now) <= now), None)
        return None if due is None else self._read_again(due)

    def _read_again(self, header: bytes) -> Batch | None:
        fetched = Fetched()
        for row in self._rows(header):
            record = _as_record(*row)
            fetched.add(record.topic, record.partition, [record])
        batch = to_batch(fetched, self._registry)
        if pc.any(pc.equal(batch.failed["stage"], WITHHELD)).as_py():
            self._tries[header] += 1
            if self._tries[header] < MOST_TRIES:
                pause = FIRST_PAUSE_SECONDS * 2 ** (self._tries[header] - 1)
                self._due_at[header] = self._clock() + min(pause, LONGEST_PAUSE_SECONDS)
                return None
        settled = [(record.topic, record.partition, record.offset) for record in fetched.records]
        return Batch(batch.facts, batch.failed, settled=settled)

    def _rows(self, header: bytes) -> list[tuple[Any, ...]]:
        """The oldest: at most MOST_RECORDS and, unless the first is larger, MOST_BYTES."""
        return self._connection.execute(
            f"""
            select topic, kafka_partition, kafka_offset, epoch_ms(kafka_at), key, value
            {_WAITING} and header = $header
            qualify sum(octet_length(value)) over (order by kept.topic, kafka_partition, kafka_offset)
                - octet_length(value) < $bytes
            order by kept.topic, kafka_partition, kafka_offset limit $records
            """,
            {"header": header, "bytes": MOST_BYTES, "records": MOST_RECORDS},
        ).fetchall()


def _as_record(
    topic: str, partition: int, offset: int, written_ms: int | None, key: bytes | None, value: bytes
) -> ConsumerRecord[bytes, bytes]:
    written = -1 if written_ms is None else written_ms
    return ConsumerRecord(
        topic, partition, offset, written, 0, key, value, None, len(key or b""), len(value), ()
    )
