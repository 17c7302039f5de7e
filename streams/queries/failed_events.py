"""Failed events: records that could not become facts, by their position in Kafka."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from projections.sql_literal import sql_literal
from schemas.errors import BatonError, ExitCode
from streams.project import Project
from streams.queries.warehouse_access import Ask, ask_warehouse, asking

_PLACE = "topic || '/' || kafka_partition || '/' || kafka_offset"
PLACES_AT_A_TIME = 5_000  # of up to a hundred bytes each: half of what a statement may have
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
    `among`: a condition on failed events. Ranges are named here, all of one reason in one text, so that a
    million records dismissed at once, or many thousands one by one, are a short statement."""
    spans: dict[tuple[str, int, str], list[str]] = {}
    for d in dismissals(project):
        spans.setdefault((d.topic, d.kafka_partition, d.reason), []).append(
            f"{d.first_offset}-{d.last_offset}" if d.first_offset < d.last_offset else f"{d.first_offset}"
        )
    said = [
        f"({sql_literal(topic)}, {partition}, {sql_literal(' '.join(offsets))}, {sql_literal(reason)})"
        for (topic, partition, reason), offsets in spans.items()
    ]
    failed = f"(select {_PLACE} as place, * from funnel.failed_events where {among}) as failed"
    if not said:
        return f"with with_dismissal as (select *, null::varchar as dismissed_because from {failed})"
    return f"""
        with said(of_topic, of_partition, spans, given_reason) as (values {", ".join(said)}),
        dismissal as (
            select * exclude (spans, span), split_part(span, '-', 1)::bigint as first_offset,
                split_part(span, '-', -1)::bigint as last_offset
            from (select *, unnest(string_split(spans, ' ')) as span from said)),
        with_dismissal as (
            select failed.*,
                case when kafka_offset <= last_offset then given_reason end as dismissed_because
            from {failed} asof left join dismissal  -- ranges do not overlap
            on topic = of_topic and kafka_partition = of_partition and kafka_offset >= first_offset)"""


def without_dismissed(project: Project, statement: str) -> str:
    """The SELECT with only those rows of funnel.failed_events that are not dismissed."""
    if "funnel.failed_events" not in statement or not _dismissed_file(project).exists():
        return statement
    left = "select * exclude (place, dismissed_because) from with_dismissal where dismissed_because is null"
    return statement.replace("funnel.failed_events", f"({failed_with_dismissal(project)} {left})")


def dismissed_at(project: Project) -> int:
    """When something was last dismissed, in nanoseconds; 0 for never."""
    file = _dismissed_file(project)
    return file.stat().st_mtime_ns if file.exists() else 0


def dismiss(project: Project, places: Sequence[str], reason: str) -> int:
    """Dismiss failed records, all of them without places: redriving leaves them alone from then on.

    Their bytes stay in the warehouse and in Kafka. Kept in a file of the project, so that a rebuild keeps it.
    Returns how many were not dismissed before. Raises BatonError for a place that has not failed.
    """
    failed = failed_with_dismissal(project)
    ranges = []
    with asking(project) as ask:
        for part in _in_parts(places):
            named = f"place in (select unnest(string_split({sql_literal(' '.join(part))}, ' ')))"
            rows = ask(f"{failed} select place from with_dismissal where {named}")[1]
            if missing := set(part) - {place for (place,) in rows}:
                raise _no_such_record(min(missing))
            ranges += _new_ranges(ask, failed, named)
        if not places:
            ranges = _new_ranges(ask, failed, "true")
    with _dismissed_file(project).open("a", encoding="utf-8") as file:
        for topic, partition, first, last, _ in ranges:
            dismissal = asdict(Dismissal(topic, partition, first, last, reason))
            file.write(json.dumps({**dismissal, "dismissed_at": datetime.now(UTC).isoformat()}) + "\n")
    return sum(count for *_, count in ranges)


def _in_parts(places: Sequence[str]) -> Iterator[Sequence[str]]:
    """The places in order, as many at a time as one statement may hold."""
    ordered = sorted(set(places), key=_by_offset)
    for start in range(0, len(ordered), PLACES_AT_A_TIME):
        yield ordered[start : start + PLACES_AT_A_TIME]


def _by_offset(place: str) -> tuple[str, int, str]:
    topic, _, offset = place.rpartition("/")
    return topic, int(offset) if offset.isdecimal() else 0, offset


def _new_ranges(ask: Ask, failed: str, named: str) -> list[tuple[Any, ...]]:
    """(topic, partition, first offset, last offset, records) of what is named and not dismissed yet. A range
    is failed records with none between them that is left out, so two of them never overlap."""
    return ask(
        f"""{failed}, chosen as (
            select *, dismissed_because is null and {named} as is_new from with_dismissal),
        numbered as (
            select *, row_number() over (partition by topic, kafka_partition order by kafka_offset)
                - row_number() over (partition by topic, kafka_partition, is_new order by kafka_offset)
                as part
            from chosen)
        select topic, kafka_partition, min(kafka_offset), max(kafka_offset), count(*) from numbered
        where is_new group by topic, kafka_partition, part order by all"""
    )[1]


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
