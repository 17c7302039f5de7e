"""What the panels said at a moment, as far as it was known by then: each is computed from the recorded
events alone, so that it is the same whenever and wherever it is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from schemas.errors import BatonError
from streams.queries.numbers import Number, read_number
from streams.queries.pack_panels import PACK_PANELS
from streams.queries.panel import Circumstances, Look, Panel, circumstances, circumstances_statement
from streams.queries.panels import FUNNEL, SPEED
from warehouse.authority import Authority
from warehouse.recorded_log import RecordedLog
from warehouse.warehouse import Warehouse

Row = dict[str, Any]
# Those that are shown, and those that are compared from week to week only.
READ = (*PACK_PANELS, FUNNEL, SPEED)
THIS_QUARTER = Look()
WEEK = timedelta(days=7)
# Each decision that is followed costs a computation of its own.
FOLLOWED_DAYS, MOST_FOLLOWED = 92, 8
_VIEW = re.compile(r"\bfunnel\.(\w+)")


@dataclass(frozen=True)
class Moment:
    """The rows of each panel, by its id. found: the window, and the instant they are of."""

    found: Circumstances
    panels: Mapping[str, list[Row]]
    warehouse: Warehouse


@dataclass(frozen=True)
class Week:
    """What a pack is made of: now; a week ago as known then, which the last pack showed; and as known now.

    followed: recent decision -> the number that should move, and the moment it was decided at.
    """

    now: Moment
    shown_then: Moment
    known_now: Moment
    followed: Mapping[str, tuple[Number, Moment]]


def views_read() -> list[str]:
    """The views that the panels read: a RecordedLog of these can show them all."""
    texts = [circumstances_statement(THIS_QUARTER), *(panel.select for panel in READ)]
    named = {name for text in texts for name in _VIEW.findall(text)}
    return sorted(named | {"lead_slice"})  # what $of_slice reads


def read_moment(
    records: RecordedLog,
    authority: Authority,
    as_of: datetime,
    known_at: datetime,
    look: Look = THIS_QUARTER,
    panels: Sequence[Panel] = READ,
) -> Moment:
    """Clocks are read at as_of; only events recorded by known_at count."""
    snapshot = records.snapshot(authority, as_of=as_of, known_at=known_at)
    [row] = snapshot.ask(circumstances_statement(look))[1]
    found = circumstances(look, row)
    return Moment(found, {panel.id: _rows(snapshot, panel.statement(found)) for panel in panels}, snapshot)


def read_week(records: RecordedLog, authority: Authority, as_of: datetime) -> Week:
    """Everything as of an instant, from events recorded by then."""
    now = read_moment(records, authority, as_of, as_of)
    found = now.found
    same = Look(window=f"{found.window_unit}:{found.window_start}")
    shown_then = read_moment(records, authority, as_of - WEEK, as_of - WEEK, same)
    known_now = read_moment(records, authority, as_of - WEEK, as_of, same)
    followed: dict[str, tuple[Number, Moment]] = {}
    for row in now.panels["decisions"]:
        number = _number(row["number"])
        is_recent = row["decided_at"] > as_of - timedelta(days=FOLLOWED_DAYS)
        if number and is_recent and len(followed) < MOST_FOLLOWED:
            at = row["decided_at"]
            then = read_moment(records, authority, at, at, panels=[number.panel])
            followed[row["decision_id"]] = (number, then)
    return Week(now, shown_then, known_now, followed)


def _number(address: str | None) -> Number | None:
    """None for a name that is none of ours: the event may have been recorded elsewhere."""
    try:
        return None if address is None else read_number(address)
    except BatonError:
        return None


def _rows(snapshot: Warehouse, statement: str) -> list[Row]:
    columns, rows = snapshot.ask(statement)
    return [dict(zip(columns, row, strict=True)) for row in rows]
