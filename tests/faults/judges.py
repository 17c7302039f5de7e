"""Who judges a mix of faults at its end: the books, a replay of the log, and the oracle."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from projections.playbook import parse_playbook
from streams.queries.verification import Snapshot, Verification
from streams.worker.sink import Sink
from tests import oracle
from tests.faults.filed_log import LogReader
from tests.faults.mixture import ENDS_AT, ODD_SCHEMAS, Mixture
from tests.given import asked_anew, in_memory
from tests.oracle.comparison import compare
from tests.signed import KEYS
from warehouse.content_hash import RecordCounts, hash_groups, hashes, record_counts
from warehouse.warehouse import Warehouse
from warehouse.writer import WarehouseWriter

# Which views are looked at is the seed's; so many seeds in a row look at all of them. The 50 of a run look
# three times at each.
SHARES = 15
RESULTS = "BATON_MIX_RESULTS"


def assert_replayed(live: Warehouse, mixture: Mixture, log: Path, playbook: str) -> None:
    """The warehouse equals a replay of the log, and its books are those of what was written.

    The comparison is that of `baton verify`, of all facts, some of the views, and the read models of a worker
    that kept them up. What is left out follows from the facts by the same SQL on both sides.
    """
    reader = LogReader(log)
    reader.look()
    extent = reader.extent()
    ends = {place: end for place, (_, end) in extent.items()}
    read_models, facts, *groups = hash_groups()
    views = [view for group in groups for view in group]
    chosen = [facts, views[mixture.seed % SHARES :: SHARES]]
    if mixture.is_measuring:
        chosen.append(read_models)
    with in_memory(parse_playbook(playbook), KEYS) as replay:
        kafka = {"bootstrap_servers": str(log)}
        sink = Sink(WarehouseWriter(replay), kafka, extent, registry=ODD_SCHEMAS.get)
        asyncio.run(sink.run(asyncio.Event(), until=ends))
        verified = Verification(ENDS_AT, _snapshot(live, chosen), _snapshot(replay, chosen))
    own, counted = verified.live, books(mixture)
    assert not verified.differing, f"live and replay differ: {verified.differing}"
    assert own.record_counts == counted, f"{own.record_counts}, and written were {counted}"
    assert verified.is_equal, f"{own.record_counts}, the replay has {verified.replay.record_counts}"
    reached = {place: end for place, end in ends.items() if end}
    assert own.offsets == reached, f"at {own.offsets}, the log ends at {reached}"


def _snapshot(warehouse: Warehouse, groups: Sequence[Sequence[str]]) -> Snapshot:
    warehouse.pin_as_of(ENDS_AT, is_read_model=hash_groups()[0] in groups)
    tables = {n: t for group in groups for n, t in hashes(warehouse.connection, ENDS_AT, group).items()}
    return Snapshot(tables, record_counts(warehouse.connection), dict(warehouse.next_offsets()), ENDS_AT)


def books(mixture: Mixture) -> RecordCounts:
    """What became of every record that was committed."""
    events = [item.event for item in mixture.committed if item.event is not None]
    good = len({(event["type"], event["event_id"]) for event in events})
    total = len(mixture.committed)
    return RecordCounts(good, total - len(events), len(events) - good, total)


def assert_oracle(
    live: Warehouse, mixture: Mixture, playbook: str, folder: Path, shares: int = SHARES
) -> None:
    """The views say what the oracle says of the events that were committed. A signed playbook governs all
    of them; without one the project's own does."""
    file = folder / "playbook-in-force.toml"
    file.write_text(mixture.signed or playbook)
    log = oracle.Log.from_events(item.event for item in mixture.committed if item.event is not None)
    rules = oracle.Playbook(file)
    ask = partial(asked_anew, live, ENDS_AT)  # read models would be built for this alone,
    if mixture.is_measuring or shares == 1:  # but for those of a worker that kept them up, or of all views
        live.pin_as_of(ENDS_AT)
        ask = live.connection.execute
    for view in list(oracle.KEYS)[mixture.seed % shares :: shares]:
        expected = oracle.rows(view, log, rules, ENDS_AT)
        found = compare(ask, view, oracle.KEYS[view], expected)
        assert not found.differences, (
            f"{view}: {len(found.differences)} rows differ, such as {found.differences[0]}"
        )


@contextmanager
def reproducible(seed: int, test: str) -> Iterator[None]:
    """Says of a failure how to have it again."""
    try:
        yield
    except BaseException:
        print(f"\nBATON_MIX_SEED={seed} .venv/bin/python -m pytest tests/faults/test_mix.py -k {test}")
        raise


def record(kind: str, mixture: Mixture, done: Counter[str], seconds: float) -> None:
    """Add the figures of a mix to the file of BATON_MIX_RESULTS, when it is set."""
    file = os.environ.get(RESULTS)
    if file:
        counts: Mapping[str, int] = {name: count for name, count in done.items() if count}
        figures = {
            "kind": kind,
            "seed": mixture.seed,
            "seconds": seconds,
            "done": counts,
            "records": len(mixture.committed),
            "unreadable": sum(item.event is None for item in mixture.committed),
        }
        with open(file, "a") as lines:
            lines.write(json.dumps(figures) + "\n")
