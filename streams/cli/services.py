"""`baton up`, `baton down` and `baton status`: the broker and the workers of this project."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import click

from projections.playbook import DEFAULT_PLAYBOOK, read_playbook
from schemas.errors import ExitCode
from streams.cli.output import json_option, print_json, print_labelled, print_rows, say
from streams.kafka.admin import admin
from streams.kafka.open_transactions import OpenTransaction
from streams.kafka.topics import (
    PARTITIONS,
    REPAIR_COMMAND,
    TopicReport,
    ensure_topics,
    repair_topics,
)
from streams.local.broker import start_broker, stop_broker
from streams.local.worker_process import page_of, start_workers, stop_workers
from streams.project import Project
from streams.queries.status import Problems, read_status


@click.command()
@click.option("--no-worker", is_flag=True, help="Only start Kafka and create the topics.")
@click.option(
    "--repair-topics",
    is_flag=True,
    help="Set required partitions and unlimited retention on existing topics.",
)
@click.option(
    "--adopt-settings",
    is_flag=True,
    help="Use the playbook, keys and registry of this folder and shell from now on; restarts the workers.",
)
@json_option
def up(no_worker: bool, repair_topics: bool, adopt_settings: bool, as_json: bool) -> None:
    """Start Kafka and the workers, and create the topics. Safe to run again.

    A worker that dies is started again until `baton down`, unless its error needs a person: baton status.

    Without BATON_KAFKA, starts a local Kafka, which needs Java 17 or later.

    \b
    Example:
      baton up
    """
    project = Project.here()
    if adopt_settings:
        read_playbook(project.seen_playbook or DEFAULT_PLAYBOOK)
        stop_workers(project)
        project.recorded_file.unlink(missing_ok=True)
    read_playbook(project.playbook_file)  # an error in it is reported here, not in the worker's log
    project.make_folders()
    state: dict[str, Any] = {"project": str(project.home)}
    state["broker"] = _broker_up(project)
    state["topics"] = _topics_up(project, repair_topics)
    state["workers"] = {} if no_worker else _workers_up(project)
    running = {"broker": state["broker"], **state["workers"]}
    started = [name for name, process in running.items() if process["is_new"]]
    started += ["topics"] if state["topics"]["created"] else []
    state["started"] = started
    state["page"] = page_of(project.numbers) if state["workers"] else None
    state["next"] = _next_commands(project, state)
    if as_json:
        print_json(state)
        return
    if not started:
        say("Everything was already running.")
    _print_addresses(project, state)
    say("next:  " + "\n       ".join(state["next"]))


def _broker_up(project: Project) -> dict[str, Any]:
    if project.kafka:
        with admin(project) as client:
            cluster = client.describe_cluster()
        say(f"Kafka at {project.kafka} answers (from BATON_KAFKA; Baton neither starts nor stops it).")
        return {
            "bootstrap": project.kafka,
            "is_local": False,
            "is_new": False,
            "pid": None,
            "cluster_id": cluster["cluster_id"],
            "notes": [],
        }
    broker = start_broker(project, say)
    for note in broker.notes:
        say(f"note: {note}")
    return {
        "bootstrap": broker.bootstrap,
        "is_local": True,
        "is_new": broker.is_new,
        "pid": broker.pid,
        "cluster_id": broker.cluster_id,
        "notes": list(broker.notes),
    }


def _topics_up(project: Project, repair: bool) -> dict[str, Any]:
    report: TopicReport = ensure_topics(project)
    repaired = [fault for fault in report.faults if fault.repair == REPAIR_COMMAND] if repair else []
    if repaired:
        repair_topics(project, repaired)
        report = ensure_topics(project)
    for fault in repaired:
        say(f"repaired {fault.topic}: {fault.setting} is now {fault.needed} (was {fault.found})")
    for fault in report.faults:
        say(f"warning: {fault}\n         repair: {fault.repair}")
    return {
        "created": list(report.created),
        "existing": list(report.existing),
        "repaired": [str(fault) for fault in repaired],
        "faults": [str(fault) for fault in report.faults],
    }


def _workers_up(project: Project) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "pid": worker.pid,
            "is_new": worker.is_new,
            "ready_at": worker.ready_at,
            "log": str(worker.log_file),
        }
        for name, worker in start_workers(project, say).items()
    }


def _next_commands(project: Project, state: dict[str, Any]) -> list[str]:
    if not state["workers"]:
        return ["baton up        start the workers too", "baton down      stop Kafka"]
    return [
        "baton publish FILE  events as lines of JSON",
        "baton status        events, lag, sizes",
        "baton down          stop" + ("" if project.kafka else "; the data stays"),
    ]


def _print_addresses(project: Project, state: dict[str, Any]) -> None:
    broker = state["broker"]
    kafka_is = "BATON_KAFKA" if not broker["is_local"] else f"pid {broker['pid']}"
    rows = [
        ("Kafka", f"{broker['bootstrap']}  ({kafka_is})"),
        ("topics", f"{len(PARTITIONS)} ({len(state['topics']['created'])} created now)"),
        *(
            (name, f"pid {worker['pid']}, ready since {_moment(worker['ready_at'])}")
            for name, worker in state["workers"].items()
        ),
        *([("page", state["page"])] if state["page"] else []),
        ("playbook", project.playbook_file),
        ("warehouse", project.numbers.warehouse),
        ("logs", project.logs_dir),
    ]
    for name, value in rows:
        print_labelled(name, str(value))


@click.command()
@json_option
def down(as_json: bool) -> None:
    """Stop the workers and the broker of this project. The data stays.

    \b
    Example:
      baton down
    """
    project = Project.here()
    outcomes = {
        **stop_workers(project),
        "broker": stop_broker(project),
    }
    if as_json:
        print_json({"project": str(project.home), **outcomes})
        return
    messages = {
        "none": "was not running",
        "gone": "had already ended",
        "stopped": "stopped",
        "killed": "did not stop in time and was killed (nothing acknowledged is lost)",
    }
    for name, outcome in outcomes.items():
        click.echo(f"{name:<10} {messages[outcome]}")
    if project.kafka:
        say(f"Kafka at {project.kafka} keeps running (BATON_KAFKA).")


@click.command()
@json_option
def status(as_json: bool) -> None:
    """Show processes, events and lag by topic, and file sizes. Read-only.

    Exit code 4 when the broker or a worker does not answer, or a worker died.

    \b
    Example:
      baton status
    """
    project = Project.here()
    state, problems = read_status(project)
    state["page"] = page_of(project.numbers)
    if as_json:
        print_json(state)
    else:
        _print_status(state, problems)
    if problems.all():
        sys.exit(int(ExitCode.UNREACHABLE))


def _print_status(state: dict[str, Any], problems: Problems) -> None:
    broker, workers = state["broker"], state["workers"]
    if broker["bootstrap"] is None:
        print_labelled("Kafka", "not running")
    else:
        kind = f"pid {broker['pid']}" if broker["is_local"] else "BATON_KAFKA"
        answers = "answers" if broker["is_reachable"] else "DOES NOT ANSWER"
        print_labelled("Kafka", f"{broker['bootstrap']} ({kind}), {answers}")
    for name, worker in workers.items():
        print_labelled(name, _worker_says(worker))
    if state["page"]:
        print_labelled("page", state["page"])
    sizes = ", ".join(f"{name} {_human(size)}" for name, size in state["bytes"].items())
    print_labelled("files", f"{sizes}  in {state['project']}\n")
    for waiting in state["open_transactions"]:
        print_labelled("waiting", str(OpenTransaction(**waiting)))
    for loss in state["log_losses"]:
        found = f"Kafka lost events, found {_moment(loss['accepted_at'])}; kept: {loss['kept']}"
        print_labelled("lost", "\n".join([found, *loss["partitions"]]))
    if state["undelivered_notices"]:
        count = f"{state['undelivered_notices']:,} of alerts are not delivered"
        print_labelled("notices", f"{count}; next: baton alerts ls --undelivered")
    for problem in problems.all():
        say(str(problem))
    if problems.kafka is not None:
        return
    rows = [(topic["topic"], topic["partitions"], topic["events"], topic["lag"]) for topic in state["topics"]]
    print_rows(("topic", "partitions", "events", "lag"), rows)
    missing = [topic["topic"] for topic in state["topics"] if not topic["partitions"]]
    if missing:
        say(f"warning: {', '.join(missing)} do not exist; next: baton up")
    elif not all(worker["is_running"] for worker in workers.values()) and not problems.all():
        say("next:  baton up   (starts the workers)")


def _worker_says(worker: dict[str, Any]) -> str:
    if not worker["is_running"]:
        return "not running" + (": IT DIED" if worker["problem"] else "")
    if worker["problem"]:
        return f"pid {worker['pid']}, DOES NOT RESPOND"
    readiness = f"ready since {_moment(worker['ready_at'])}" if worker["is_ready"] else "not ready yet"
    death = worker["last_death"]
    restarts = f"; restarts: {death['deaths']}, the last after {death['why']}" if death else ""
    behind = [
        f"{count:,} {what}"
        for count, what in (
            (worker["lag"], "offsets behind"),
            (worker["not_in_tables"], "records to be evaluated"),
        )
        if count
    ]
    return ", ".join([f"pid {worker['pid']}, {readiness}", *behind]) + restarts


def _moment(instant: str) -> str:
    """An instant in this machine's time zone, to the second."""
    return datetime.fromisoformat(instant).astimezone().isoformat(sep=" ", timespec="seconds")


def _human(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
