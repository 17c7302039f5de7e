"""Whatever a source packs its records with, the sink unpacks: the choice is the source's, not Baton's."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from schemas.catalogue import CATALOGUE
from streams.kafka.admin import admin
from streams.kafka.topics import change_topics, log_extent
from streams.project import Project
from streams.queries.warehouse_access import open_warehouse
from streams.worker.sink import Sink
from tests.faults.running import make_load, produce
from warehouse.writer import WarehouseWriter


@pytest.mark.kafka
@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_records_packed_by_the_broker_itself_are_read(clean_kafka: str, tmp_path: Path, codec: str) -> None:
    """The broker packs again what it takes into topics with a codec of their own: with Kafka's Java code."""
    with admin(clean_kafka) as client:
        change_topics(client, {topic: {"compression.type": codec} for topic in CATALOGUE.fact_topics})
    load = make_load(7, 40, tmp_path)
    produce(clean_kafka, load.records)
    project = Project(home=tmp_path / ".baton", cwd=tmp_path, kafka=clean_kafka)
    extent = log_extent(project, CATALOGUE.fact_topics)

    with open_warehouse(project) as warehouse:
        sink = Sink(WarehouseWriter(warehouse), project.client_settings(), extent)
        read = asyncio.run(
            sink.run(asyncio.Event(), until={place: end for place, (_, end) in extent.items()})
        ).records
        failed = warehouse.connection.execute("select count(*) from warehouse.failed_event").fetchall()

    assert (read, failed) == (len(load.records), [(load.unreadable,)])
