"""The view funnel_stage_slice: the counts of funnel_stage by dimension, in windows of every unit."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tests.oracle.funnel_stage import counts, row_of
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook
from tests.oracle.slices import KEY as SLICE
from tests.oracle.slices import slices

KEY = (*SLICE, "stage")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per slice, window and stage that was entered or advanced from."""
    for (index, each), of_stage in counts(log, playbook, partial(slices, log, playbook)).items():
        yield {**each.row(), **row_of(playbook, index, of_stage)}
