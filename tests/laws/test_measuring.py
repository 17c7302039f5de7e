"""The law of measuring: looking only at what news can have changed finds what looking at everything finds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from projections.playbook import read_playbook
from tests.given import emptied, given, in_memory
from tests.laws.records import effort
from tests.laws.small_funnels import BIRTHS, MOMENTS, Emitted, arrivals, emitted_again, events_of, funnels
from warehouse.measurement import Measurement
from warehouse.warehouse import Warehouse

DECIDING = (
    "HandoffOffered",
    "HandoffAccepted",
    "HandoffReturned",
    "HandoffReassigned",
    "HandoffPaused",
    "HandoffResumed",
    "ContactAttempted",
    "BuyerReached",
    "OpportunityOpened",
    "LeadsMerged",
    "LeadsUnmerged",
)


@st.composite
def dense(draw: st.DrawFn) -> list[Emitted]:
    """Many events about few leads and handoffs, of the kinds that decide what is measured."""
    emitted = draw(st.lists(events_of(*DECIDING), min_size=8, max_size=16))
    return emitted + draw(emitted_again(emitted, most=6))


@pytest.fixture(scope="module")
def two() -> Iterator[tuple[Warehouse, Warehouse]]:
    with in_memory(read_playbook()) as one, in_memory(read_playbook()) as other:
        yield one, other


def outbox(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """Every measurement with its bytes, in the order they leave."""
    return warehouse.connection.execute(
        "select message_id, key, value from warehouse.outbox order by rowid"
    ).fetchall()


@effort(12)
@for_all(data=st.data(), emitted=funnels() | dense())
def test_measuring_what_changed_is_measuring_everything(
    two: tuple[Warehouse, Warehouse], data: st.DataObject, emitted: list[Emitted]
) -> None:
    """Copies that name other leads, merges, clocks that go back, deadlines that pass in silence included."""
    followed, looked_at_anew = map(emptied, two)
    following = Measurement(followed.read_models())
    values, cuts = data.draw(arrivals(emitted))
    edges = sorted({0, *cuts, len(values)})
    for start, stop in zip(edges, edges[1:], strict=False):
        as_of: datetime = data.draw(BIRTHS | MOMENTS, label="as of")
        for warehouse in two:
            given(warehouse, values[start:stop])
            warehouse.pin_as_of(as_of)
        following.measure()
        Measurement(looked_at_anew.read_models()).measure()

        assert outbox(followed) == outbox(looked_at_anew)
