"""One record never stops a worker: each odd one among good ones, read by both."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from streams.worker_files import WorkerFiles
from tests.faults.running import Record, Running, produce
from tests.schemas.test_codec import GOOD, WON, sized
from tests.schemas.test_hostile_schemas import BODY, ORACLE_NUMBER, framed, with_extra, with_money
from tests.schemas.test_registry import MemoryRegistry, server
from tests.streams.worker.test_outbox_relay import dead_letters

__all__ = ["server"]  # the fixture

pytestmark = pytest.mark.kafka

PROTOBUF = {"schemaType": "PROTOBUF", "schema": 'syntax = "proto3"; message M {}'}
SCHEMAS = {
    1: with_extra({"name": "N", "type": ORACLE_NUMBER}),
    2: with_extra({"name": "_row", "type": "string"}),
    3: with_extra({"name": "", "type": "string"}),
    4: with_money(precision="18"),
}
ANSWERS = {
    **{number: (200, json.dumps({"schema": json.dumps(schema)})) for number, schema in SCHEMAS.items()},
    5: (200, json.dumps(PROTOBUF)),
    6: (403, '{"message": "not yours"}'),
    7: (500, "oops"),
}
WHOLE = json.dumps(WON.schema)
READABLE = [GOOD, *(framed(number, BODY + sized(b"\x01")) for number in (1, 2, 3))]
FAILED = [
    (None, b"x" * 1_000_001),
    (None, b"x" * 1_047_000),
    (None, None),
    (b"k" * 1_040_000, None),
    *((b"k", framed(number)) for number in (4, 5)),
]
WITHHELD = [(b"k", framed(number)) for number in (6, 7)]


async def send_large(kafka: str, records: Sequence[Record]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka, max_request_size=2 << 20) as producer:
        for record in records:
            await producer.send_and_wait(record.topic, record.value, record.key, record.partition)


def wait_until_none(running: Running, worker: subprocess.Popen[str], rows: str, files: WorkerFiles) -> None:
    """Until a worker has no such rows; it must go on."""
    deadline = time.monotonic() + 200  # what is withheld is tried again after 2, 4, 8, ... seconds
    while running.rows(f"select count(*) from {rows}", files) != [(0,)]:
        assert worker.poll() is None and time.monotonic() < deadline, running.log[-3000:]
        time.sleep(0.2)


def test_odd_records_among_good_ones_end_nothing(
    tmp_path: Path, clean_kafka: str, server: MemoryRegistry
) -> None:
    running = Running(tmp_path, clean_kafka)
    running.env["BATON_SCHEMA_REGISTRY"] = server.address
    server.answers = {f"/schemas/ids/{n}": (code, said.encode()) for n, (code, said) in ANSWERS.items()}
    derived = [Record("funnel.handoff-latency", 0, key, value) for key, value in FAILED]
    odd = [*derived, *(Record(WON.topic, 0, key, value) for key, value in (*FAILED, *WITHHELD))]
    large = [record for record in odd if len(record.key or b"") + len(record.value or b"") > 90_000]
    good = [Record(WON.topic, 0, b"k", value) for value in READABLE]
    small = [r for record in odd if record not in large for r in (record, *good)]

    files = running.project.workers
    with running.workers() as workers:
        for worker in workers:
            running.wait_ready(worker)
        asyncio.run(send_large(running.kafka, large))
        produce(running.kafka, small)
        read = len(large) + len(small) - len(derived)
        for worker in workers:
            running.wait_for(worker, read)

        stages = "select stage, count(*) from warehouse.failed_event group by all order by all"
        events = small.count(good[0]) * len(good)
        for each in files:
            assert running.rows(stages, each) == [("frame", 4), ("registry", 2), ("schema", 2)]
            assert running.rows("select count(*) from log.opportunity_won", each) == [(events,)]
        wait_until_none(running, workers[1], "warehouse.outbox where not is_sent", files[1])
        deadline = time.monotonic() + 30
        while len(dead_letters(running.kafka)) < 2 * len(FAILED) and time.monotonic() < deadline:
            time.sleep(0.5)
        assert len(dead_letters(running.kafka)) == 2 * len(FAILED)

        server.answers = dict.fromkeys(server.answers, (200, json.dumps({"schema": WHOLE}).encode()))
        withheld = "warehouse.failed_event where stage = 'registry'"
        for worker, each in zip(workers, files, strict=True):
            wait_until_none(running, worker, withheld, each)
        produce(running.kafka, good)
        for worker in workers:
            running.wait_for(worker, read + len(good))
            assert worker.poll() is None
