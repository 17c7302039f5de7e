"""The laws of the numbers: order, batches, duplicates and rebuilding change nothing, ever."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from projections.playbook import read_playbook
from tests.given import all_hashes, emptied, given, in_memory
from tests.laws.records import effort
from tests.laws.small_funnels import BIRTHS, MOMENTS, Emitted, arrivals, funnels
from warehouse.content_hash import TableHash, record_counts
from warehouse.warehouse import Warehouse


@pytest.fixture(scope="module")
def shared() -> Iterator[Warehouse]:
    with in_memory(read_playbook()) as warehouse:
        yield warehouse


def said(warehouse: Warehouse, as_of: datetime) -> Mapping[str, TableHash]:
    return all_hashes(warehouse.connection, as_of)


def differing(left: Mapping[str, TableHash], right: Mapping[str, TableHash]) -> list[str]:
    return sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))


@effort(8)
@for_all(data=st.data(), emitted=funnels(), as_of=BIRTHS | MOMENTS)
def test_order_batches_and_duplicates_change_nothing(
    shared: Warehouse, data: st.DataObject, emitted: list[Emitted], as_of: datetime
) -> None:
    given(emptied(shared), [event.value for event in emitted])
    at_once = said(shared, as_of)

    values, cuts = data.draw(arrivals(emitted))
    given(emptied(shared), values, cuts=cuts)
    as_it_came = said(shared, as_of)

    assert differing(at_once, as_it_came) == []
    found = record_counts(shared.connection)
    assert found.add_up and found.total == len(values)


@effort(6)
@for_all(data=st.data(), emitted=funnels(), as_of=MOMENTS)
def test_rebuilding_at_any_moment_changes_nothing(
    shared: Warehouse, data: st.DataObject, emitted: list[Emitted], as_of: datetime
) -> None:
    values, cuts = data.draw(arrivals(emitted))
    given(emptied(shared), values, cuts=cuts)
    never_rebuilt = said(shared, as_of)

    until = data.draw(st.integers(0, len(values)), label="rebuilt after")
    given(emptied(shared), values[:until], cuts=cuts)
    shared.rebuild()
    given(shared, values[until:], cuts=cuts)

    assert differing(never_rebuilt, said(shared, as_of)) == []


@effort(6)
@for_all(data=st.data(), emitted=funnels(), as_of=MOMENTS)
def test_a_late_event_revises_the_number(
    shared: Warehouse, data: st.DataObject, emitted: list[Emitted], as_of: datetime
) -> None:
    given(emptied(shared), [event.value for event in emitted])
    at_once = said(shared, as_of)

    late = data.draw(st.integers(0, len(emitted) - 1), label="late")
    given(emptied(shared), [event.value for i, event in enumerate(emitted) if i != late])
    said(shared, as_of)  # somebody looked before it came
    given(shared, [emitted[late].value])

    assert differing(at_once, said(shared, as_of)) == []
