"""`baton alerts`: alerts raised by the playbook's rules, and what people do about them."""

from __future__ import annotations

import getpass
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from projections.changes.sentences import span
from projections.playbook import read_playbook
from schemas.errors import BatonError, ExitCode
from streams.cli.options import instant
from streams.cli.output import json_option, print_json, print_rows, say
from streams.project import Project
from streams.queries import alerts as queries
from streams.queries.alert_tests import try_on_history
from streams.report.recording import shown_when

SHOWN = ("opened_at", "rule", "severity", "subject", "state", "held_by", "owed_by", "alert_id")
UNDELIVERED = ("last_tried_at", "receiver", "step", "outcome", "tries", "why", "rule", "subject", "alert_id")
HISTORY = ("happened_at", "step", "by_whom", "until_at", "says", "note")
TRIAL = ("rule", "kind", "opened", "resolved", "retracted", "still open", "median early")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

_by_option = click.option("--by", help="Who; default: the user of this shell.")
_note_option = click.option("--note", help="Why, in a sentence.")


@click.group()
def alerts() -> None:
    """Alerts raised by the playbook's rules.

    \b
    Example:
      baton alerts ls --open
    """


@alerts.command("ls")
@click.option("--state", type=click.Choice(queries.STATES), help="Only alerts in this state.")
@click.option("--open", "is_open", is_flag=True, help="Only alerts that are neither resolved nor retracted.")
@click.option("--undelivered", "is_undelivered", is_flag=True, help="Notices that did not reach a receiver.")
@json_option
def list_alerts(state: str | None, is_open: bool, is_undelivered: bool, as_json: bool) -> None:
    """List alerts, newest first; or what did not reach a receiver.

    \b
    Example:
      baton alerts ls --open
    """
    names: tuple[str, ...] = SHOWN
    if is_undelivered:
        rows, names, none = queries.undelivered(Project.here()), UNDELIVERED, "Everything was delivered."
    else:
        rows = queries.list_alerts(Project.here(), state, is_open=is_open)
        none = "No alerts." if state is None else f"No alerts in state {state}."
    if as_json:
        print_json(rows)
        return
    print_rows(names, [queries.shown(row, names) for row in rows])
    if not rows:
        say(none)
    elif is_undelivered:
        say("next: baton alerts redrive   (once the receiver is back)")


@alerts.command()
@click.argument("alert_id", metavar="ALERT")
@json_option
def show(alert_id: str, as_json: bool) -> None:
    """Show one alert and its history. ALERT is its id, or the beginning of it.

    \b
    Example:
      baton alerts show 3f2a90c1
    """
    project = Project.here()
    alert = queries.find_alert(project, alert_id)
    steps = queries.history(project, alert["alert_id"])
    if as_json:
        print_json({**alert, "history": steps})
        return
    print_rows(("field", "value"), [(name, value) for name, value in alert.items() if value is not None])
    print()
    print_rows(HISTORY, [queries.shown(step, HISTORY) for step in steps])
    if alert["subject_kind"] == "handoff":
        say(f"next: baton explain {alert['subject']}   (the events behind it)")


@alerts.command()
@click.argument("alert_id", metavar="ALERT")
@_by_option
@_note_option
@json_option
def ack(alert_id: str, by: str | None, note: str | None, as_json: bool) -> None:
    """Acknowledge an alert.

    Somebody takes it on, and it does not escalate.

    \b
    Example:
      baton alerts ack 3f2a90c1 --by sdr-anna --note "calling now"
    """
    _acknowledge(alert_id, by, None, note, as_json)


