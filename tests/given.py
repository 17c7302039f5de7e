"""Given events: put them into a warehouse the way the sink does, without a broker in between."""

from __future__ import annotations

import atexit
import random
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from projections.playbook import Playbook, read_playbook
from projections.relations import selected
from projections.signing_keys import SigningKey
from projections.sql_literal import sql_literal
from schemas.catalogue import CATALOGUE
from schemas.codec import ROW, decode, encode
from schemas.validation import read_event
from warehouse.commit import Batch
from warehouse.content_hash import TableHash, hash_groups, hashes
from warehouse.warehouse import Warehouse, configuration

_NAMED = re.compile(r"\b(?:facts|resolved|funnel)\.\w+")


def in_memory(playbook: Playbook, keys: Sequence[SigningKey] = ()) -> Warehouse:
    """An empty warehouse in memory. Its views are copied: to define them takes longer than most tests."""
    connection = duckdb.connect(config=configuration(threads=2))
    connection.execute(f"attach '{_laid_out()}' as laid_out (read_only)")
    connection.execute("copy from database laid_out to memory")
    connection.execute("detach laid_out")
    return Warehouse.on(connection, playbook, keys=keys)


@cache
def _laid_out() -> Path:
    folder = tempfile.mkdtemp(prefix="baton-laid-out-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "empty.duckdb"
    Warehouse.open(path, read_playbook()).close()
    return path


def emptied(warehouse: Warehouse) -> Warehouse:
    """The same warehouse without facts and offsets. (Opening a new one takes longer than a law.)"""
    tables = warehouse.connection.execute(
        "select schema_name || '.' || table_name from duckdb_tables()"
        " where schema_name in ('log', 'warehouse') and estimated_size > 0"
    ).fetchall()
    for (table,) in tables:
        warehouse.connection.execute(f"truncate {table}")
    return warehouse


def as_bytes(events: Iterable[Mapping[str, Any]]) -> list[bytes]:
    """Events in the JSON form of `baton publish` as they travel through Kafka."""
    return [encode(event_type, record) for event_type, record in map(read_event, events)]


def given(warehouse: Warehouse, values: Sequence[bytes], *, cuts: Sequence[int] = ()) -> None:
    """Commit the values in this order, cut into batches at these places."""
    committer = warehouse.committer()
    edges = [0, *sorted(cut % (len(values) + 1) for cut in cuts), len(values)]
    for start, stop in zip(edges, edges[1:], strict=False):
        if start < stop:
            committer.commit(_batch(values[start:stop], start))


def _batch(values: Sequence[bytes], offset: int) -> Batch:
    decoded = decode(values, CATALOGUE)
    assert not decoded.failures, decoded.failures[:3]
    facts = {
        name: frame.with_columns(
            pl.lit(0, pl.Int32).alias("kafka_partition"), (pl.col(ROW) + offset).alias("kafka_offset")
        ).drop(ROW)
        for name, frame in decoded.frames.items()
    }
    return Batch(facts, offsets={("given", 0): (offset + len(values), len(values))})


def all_hashes(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> dict[str, TableHash]:
    """The hash of every fact table and view at an instant, evaluated over all facts. Read models, which stand
    at an instant of their own, are left out."""
    groups = hash_groups()[1:]
    return {name: found for group in groups for name, found in hashes(connection, as_of, group).items()}


def asked_anew(warehouse: Warehouse, as_of: datetime, query: str) -> duckdb.DuckDBPyConnection:
    """What a query says at an instant, from the facts alone: no read model is read, and none need be built.

    That read models hold the same is a law of its own (tests/laws/test_read_models.py).
    """
    warehouse.pin_as_of(as_of, is_read_model=False)
    names = _NAMED.findall(query)
    return warehouse.connection.execute(selected(names, sql_literal(as_of), query, ("funnel", "resolved")))


def shuffled(values: Sequence[bytes], seed: int) -> list[bytes]:
    """The same values in another order, decided by the seed."""
    mixed = list(values)
    random.Random(seed).shuffle(mixed)
    return mixed


def view(warehouse: Warehouse, name: str, columns: Sequence[str], as_of: datetime) -> list[tuple[Any, ...]]:
    """Rows of a public view at an instant, sorted."""
    query = f"select {', '.join(columns)} from funnel.{name}"
    return sorted(asked_anew(warehouse, as_of, query).fetchall(), key=repr)
