"""The laws of the numbers: order, batches, duplicates, compaction and rebuilding change nothing, ever."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from projections.playbook import read_playbook
from projections.projection import states
from tests.given import all_hashes, given
from tests.laws.records import effort
from tests.laws.small_funnels import BIRTHS, MOMENTS, Told, arrivals, funnels
from warehouse.compaction import rebuild, replace_states
from warehouse.content_hash import TableHash, record_counts
from warehouse.warehouse import Warehouse


@pytest.fixture(scope="module")
def shared() -> Iterator[Warehouse]:
    with Warehouse.open(None, read_playbook()) as warehouse:
        yield warehouse


def emptied(warehouse: Warehouse) -> Warehouse:
    """The same warehouse without facts, states and offsets. (Opening one anew takes longer than a law.)"""
    tables = warehouse.connection.execute(
        "select schema_name || '.' || table_name from duckdb_tables()"
        " where schema_name in ('log', 'partial', 'warehouse') and estimated_size > 0"
    ).fetchall()
    for (table,) in tables:
        warehouse.connection.execute(f"truncate {table}")
    return warehouse


def said(warehouse: Warehouse, as_of: datetime) -> Mapping[str, TableHash]:
    return all_hashes(warehouse.connection, as_of)


def differing(left: Mapping[str, TableHash], right: Mapping[str, TableHash]) -> list[str]:
    return sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))


@effort(8)
@for_all(data=st.data(), told=funnels(), as_of=BIRTHS | MOMENTS)
def test_order_batches_and_duplicates_change_nothing(
    shared: Warehouse, data: st.DataObject, told: list[Told], as_of: datetime
) -> None:
    given(emptied(shared), [event.value for event in told])
    at_once = said(shared, as_of)

    values, cuts = data.draw(arrivals(told))
    given(emptied(shared), values, cuts=cuts)
    as_it_came = said(shared, as_of)

    assert differing(at_once, as_it_came) == []
    found = record_counts(shared.connection)
    assert found.add_up and found.total == len(values)


@effort(6)
@for_all(data=st.data(), told=funnels(), as_of=MOMENTS)
def test_folding_at_any_moment_and_rebuilding_change_nothing(
    shared: Warehouse, data: st.DataObject, told: list[Told], as_of: datetime
) -> None:
    values, cuts = data.draw(arrivals(told))
    given(emptied(shared), values, cuts=cuts)
    never_folded = said(shared, as_of)

    until = data.draw(st.integers(0, len(values)), label="compacted after")
    given(emptied(shared), values[:until], cuts=cuts)
    replace_states(
        shared.connection, {state: state.merge_select(f"partial.{state.name}") for state in states()}
    )
    given(shared, values[until:], cuts=cuts)

    assert differing(never_folded, said(shared, as_of)) == []
    rebuild(shared.connection)
    assert differing(never_folded, said(shared, as_of)) == []


@effort(6)
@for_all(data=st.data(), told=funnels(), as_of=MOMENTS)
def test_a_late_event_revises_the_number(
    shared: Warehouse, data: st.DataObject, told: list[Told], as_of: datetime
) -> None:
    given(emptied(shared), [event.value for event in told])
    at_once = said(shared, as_of)

    late = data.draw(st.integers(0, len(told) - 1), label="late")
    given(emptied(shared), [event.value for i, event in enumerate(told) if i != late])
    said(shared, as_of)  # somebody looked before it came
    given(shared, [told[late].value])

    assert differing(at_once, said(shared, as_of)) == []
