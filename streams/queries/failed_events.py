"""Failed events: records that could not become facts, by their position in Kafka."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from projections.sql_literal import sql_literal
from schemas.errors import BatonError, ExitCode
from streams.project import Project
from streams.queries.warehouse_access import ask_warehouse

_PLACE = "topic || '/' || kafka_partition || '/' || kafka_offset"


@dataclass(frozen=True)
class FailedEvents:
    """The newest failed records that are not dismissed, of `count`; and how many are dismissed."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    count: int
    dismissed: int


def list_failed(project: Project, limit: int, *, only_dismissed: bool = False) -> FailedEvents:
    """The newest failed records up to `limit`, without those dismissed, or only those with their reasons."""
    dismissed = dismissed_places(project)
    places = f"[{', '.join(map(sql_literal, dismissed))}]::varchar[]"
    wanted = f"{'' if only_dismissed else 'not '}list_contains({places}, place)"
    columns, rows = ask_warehouse(
        project,
        "select place, stage, event_type, bytes, reason, count(*) over (partition by true) as failed_count"
        f" from (select {_PLACE} as place, * from funnel.failed_events) where {wanted}"
        f" order by kafka_at desc, place limit {limit}",
    )
    count = rows[0][-1] if rows else 0
    columns, rows = columns[:-1], [row[:-1] for row in rows]
    if only_dismissed:
        columns, rows = [*columns, "dismissed_because"], [(*row, dismissed[row[0]]) for row in rows]
    return FailedEvents(columns, rows, count, len(dismissed))


def dismiss(project: Project, places: Sequence[str], reason: str) -> list[str]:
    """Dismiss failed records, all of them without places: redriving leaves them alone from then on.

    Their bytes stay in the warehouse and in Kafka. Kept in a file of the project, so that a rebuild keeps it.
    Returns the places that were not dismissed before. Raises BatonError for a place that has not failed.
    """
    _, rows = ask_warehouse(project, f"select {_PLACE} as place from funnel.failed_events order by place")
    known = [row[0] for row in rows]
    for place in places:
        if place not in known:
            raise _no_such_record(place)
    before = dismissed_places(project)
    new = [place for place in (places or known) if place not in before]
    with _dismissed_file(project).open("a", encoding="utf-8") as file:
        for place in new:
            said = {"place": place, "reason": reason, "dismissed_at": datetime.now(UTC).isoformat()}
            file.write(json.dumps(said) + "\n")
    return new


def dismissed_places(project: Project) -> dict[str, str]:
    """The reason for each dismissed place."""
    try:
        lines = _dismissed_file(project).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return {said["place"]: said["reason"] for said in map(json.loads, filter(None, lines))}


def _dismissed_file(project: Project) -> Path:
    return project.home / "dismissed-events.jsonl"


def find_failed(project: Project, place: str) -> dict[str, Any]:
    """One failed record with its bytes. `place`: topic/partition/offset. Raises BatonError without one."""
    columns, rows = ask_warehouse(
        project, f"select * from funnel.failed_events where {_PLACE} = {sql_literal(place)}"
    )
    if not rows:
        raise _no_such_record(place)
    return dict(zip(columns, rows[0], strict=True))


def _no_such_record(place: str) -> BatonError:
    return BatonError(
        "There is no such failed record",
        where=place,
        why="no failed record has this position",
        next_command="baton failed ls",
        exit_code=ExitCode.USAGE,
    )
