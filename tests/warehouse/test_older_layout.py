"""A warehouse file made before an event had its newest version opens, and says what old bytes say."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import fastavro

from projections.playbook import read_playbook
from schemas.avro_types import column_type
from schemas.catalogue import CATALOGUE, EventType
from schemas.codec import decode
from tests.given import as_bytes, given
from warehouse.layout import LAYOUT_VERSION, sql_type
from warehouse.warehouse import Warehouse

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
WON = CATALOGUE.event_types["OpportunityWon"]
OLD: dict[str, Any] = {
    "event_id": "old", "occurred_at": NOON, "recorded_at": NOON, "source": "crm", "opportunity_id": "deal-1",
    "account_id": "acme", "lead_id": None, "amount": Decimal("1200.5"), "currency": "EUR", "owner": "ana",
}  # fmt: skip
NEW = {
    "type": "OpportunityWon",
    "event_id": "new",
    "occurred_on": "2026-03-03",
    "source": "crm",
    "opportunity_id": "deal-2",
}


def _old_table(event: EventType) -> str:
    columns = [f"{f['name']} {sql_type(column_type(f['type']))}" for f in event.versions[0].fields]
    places = ["kafka_partition integer", "kafka_offset bigint"]
    return f"create table log.{event.table} ({', '.join([*columns, *places])})"


def _old_file(path: Path) -> None:
    """A file with the tables of each event's first version, and one win in it."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema log; create schema warehouse")
        connection.execute(
            "create table warehouse.next_offset (topic varchar not null, kafka_partition integer not null,"
            " next_offset bigint not null, records bigint not null)"
        )
        connection.execute(f"comment on table warehouse.next_offset is '{LAYOUT_VERSION}'")
        for event in CATALOGUE.facts:
            connection.execute(_old_table(event))
        marks = ", ".join("?" for _ in OLD)
        connection.execute(f"insert into log.opportunity_won values ({marks}, 0, 0)", list(OLD.values()))


def test_a_file_of_the_first_versions_opens_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "old.duckdb"
    _old_file(path)

    for _ in range(2):  # the second time it is laid out already
        with Warehouse.open(path, read_playbook()) as warehouse:
            given(warehouse, as_bytes([NEW]))
            rows = warehouse.connection.execute(
                "select event_id, amount, currency, account_id, is_amount_known, is_day_only"
                " from facts.opportunity_won order by event_id"
            ).fetchall()
            leads = warehouse.connection.execute("select attributes from facts.lead_captured").fetchall()

    assert rows == [
        ("new", Decimal(0), "", "", False, True),
        ("old", Decimal("1200.5"), "EUR", "acme", True, False),
    ]
    assert leads == []


def test_a_table_of_the_playbook_that_the_file_did_not_have_is_filled(tmp_path: Path) -> None:
    path = tmp_path / "old.duckdb"
    with Warehouse.open(path, read_playbook()) as warehouse:
        warehouse.connection.execute("drop view playbook.size_band; drop table playbook.all_size_band")
        warehouse.connection.execute("delete from warehouse.laid_out")

    with Warehouse.open(path, read_playbook()) as warehouse:
        bands = warehouse.connection.execute("select size_band from playbook.size_band").fetchall()

    assert ("50-249",) in bands


def test_bytes_of_every_first_version_are_read_with_the_defaults_of_the_newest() -> None:
    for event in CATALOGUE.event_types.values():
        first, record = event.versions[0], _made_up(event)
        stream = io.BytesIO()
        schema: Any = first.schema
        fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), record)

        batch = decode([b"\xc3\x01" + first.fingerprint + stream.getvalue()], CATALOGUE)

        assert not batch.failures, event.name
        (row,) = batch.frames[event.name].drop("_row").to_dicts()
        added = {f["name"]: f.get("default") for f in event.fields if f["name"] not in record}
        assert row == {**record, **added}, event.name


def _made_up(event: EventType) -> dict[str, Any]:
    kinds: dict[str, Any] = {
        "string": "text", "boolean": True, "int": 7, "long": 7, "double": 0.5, "timestamp-micros": NOON,
        "date": NOON.date(), "decimal": Decimal("12.5"),
    }  # fmt: skip
    record = {}
    for field in event.versions[0].fields:
        avro = field["type"]
        kind = avro if isinstance(avro, str | list) else avro["logicalType"]
        record[field["name"]] = None if isinstance(kind, list) else kinds[kind]
    return record
