"""Records whose schema the registry withholds: kept, tried again, and failed for good after many tries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aiokafka import ConsumerRecord

from projections.playbook import read_playbook
from schemas.catalogue import Schema
from schemas.codec import SchemaWithheld
from streams.worker.records import Fetched, to_batch
from streams.worker.withheld import MOST_TRIES, WithheldRecords
from tests.given import in_memory
from tests.schemas.test_codec import GOOD, WON
from tests.schemas.test_hostile_schemas import framed
from warehouse.content_hash import RecordCounts, record_counts
from warehouse.warehouse import Warehouse


class Registry:
    """Hands out the schema of one id, unless it withholds it; every other id it knows and gives."""

    def __init__(self) -> None:
        self.withheld = {7}

    def schema(self, schema_id: int) -> Schema:
        if schema_id in self.withheld:
            raise SchemaWithheld("no", where=f"/schemas/ids/{schema_id}", why="HTTP 403: not yours")
        return WON.schema


class Site:
    """A warehouse that read a few records while one schema was withheld, and a clock that is set by hand."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse, self.registry, self.now = warehouse, Registry(), 0.0
        self.committer = warehouse.committer()
        self.withheld = WithheldRecords(warehouse.cursor(), self.registry.schema, lambda: self.now)
        fetched = Fetched()
        values = [GOOD, framed(7), b"no event", framed(8), framed(7)]
        for at, value in enumerate(values):
            said = (0, b"k", value, None, 1, len(value), ())
            fetched.add(WON.topic, 1, [ConsumerRecord(WON.topic, 1, at, 1_700_000_000_123, *said)])
        batch = to_batch(fetched, self.registry.schema)
        self.committer.commit(batch)
        self.withheld.notice(batch)

    def retry(self) -> bool:
        """Whether there was something to write."""
        batch = self.withheld.retry()
        if batch is not None:
            self.committer.commit(batch)
        return batch is not None

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        return self.warehouse.ask(statement)[1]

    @property
    def failed(self) -> list[tuple[object, ...]]:
        return self.rows("select kafka_offset, stage from warehouse.failed_event order by kafka_offset")

    @property
    def dead_letters(self) -> list[str]:
        rows = self.rows("select message_id from warehouse.outbox order by message_id")
        return [str(message_id) for (message_id,) in rows]

    @property
    def facts(self) -> list[tuple[object, ...]]:
        return self.rows("select kafka_offset from log.opportunity_won order by kafka_offset")


@pytest.fixture
def site() -> Iterator[Site]:
    with in_memory(read_playbook()) as warehouse:
        yield Site(warehouse)


def test_they_are_kept_and_no_dead_letters_yet(site: Site) -> None:
    assert site.facts == [(0,), (3,)]
    assert site.failed == [(1, "registry"), (2, "frame"), (4, "registry")]
    assert site.dead_letters == [f"failed/{WON.topic}/1/2"]
    assert not site.retry(), "still withheld"
    assert record_counts(site.warehouse.connection) == RecordCounts(1, 3, 1, 5)


def test_they_are_facts_once_the_registry_hands_the_schema_out(site: Site) -> None:
    site.registry.withheld.clear()

    assert site.retry() and not site.retry()

    assert site.facts == [(0,), (1,), (3,), (4,)]
    assert site.failed == [(2, "frame")]
    assert site.dead_letters == [f"failed/{WON.topic}/1/2"]
    assert record_counts(site.warehouse.connection) == RecordCounts(1, 1, 3, 5)


def test_tries_are_spread_and_the_last_one_gives_up(site: Site) -> None:
    tries = 0
    while not site.retry():
        assert not site.retry(), "not due yet"
        tries += 1
        site.now += 301
    assert tries == MOST_TRIES - 1

    assert site.failed == [(1, "registry"), (2, "frame"), (4, "registry")]
    assert site.dead_letters == [f"failed/{WON.topic}/1/{at}" for at in (1, 2, 4)]
    site.registry.withheld.clear()
    assert not site.retry(), "from now on it is for redrive"


def test_a_restart_goes_on_with_what_was_kept(site: Site) -> None:
    site.registry.withheld.clear()
    batch = WithheldRecords(site.warehouse.cursor(), site.registry.schema).retry()
    assert batch is not None and len(batch.settled) == 2
