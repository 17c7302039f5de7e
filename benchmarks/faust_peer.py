"""The peer: a stock Faust worker with one plain agent over the same topics.

`counts` is the most favourable stock use: the agent only counts raw bytes, so the figure is the cost of
delivering an event to an agent. `stores` is the least that is comparable work: decode the event, and append
rows to a DuckDB table by the thousand. Neither keeps offsets with the rows, so both may lose or repeat events
in a crash.

It builds its own Faust app, because the peer is Faust without Baton.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import fastavro
import faust
import pyarrow as pa

from benchmarks.case import Bench, Case, Figure, Target
from benchmarks.own_process import Measured
from schemas.catalogue import CATALOGUE
from streams.simulator.writer import compact

ROWS_AT_ONCE = 5_000

METHOD = (
    "A stock Faust worker with one plain agent reads the same topics in a process of its own, for a "
    "bounded number of events after its first. The target is held against an agent that does the least that "
    "could be called the same work: it decodes each event with fastavro and appends it to one DuckDB table, "
    f"{ROWS_AT_ONCE:,} rows at once. The other agent only counts raw bytes and keeps nothing: what Faust "
    "needs to bring an event to an agent at all."
)


def measure(bench: Bench) -> Case:
    """Baton with all states, against an agent that only counts, and one that stores."""
    what, ours = "ingestion, against Faust", bench.rates("warehouse")
    stores = bench.rates("faust, stores")
    counts = bench.rates("faust, counts")
    held_to = Figure(what, "events/s", ours, "stock agent, decodes and stores", stores, Target(">=", 8))
    at_most = Figure(what, "events/s", ours, "stock agent, only counts", counts)
    return Case("faust", METHOD, (held_to, at_most))


def run_faust(bootstrap: str, events: int, does: str, folder: str) -> Measured:
    """One round. Prints its result and ends the process from inside the agent, as a worker never ends."""
    app = faust.App(
        f"bench-{uuid.uuid4().hex[:8]}",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        datadir=folder,
        consumer_auto_offset_reset="earliest",
        topic_disable_leader=True,
        web_enabled=False,
        broker_max_poll_records=20_000,
    )
    log = app.topic(*CATALOGUE.fact_topics, key_serializer="raw", value_serializer="raw", value_type=bytes)
    take = (lambda value: None) if does == "counts" else _storing(Path(folder) / "faust.duckdb")
    app.agent(log)(_agent(take, events))
    faust.Worker(app, loglevel="ERROR", redirect_stdouts=False).execute_from_commandline()
    raise AssertionError("the agent ends this process")


def _agent(take: Callable[[bytes], None], events: int) -> Callable[[Any], Any]:
    async def agent(stream: Any) -> None:
        started, count = 0.0, 0
        async for value in stream:
            started = started or time.perf_counter()
            take(value)
            count += 1
            if count == events:
                print(json.dumps({"events": count, "seconds": time.perf_counter() - started}))
                sys.stdout.flush()
                os._exit(0)

    return agent


def _storing(file: Path) -> Callable[[bytes], None]:
    connection = duckdb.connect(str(file))
    connection.execute(
        "create table event (event_type varchar, event_id varchar, occurred_at timestamptz, body varchar)"
    )
    rows: list[tuple[Any, ...]] = []

    def take(value: bytes) -> None:
        event, version = CATALOGUE.by_fingerprint[value[2:10]]
        record: Any = fastavro.schemaless_reader(io.BytesIO(value[10:]), version.schema, None)
        rows.append(
            (
                event.name,
                record["event_id"],
                record["occurred_at"],
                compact({k: str(v) for k, v in record.items()}),
            )
        )
        if len(rows) >= ROWS_AT_ONCE:
            names = ("event_type", "event_id", "occurred_at", "body")
            batch = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
            connection.register("batch", batch)
            connection.execute("insert into event select * from batch")
            rows.clear()

    return take
