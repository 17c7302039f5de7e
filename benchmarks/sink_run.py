"""One round of ingestion: the product's sink reads the load into a store, in the process that calls this."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.clickhouse_peer import ClickHouse
from benchmarks.own_process import Measured
from projections.playbook import DEFAULT_PLAYBOOK, read_playbook
from schemas.catalogue import CATALOGUE
from streams.kafka.topics import log_extent
from streams.project import Project
from streams.worker.sink import Destination, Offsets, Sink
from warehouse.commit import Batch, Mark
from warehouse.warehouse import Warehouse
from warehouse.writer import WarehouseWriter

WAREHOUSE = "baton.duckdb"


@dataclass
class Nothing:
    """Takes batches and keeps none."""

    max_batch_records: int

    def next_offsets(self) -> Offsets:
        return {}

    def marks(self) -> dict[tuple[str, int], Mark]:
        return {}

    def write(self, batch: Batch) -> None:
        """Forget it."""


@dataclass
class IntoClickHouse:
    """The peer in the warehouse's place. It has no transaction to keep offsets in."""

    store: ClickHouse
    max_batch_records: int

    def next_offsets(self) -> Offsets:
        return {}

    def marks(self) -> dict[tuple[str, int], Mark]:
        return {}

    def write(self, batch: Batch) -> None:
        self.store.insert(batch.facts)


def run_sink(bootstrap: str, store: str, batch: int, folder: str, share: float = 1.0) -> Measured:
    """Read the load, or the first share of every partition, in batches of at most so many records.

    store: 'warehouse', 'nothing' or 'clickhouse'. seconds run from the first connection to the last commit.
    rows: what ClickHouse held at the end.
    """
    project = Project(home=Path(folder), cwd=Path(folder), kafka=bootstrap)
    extent = log_extent(project, CATALOGUE.fact_topics)
    until = {place: begin + int((end - begin) * share) for place, (begin, end) in extent.items()}
    with _opened(store, Path(folder), batch) as destination:
        sink = Sink(destination, project.client_settings(), extent)
        started, cpu_before = time.perf_counter(), time.process_time()
        progress = asyncio.run(sink.run(asyncio.Event(), until=until))
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_before
        rows = destination.store.rows() if isinstance(destination, IntoClickHouse) else {}
    return {
        "events": progress.records,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "batches": progress.batches,
        "rows": rows,
    }


@contextmanager
def _opened(store: str, folder: Path, batch: int) -> Iterator[Destination]:
    if store == "clickhouse":
        yield IntoClickHouse(ClickHouse(folder / "clickhouse"), batch)
        return
    if store == "nothing":
        yield Nothing(batch)
        return
    with Warehouse.open(folder / WAREHOUSE, read_playbook(DEFAULT_PLAYBOOK)) as warehouse:
        writer = WarehouseWriter(warehouse)
        writer.max_batch_records = batch
        yield writer
