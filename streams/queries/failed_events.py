"""Failed events: records that could not become facts, by the place where they lie in Kafka."""

from __future__ import annotations

from typing import Any

from projections.sql_literal import sql_literal
from schemas.errors import BatonError, ExitCode
from streams.project import Project
from streams.queries.warehouse_access import ask_warehouse

_PLACE = "topic || '/' || kafka_partition || '/' || kafka_offset"


def list_failed(project: Project, limit: int) -> tuple[list[str], list[tuple[Any, ...]], int]:
    """(columns, the newest rows up to `limit`, how many there are in all)."""
    columns, rows = ask_warehouse(
        project,
        f"select {_PLACE} as place, stage, event_type, bytes, reason from funnel.failed_events"
        f" order by kafka_at desc, place limit {limit}",
    )
    _, counted = ask_warehouse(project, "select count(*) from funnel.failed_events")
    return columns, rows, int(counted[0][0])


def find_failed(project: Project, place: str) -> dict[str, Any]:
    """One failed record with its bytes. `place`: topic/partition/offset. Raises BatonError without one."""
    columns, rows = ask_warehouse(
        project, f"select * from funnel.failed_events where {_PLACE} = {sql_literal(place)}"
    )
    if not rows:
        raise BatonError(
            "There is no such failed record",
            where=place,
            why="no failed record lies there",
            next_command="baton failed ls",
            exit_code=ExitCode.USAGE,
        )
    return dict(zip(columns, rows[0], strict=True))
