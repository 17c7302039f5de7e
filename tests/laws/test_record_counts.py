"""good + failed + duplicate = what the log holds, whatever bytes it holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aiokafka import ConsumerRecord
from hypothesis import given as for_all
from hypothesis import strategies as st

from projections.playbook import read_playbook
from schemas.catalogue import CATALOGUE
from streams.worker.records import Fetched, to_batch
from tests.given import emptied, in_memory
from tests.laws.records import effort
from tests.laws.small_funnels import Emitted, funnels
from warehouse.content_hash import record_counts
from warehouse.warehouse import Warehouse

UNREADABLE = st.one_of(
    st.none(),
    st.just(b""),
    st.binary(min_size=1, max_size=60).filter(lambda value: value[:1] not in (b"\xc3", b"\x00")),
    st.binary(max_size=60).map(lambda rest: b"\xc3\x01" + b"\0" * 8 + rest),
    st.binary(min_size=4, max_size=60).map(lambda rest: b"\x00" + rest),
)
TIMES = st.sampled_from([-1, 0, 1_774_000_000_000, 2**63 - 1])
KEYS = st.sampled_from([None, b"", b"lead-1", b"\xff\xfe"])


@pytest.fixture(scope="module")
def shared() -> Iterator[Warehouse]:
    with in_memory(read_playbook()) as warehouse:
        yield warehouse


@st.composite
def logs(draw: st.DrawFn, emitted: list[Emitted]) -> tuple[list[tuple[str, bytes | None]], int, int]:
    """((topic, value) in order, how many of them are unreadable, how many are copies)."""
    distinct = {(event.type, event.record["event_id"]) for event in emitted}
    entries: list[tuple[str, bytes | None]] = [
        (CATALOGUE.event_types[event.type].topic, event.value) for event in emitted
    ]
    copies = draw(st.lists(st.sampled_from(entries), max_size=5))
    unreadable = [("funnel.sales", value) for value in draw(st.lists(UNREADABLE, max_size=5))]
    misrouted = [
        ("funnel.success", value) for _, value in draw(st.lists(st.sampled_from(entries), max_size=2))
    ]
    log = draw(st.permutations(entries + copies + unreadable + misrouted))
    return log, len(unreadable) + len(misrouted), len(entries) + len(copies) - len(distinct)


@effort(25)
@for_all(data=st.data(), emitted=funnels())
def test_good_and_failed_and_duplicate_make_up_the_log(
    shared: Warehouse, data: st.DataObject, emitted: list[Emitted]
) -> None:
    log, failed, duplicate = data.draw(logs(emitted))
    committer = emptied(shared).committer()
    cut = data.draw(st.integers(0, len(log)), label="cut")
    ends: dict[str, int] = {}

    for part in (log[:cut], log[cut:]):
        if part:
            committer.commit(to_batch(_fetched(data, part, ends)))

    found = record_counts(shared.connection)
    assert (found.good + found.failed + found.duplicate, found.total) == (len(log), len(log))
    assert (found.failed, found.duplicate) == (failed, duplicate)
    assert shared.next_offsets() == {(topic, 0): end for topic, end in ends.items()}
    kept = shared.connection.execute(
        "select topic, kafka_offset, value from warehouse.failed_event"
    ).fetchall()
    numbered = _numbered(log)
    assert all(numbered[(topic, offset)] == value for topic, offset, value in kept), "its very bytes are kept"
    queued = shared.connection.execute("select count(distinct message_id) from warehouse.outbox").fetchall()
    assert queued == [(failed,)], "each is on its way to the dead-letter topic, under one id"


def _numbered(log: list[tuple[str, bytes | None]]) -> dict[tuple[str, int], bytes | None]:
    ends: dict[str, int] = {}
    numbered = {}
    for topic, value in log:
        numbered[(topic, ends.setdefault(topic, 0))] = value
        ends[topic] += 1
    return numbered


def _fetched(data: st.DataObject, part: list[tuple[str, bytes | None]], ends: dict[str, int]) -> Fetched:
    """The part as the sink fetches it: runs of one topic each, offsets going on from `ends`."""
    fetched = Fetched()
    for topic in dict.fromkeys(topic for topic, _ in part):
        run = []
        for value in (value for its, value in part if its == topic):
            offset = ends.setdefault(topic, 0)
            ends[topic] += 1
            key, at = data.draw(KEYS), data.draw(TIMES)
            run.append(ConsumerRecord(topic, 0, offset, at, 0, key, value, None, 0, len(value or b""), ()))
        fetched.add(topic, 0, run)
    return fetched
