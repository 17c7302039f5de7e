"""Failed events: records that could not become facts, by their position in Kafka."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from projections.sql_literal import sql_literal
from schemas.errors import BatonError, ExitCode
from streams.project import Project
from streams.queries.warehouse_access import ask_warehouse, asking

_PLACE = "topic || '/' || kafka_partition || '/' || kafka_offset"
_COLUMNS = ("place", "stage", "event_type", "bytes", "reason")


@dataclass(frozen=True)
class FailedEvents:
    """The newest failed records that are not dismissed, of `count`; and how many are dismissed."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    count: int
    dismissed: int


@dataclass(frozen=True)
class Dismissal:
    """The failed records of a partition from one offset to another, and why they will never be read."""

    topic: str
    kafka_partition: int
    first_offset: int
    last_offset: int
    reason: str


def list_failed(project: Project, limit: int, *, only_dismissed: bool = False) -> FailedEvents:
    """The newest failed records up to `limit`, without those dismissed, or only those with their reasons."""
    failed = failed_with_dismissal(project)
    counting = (
        "select count(*) filter (dismissed_because is null), count(dismissed_because) from with_dismissal"
    )
    columns = [*_COLUMNS, "dismissed_because"] if only_dismissed else list(_COLUMNS)
    with asking(project) as ask:
        [(count, dismissed)] = ask(f"{failed} {counting}")[1]
        _, rows = ask(
            f"{failed} select {', '.join(columns)} from with_dismissal"
            f" where dismissed_because is {'not ' if only_dismissed else ''}null"
            f" order by kafka_at desc, place limit {limit}"
        )
    return FailedEvents(columns, rows, dismissed if only_dismissed else count, dismissed)


def failed_with_dismissal(project: Project, among: str = "true") -> str:
    """CTEs: `with_dismissal`, the failed events with their place and the reason for which they are dismissed.
    `among`: a condition on failed events. Ranges are named here, so that a million dismissed records are a
    short statement."""
    ranges = [
        f"({sql_literal(d.topic)}, {d.kafka_partition}, {d.first_offset}, {d.last_offset},"
        f" {sql_literal(d.reason)})"
        for d in dismissals(project)
    ]
    failed = f"(select {_PLACE} as place, * from funnel.failed_events where {among}) as failed"
    if not ranges:
        return f"with with_dismissal as (select *, null::varchar as dismissed_because from {failed})"
    return f"""
        with dismissal(of_topic, of_partition, first_offset, last_offset, given_reason) as (
            values {", ".join(ranges)}),
        with_dismissal as (
            select failed.*,
                case when kafka_offset <= last_offset then given_reason end as dismissed_because
            from {failed} asof left join dismissal  -- ranges do not overlap
            on topic = of_topic and kafka_partition = of_partition and kafka_offset >= first_offset)"""


def dismiss(project: Project, places: Sequence[str], reason: str) -> int:
    """Dismiss failed records, all of them without places: redriving leaves them alone from then on.

    Their bytes stay in the warehouse and in Kafka. Kept in a file of the project, so that a rebuild keeps it.
    Returns how many were not dismissed before. Raises BatonError for a place that has not failed.
    """
    failed = failed_with_dismissal(project)
    named = f"list_contains([{', '.join(map(sql_literal, places))}]::varchar[], place)"
    with asking(project) as ask:
        if places:
            known = {place for (place,) in ask(f"{failed} select place from with_dismissal where {named}")[1]}
            for place in places:
                if place not in known:
                    raise _no_such_record(place)
        # A range is failed records with none between them that is left out.
        _, ranges = ask(
            f"""{failed}, numbered as (
                select *, dismissed_because is null and ({named if places else "true"}) as is_new,
                    row_number() over (partition by topic, kafka_partition order by kafka_offset)
                    - row_number() over (partition by topic, kafka_partition, is_new order by kafka_offset)
                    as part
                from with_dismissal)
            select topic, kafka_partition, min(kafka_offset), max(kafka_offset), count(*) from numbered
            where is_new group by topic, kafka_partition, part order by all"""
        )
    with _dismissed_file(project).open("a", encoding="utf-8") as file:
        for topic, partition, first, last, _ in ranges:
            dismissal = asdict(Dismissal(topic, partition, first, last, reason))
            file.write(json.dumps({**dismissal, "dismissed_at": datetime.now(UTC).isoformat()}) + "\n")
    return sum(count for *_, count in ranges)


def dismissals(project: Project) -> list[Dismissal]:
    """What was dismissed, in order. Lines of earlier versions name one place each."""
    try:
        lines = _dismissed_file(project).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for said in map(json.loads, filter(None, lines)):
        del said["dismissed_at"]
        if "place" in said:
            topic, partition, offset = said.pop("place").rsplit("/", 2)
            said |= {"topic": topic, "kafka_partition": int(partition)}
            said |= {"first_offset": int(offset), "last_offset": int(offset)}
        found.append(Dismissal(**said))
    return found


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
