"""Reading a block: what is set aside without a read, and that a flood of broken values is not slow."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from schemas.block_reader import BlockReader
from schemas.catalogue import CATALOGUE, EventType
from schemas.codec import encode
from tests.laws.records import effort, records
from tests.schemas.test_codec import GOOD, fates, sized, won, won_by_hand, zigzag

ODD = [zigzag(n) for n in (-1, -2, 1, 2, 16, 2**62, -(2**63))] + [b"\xff" * 9 + b"\1", b"\xed\xa0\x80"]


@effort(300)
@for_all(st.sampled_from(list(CATALOGUE.event_types.values())), st.data())
def test_a_datum_that_is_set_aside_without_a_read_could_not_be_read(
    event: EventType, data: st.DataObject
) -> None:
    body = bytearray(encode(event, data.draw(records(event)))[10:])
    for _ in range(data.draw(st.integers(1, 3), label="changes")):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.sampled_from(ODD) | st.binary(max_size=3))
    block = BlockReader(event.schema)

    _, whole = block.read(pa.array([bytes(body)], pa.large_binary()))

    assert not (whole and block.is_broken(bytes(body)))


LATIN = won_by_hand(account_id=sized("Müller".encode("latin-1")))


def test_thousands_of_broken_values_do_not_cost_a_read_each(capfd: pytest.CaptureFixture[str]) -> None:
    """Each read of one panics in polars, which writes that to the log of the worker."""
    broken = [one for n in range(1_500) for one in (LATIN, GOOD + b"x" * (n % 40 + 1))]

    found = fates([value for one in broken for value in (GOOD, one)])

    assert found[::2] == [won()] * 3_000
    assert {fate[:1] for fate in found[1::2]} == {("decode",)}  # type: ignore[index]
    assert capfd.readouterr().err.count("panicked") < 20


def test_a_header_of_its_own_for_each_value_costs_no_look_at_all_others() -> None:
    strange = [b"\xc3\x01" + n.to_bytes(8, "big") + GOOD[10:] for n in range(40_000)]
    started = time.process_time()

    found = fates([*strange, GOOD])

    assert time.process_time() - started < 5.0
    assert found[-1] == won() and {fate[0] for fate in found[:-1]} == {"schema"}  # type: ignore[index]
