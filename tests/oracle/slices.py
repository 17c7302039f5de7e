"""The slices of a count: every dimension of a lead, in windows of every unit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.oracle.lead_dimension import DIMENSIONS, UNKNOWN, dimensions
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook
from tests.oracle.windows import UNITS, first_day

KEY = ("dimension", "value", "window_unit", "window_start")


class Slice(NamedTuple):
    """A value of a dimension, and a window."""

    dimension: str
    value: str
    window_unit: str
    window_start: str | None

    def row(self) -> Row:
        """Its columns."""
        return self._asdict()


def slices(log: Log, playbook: Playbook, lead_id: str | None, instant: int) -> Iterator[Slice]:
    """The slices in which something about a lead counts that happened at an instant."""
    values = dimensions(log, playbook).get(lead_id or "", {})
    day = playbook.day_of(instant)
    windows = [
        (unit, start and start.isoformat()) for unit in UNITS for start in [first_day(playbook, unit, day)]
    ]
    for dimension in ("all", *DIMENSIONS):
        value = "all" if dimension == "all" else values.get(dimension, UNKNOWN)
        for unit, start in windows:
            yield Slice(dimension, value, unit, start)
