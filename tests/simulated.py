"""A simulated company's warehouse in memory, pinned to the end of its story."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from projections.playbook import read_playbook
from projections.signing_keys import SigningKey
from streams.simulator import simulate
from tests.given import as_bytes, given, in_memory
from warehouse.warehouse import Warehouse


def simulated(seed: int, leads: int, keys: Sequence[SigningKey] = ()) -> Warehouse:
    """Every event of the story, and the read models up to its end. The caller closes it."""
    with tempfile.TemporaryDirectory() as folder:
        as_of = simulate(seed, leads, Path(folder)).as_of
        lines = (Path(folder) / "events.jsonl").read_text().splitlines()
    warehouse = in_memory(read_playbook(), keys)
    given(warehouse, as_bytes(json.loads(line) for line in lines))
    warehouse.pin_as_of(as_of)
    return warehouse
