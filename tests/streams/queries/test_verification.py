"""`baton verify` beside another one, and what it advises where a replay cannot have every event."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kafka import TopicPartition

from schemas.catalogue import CATALOGUE
from schemas.errors import BatonError
from streams.cli.main import baton
from streams.kafka.admin import admin
from streams.kafka.publisher import Publisher
from streams.kafka.topics import PARTITIONS, ensure_topics, log_extent, topic_ids
from streams.process_record import sole
from streams.project import Project
from streams.queries import verification
from streams.queries.verification import verify
from streams.queries.warehouse_access import ask_warehouse, open_warehouse
from streams.simulator import simulate
from streams.worker.sink import Sink
from streams.worker_files import WorkerFiles
from warehouse.reading import took_too_long
from warehouse.scope import HANDOFFS, NUMBERS
from warehouse.writer import WarehouseWriter


def refused(file: Path, holder: str) -> Exception:
    return AssertionError(f"{file} is held by {holder}")


def test_two_at_once_are_refused_in_words(tmp_path: Path) -> None:
    project = Project(home=tmp_path / ".baton", cwd=tmp_path)
    project.make_folders()
    with (
        sole(project.run_dir / "verify.lock", refused),
        pytest.raises(BatonError, match="Another verify of this project is running") as caught,
    ):
        verify(project)
    assert f"process {os.getpid()} " in caught.value.why
    with sole(project.run_dir / "verify.lock", refused):
        pass  # the one that was refused holds nothing


@pytest.mark.kafka
def test_another_log_is_told_from_one_that_differs(clean_kafka: str, tmp_path: Path) -> None:
    project = Project(home=tmp_path / ".baton", cwd=tmp_path, kafka=clean_kafka)
    project.make_folders()
    with open_warehouse(project) as warehouse:
        warehouse.recognise_topics(topic_ids(project, CATALOGUE.fact_topics))
    assert verify(project).is_equal
    other = replace(project, prefix="verification-test.")
    ensure_topics(other)
    try:
        with pytest.raises(BatonError, match="not the log that the warehouse has read") as caught:
            verify(other)
        assert "prefix verification-test." in (caught.value.where or "")
    finally:
        with admin(project) as client:
            client.delete_topics([other.prefix + name for name in PARTITIONS])


@pytest.mark.kafka
def test_tables_that_take_too_long_together_are_hashed_apart(
    clean_kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(home=tmp_path / ".baton", cwd=tmp_path, kafka=clean_kafka)
    project.make_folders()
    for files, scope in zip(project.workers, (NUMBERS, HANDOFFS), strict=True):
        with open_warehouse(project, files.warehouse, scope=scope) as warehouse:
            warehouse.recognise_topics(topic_ids(project, CATALOGUE.fact_topics))
            warehouse.refresh()
    whole = verify(project)

    # A real time limit would need millions of events: here it goes by the number of tables.
    def limited(project: Project, statement: str, files: WorkerFiles | None = None) -> Any:
        if statement.count("::hugeint") > 10:
            raise took_too_long(statement, 30)
        return ask_warehouse(project, statement, files)

    monkeypatch.setattr(verification, "ask_warehouse", limited)
    in_parts = verify(project)

    assert in_parts.is_equal and len(whole.live.tables) == len(in_parts.live.tables)


@pytest.mark.kafka
def test_what_kafka_deleted_is_no_reason_to_rebuild(
    clean_kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(home=tmp_path / ".baton", cwd=tmp_path, kafka=clean_kafka)
    simulate(7, 20, tmp_path)
    with Publisher(project) as publisher, (tmp_path / "events.jsonl").open() as lines:
        publisher.publish_many(json.loads(line) for line in lines)
    extent = log_extent(project, CATALOGUE.fact_topics)
    ends = {place: end for place, (_, end) in extent.items()}
    project.make_folders()
    with open_warehouse(project) as warehouse:
        sink = Sink(WarehouseWriter(warehouse), project.client_settings(), extent)
        asyncio.run(sink.run(asyncio.Event(), until=ends))
    place, end = next((place, end) for place, end in ends.items() if end)
    with admin(project) as client:
        client.delete_records({TopicPartition(*place): end})

    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke(baton, ["verify"], env={"BATON_HOME": None, "BATON_KAFKA": clean_kafka})

    assert run.exit_code == 5 and "NOT EQUAL" in run.stdout
    assert f"no longer holds the beginning of the log ({place[0]}/{place[1]} from {end})" in run.stderr
    assert "rebuild" not in run.stderr
