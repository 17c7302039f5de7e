"""Alerts as the command line asks for them: which there are, one of them, and what people say about one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from projections.sql_literal import sql_literal
from schemas.errors import BatonError, ExitCode
from streams.kafka.publisher import Publisher
from streams.project import Project
from streams.queries.warehouse_access import ask_warehouse

SOURCE = "baton"
STATES = ("opened", "acknowledged", "snoozed", "resolved", "retracted")

Row = dict[str, Any]


def list_alerts(project: Project, state: str | None, *, is_open: bool = False) -> list[Row]:
    """Alerts, newest first: those in a state, or those that are open."""
    where = f"where state = {sql_literal(state)}" if state else "where is_open" if is_open else ""
    return _rows(project, f"select * from funnel.alert {where} order by opened_at desc, alert_id")


def undelivered(project: Project) -> list[Row]:
    """Notices that are not known to be delivered, the oldest first."""
    return _rows(
        project,
        "select notice.*, rule, severity, subject from funnel.alert_notice as notice"
        " left join funnel.alert using (alert_id) where is_undelivered"
        " order by first_tried_at, alert_id, receiver",
    )


def find_alert(project: Project, said: str) -> Row:
    """The alert of this id, or of which it is the beginning. Raises BatonError when there is none, or
    more."""
    begins_so = f"starts_with(alert_id, {sql_literal(said)})"
    found = _rows(project, f"select * from funnel.alert where {begins_so} order by alert_id limit 2")
    if len(found) != 1:
        raise BatonError(
            "There is no such alert" if not found else "Several alerts begin so",
            where=said,
            why="no alert that the worker has read has an id that begins so"
            if not found
            else f"{found[0]['alert_id']} and {found[1]['alert_id']} do",
            next_command="baton alerts ls",
            exit_code=ExitCode.USAGE,
        )
    return found[0]


def history(project: Project, alert_id: str) -> list[Row]:
    """Each step of an alert, the earliest first."""
    where = f"where alert_id = {sql_literal(alert_id)}"
    return _rows(
        project,
        f"select * from funnel.alert_history {where} order by known_at, happened_at, event_type, event_id",
    )


def acknowledge(
    project: Project, alert: Row, *, by: str, until: datetime | None = None, note: str | None = None
) -> Row:
    """Publish that somebody takes an alert on, or with `until` that it stays quiet. Raises BatonError when it
    is over, or Kafka does not take the event."""
    if not alert["is_open"]:
        raise BatonError(
            "The alert is over",
            where=alert["alert_id"],
            why=f"it is {alert['state']}",
            next_command="baton alerts ls",
            exit_code=ExitCode.USAGE,
        )
    event = {
        **_event("AlertAcknowledged"),
        "alert_id": alert["alert_id"],
        "acknowledged_by": by,
        "snoozed_until": until and until.isoformat(),
        "note": note,
    }
    _publish(project, [event])
    return event


def redrive_notices(project: Project, alert_id: str | None = None, receiver: str | None = None) -> list[Row]:
    """Ask for undelivered notices to be sent again: those of an alert, of a receiver, or all; which they are.
    Those that are still tried are left to that."""
    found = [
        row
        for row in undelivered(project)
        if row["outcome"] in ("given_up", "uncertain")
        and alert_id in (None, row["alert_id"])
        and receiver in (None, row["receiver"])
    ]
    events = [
        {
            **_event("AlertNotified"),
            "alert_id": row["alert_id"],
            "receiver": row["receiver"],
            "step": row["step"],
            "outcome": "redriven",
            "tries": 0,
        }
        for row in found
    ]
    _publish(project, events)
    return found


def _event(type_: str) -> Row:
    now = datetime.now(UTC).isoformat()
    return {"type": type_, "event_id": f"{type_}-{uuid4().hex}", "occurred_at": now, "source": SOURCE}


def _publish(project: Project, events: list[Row]) -> None:
    with Publisher(project) as publisher:
        for event in events:
            publisher.publish(event)
        publisher.flush()


def _rows(project: Project, statement: str) -> list[Row]:
    columns, rows = ask_warehouse(project, statement)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def shown(row: Mapping[str, Any], names: tuple[str, ...]) -> list[Any]:
    """The columns of a row, in order."""
    return [row[name] for name in names]
