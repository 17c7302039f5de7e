"""A warehouse that serves people with roles, as a worker does, and the same over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import uvicorn
from starlette.applications import Starlette

from projections.playbook import read_playbook
from schemas.catalogue import CATALOGUE
from schemas.codec import ROW, decode
from streams.access.access_log import AccessLog
from streams.access.grants import Grants
from streams.access.readers import ProjectReaders
from streams.access.remote_statements import RemoteStatements
from streams.web.api import routes
from tests.given import as_bytes, given
from warehouse.commit import Batch
from warehouse.memory import resident_bytes
from warehouse.roles import read_roles
from warehouse.sql_endpoint import SqlEndpoint, serve_sql
from warehouse.warehouse import Warehouse

MORE_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Served:
    """`folder` holds the warehouse and the file of its endpoint; `kept` what access keeps."""

    warehouse: Warehouse
    endpoint: SqlEndpoint
    readers: ProjectReaders
    folder: Path
    kept: Path

    @property
    def endpoint_file(self) -> Path:
        return self.folder / "sql-endpoint.json"


@contextmanager
def served(folder: Path, events: list[dict[str, Any]], seconds: float) -> Iterator[Served]:
    kept = folder / "kept"
    roles = read_roles()
    readers = ProjectReaders(Grants(kept / "access.json"), roles, AccessLog(kept / "access.log", roles))
    with Warehouse.open(folder / "baton.duckdb", read_playbook(), memory_limit="400MB") as warehouse:
        given(warehouse, as_bytes(events))
        warehouse.refresh()
        endpoint = serve_sql(
            warehouse.connection,
            seconds,
            most_bytes=resident_bytes() + MORE_BYTES,
            readers=readers,
            roles=roles,
        )
        endpoint.save(folder / "sql-endpoint.json")
        yield Served(warehouse, endpoint, readers, folder, kept)


def committed(warehouse: Warehouse, values: Sequence[bytes], first: int = 0) -> None:
    """Commit as the sink does: with the offsets of each topic, by which a copy knows how far to read."""
    place = dict.fromkeys(CATALOGUE.topics, first)
    facts = {}
    for name, frame in decode(values, CATALOGUE).frames.items():
        topic = CATALOGUE.event_types[name].topic
        facts[name] = frame.with_columns(
            pl.lit(0, pl.Int32).alias("kafka_partition"),
            (pl.int_range(pl.len()) + place[topic]).alias("kafka_offset"),
        ).drop(ROW)
        place[topic] += len(frame)
    offsets = {(topic, 0): (after, after - first) for topic, after in place.items() if after > first}
    warehouse.committer().commit(Batch(facts, offsets=offsets))


@contextmanager
def over_http(source: RemoteStatements, readers: ProjectReaders) -> Iterator[int]:
    """The port on loopback that answers."""
    app = Starlette(routes=routes(source, readers))
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield int(server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    thread.join()