@alerts.command()
@click.argument("alert_id", metavar="ALERT")
@click.option("--until", required=True, help="An instant, or how long from now: 30m, 4h, 2d.")
@_by_option
@click.option("--reason", required=True, help="Why, in a sentence.")
@json_option
def snooze(alert_id: str, until: str, by: str | None, reason: str, as_json: bool) -> None:
    """Keep an alert quiet for a while. After that it is open again, and may escalate.

    \b
    Example:
      baton alerts snooze 3f2a90c1 --until 4h --reason "the buyer is on a plane"
    """
    at = _until(until)
    if at <= datetime.now(UTC):
        raise BatonError(
            "A snooze ends in the future",
            where=f"--until {until}",
            why=f"{at.isoformat()} has passed",
            next_command=f"baton alerts snooze {alert_id} --until 4h --reason ...",
            exit_code=ExitCode.USAGE,
        )
    _acknowledge(alert_id, by, at, reason, as_json)


@alerts.command()
@click.argument("alert_id", metavar="ALERT", required=False)
@click.option("--receiver", help="Only what this receiver did not get.")
@json_option
def redrive(alert_id: str | None, receiver: str | None, as_json: bool) -> None:
    """Send what was given up again.

    Everything, or that of one ALERT, or of one receiver. What may have arrived is sent again too. A receiver
    that knows ids takes it for the same.

    \b
    Example:
      baton alerts redrive --receiver sdr-chat
    """
    project = Project.here()
    known = queries.find_alert(project, alert_id)["alert_id"] if alert_id else None
    rows = queries.redrive_notices(project, known, receiver)
    if as_json:
        print_json(rows)
    else:
        print_rows(UNDELIVERED, [queries.shown(row, UNDELIVERED) for row in rows])
        say(f"{len(rows):,} will be tried again; next: baton alerts ls --undelivered")


@alerts.command("test")
@click.option("--since", required=True, help="A day or an instant.")
@click.option("--rule", help="Only this rule.")
@click.option("--playbook", "file", type=click.Path(path_type=Path), help="A playbook that is not in force.")
@json_option
def try_rules(since: str, rule: str | None, file: Path | None, as_json: bool) -> None:
    """Try the rules on recorded history.

    How often each rule about one handoff would have fired, how many of these a late event would have taken
    back, and how early before the deadline. History is what was measured of obligations, in the order in
    which it became known.

    \b
    Example:
      baton alerts test --since 2026-03-01 --playbook proposed.toml
    """
    project = Project.here()
    playbook = read_playbook(file or project.playbook_file)
    trials, tried = try_on_history(project, playbook, instant(since, "--since"), rule)
    if as_json:
        print_json([_as_json(trial) for trial in trials])
        return
    print_rows(TRIAL, [_cells(trial) for trial in trials])
    say(f"{len(tried):,} alerts since {since}; deadlines are those measured: baton whatif tries another SLA")


def _acknowledge(
    alert_id: str, by: str | None, until: datetime | None, note: str | None, as_json: bool
) -> None:
    project = Project.here()
    alert = queries.find_alert(project, alert_id)
    event = queries.acknowledge(project, alert, by=by or getpass.getuser(), until=until, note=note)
    if as_json:
        print_json(event)
    else:
        print(alert["alert_id"])
        say(shown_when(project, "The page shows it once the worker has read it."))


def _until(text: str) -> datetime:
    length = re.fullmatch(r"([1-9]\d{0,4})([mhd])", text)
    if length is None:
        return instant(text, "--until")
    return datetime.now(UTC) + timedelta(**{_UNITS[length[2]]: int(length[1])})


def _cells(trial: Any) -> tuple[Any, ...]:
    early = trial.median_early
    return (
        trial.rule.id,
        trial.rule.kind,
        trial.opened,
        trial.resolved,
        trial.retracted,
        trial.open,
        span(timedelta(minutes=round(early / timedelta(minutes=1)))) if early else None,
    )


def _as_json(trial: Any) -> dict[str, Any]:
    return {
        "rule": trial.rule.id,
        "kind": trial.rule.kind,
        "opened": trial.opened,
        "resolved": trial.resolved,
        "retracted": trial.retracted,
        "open": trial.open,
        "median_early_minutes": trial.median_early / timedelta(minutes=1) if trial.median_early else None,
    }
