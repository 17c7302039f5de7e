"""A snapshot of the log of a worker that keeps writing: it is of one moment, and says which."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.catalogue import CATALOGUE
from streams.queries.warehouse_access import authority_of
from tests.faults.running import Running, make_load, produce
from warehouse.recorded_log import RECORDED, RecordedLog
from warehouse.sql_endpoint import SqlEndpoint

LOOKS = 6
WRITING_SECONDS = 15.0
MORE = 20


def _copied(records: RecordedLog) -> dict[tuple[str, int], tuple[int, int]]:
    """(rows, highest offset) of each partition in the copy, over all the tables its records went to."""
    tables = " union all ".join(
        f"select '{event.topic}' as topic, kafka_partition, kafka_offset from {RECORDED}.log.{event.table}"
        for event in CATALOGUE.facts
    )
    counted = f"select topic, kafka_partition, count(*), max(kafka_offset) from ({tables}) group by all"
    return {
        (topic, n): (rows, last) for topic, n, rows, last in records.connection.execute(counted).fetchall()
    }


@pytest.mark.kafka
@pytest.mark.slow
def test_what_is_copied_is_one_moment_and_numbers_open_meanwhile(clean_kafka: str, tmp_path: Path) -> None:
    load = make_load(11, 1_800, tmp_path / "load", unreadable=0.0)
    running = Running(tmp_path / "project", clean_kafka)
    hurry = threading.Event()
    writing = threading.Thread(target=produce, args=(clean_kafka, load.records, WRITING_SECONDS, hurry))
    with running.worker() as worker:
        running.wait_ready(worker)
        writing.start()
        try:
            running.wait_for(worker, 2_000)
            endpoint = SqlEndpoint.read(running.project.numbers.endpoint)
            assert endpoint is not None
            sizes = []
            for _ in range(LOOKS):
                with RecordedLog.of_worker(endpoint, ["handoff"]) as records:
                    copied = _copied(records)
                    look = records.snapshot(authority_of(running.project), as_of=datetime.now(UTC))
                    seen = look.ask("select count(*) from funnel.handoff")[1][0][0]
                # Each record went to one of the tables, so a partition without a gap was cut at one place.
                assert {place: (last + 1, last) for place, (_, last) in copied.items()} == copied
                assert seen > 0
                sizes.append(sum(rows for rows, _ in copied.values()))
                if sizes[-1] + MORE > len(load.records):
                    break  # a slow machine: all is read
                running.wait_for(worker, sizes[-1] + MORE)
            assert len(sizes) > 1 and sizes == sorted(set(sizes)), f"nothing was written meanwhile: {sizes}"

            handoff = running.rows("select min(handoff_id) from funnel.handoff")[0][0]
            opened = running.baton("explain", "handoff", handoff, "--json")
            earlier = running.baton("explain", "handoff", handoff, "--as-known", "2000-01-02")
        finally:
            hurry.set()
            writing.join()
    assert opened.returncode == 0, opened.stderr
    assert handoff in opened.stdout and json.loads(opened.stdout)
    assert handoff in earlier.stdout + earlier.stderr
