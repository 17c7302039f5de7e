"""`baton worker`: follow the log until told to stop."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import click

from schemas.errors import ExitCode
from streams.ending import Ending, as_baton_error
from streams.opening import authority_of, open_warehouse
from streams.project import Project
from streams.topics import ensure_topics
from streams.worker_log import log_warnings
from warehouse.sql_endpoint import serve_sql
from warehouse.warehouse import Warehouse

# After a signal: what has not come to its end by then is cut off. Nothing is lost by that, see Ending.
STOP_SECONDS = 9.0
# A commit is many short statements, and after each its thread must get hold of the interpreter again. With
# Python's own 5 ms, a busy event loop makes every one of them wait that long.
SWITCH_SECONDS = 0.0005


@click.command()
@click.option(
    "--only",
    type=click.Choice(["data", "reaction"]),
    help="Run one plane alone: the one that owns the warehouse, or the agents, which touch Kafka only.",
)
def worker(only: str | None) -> None:
    """Follow the log in the foreground until SIGTERM or Ctrl-C.

    Ends with exit code 0 within 10 seconds of a signal. Any error ends it too, with a message and another
    exit code; starting it again is the way to go on, and loses and repeats nothing.
    """
    log_warnings()
    sys.setswitchinterval(SWITCH_SECONDS)
    for number in (signal.SIGTERM, signal.SIGINT):  # until the planes run there is nothing to bring to an end
        signal.signal(number, lambda *_: _end_with(int(ExitCode.OK)))
    project = Project.here()
    project.make_folders()
    for fault in ensure_topics(project).faults:
        logging.getLogger("baton.worker").warning("%s", fault)
    if only == "reaction":
        _end_with(_run(project, None, project.run_dir / "reaction-ready.json", is_reacting=True))
    # A thread more for one statement costs the sink more than it gives: decoding needs a core as well.
    threads = max(1, (os.cpu_count() or 2) - 1)
    with open_warehouse(project, threads=threads, wait_seconds=10) as warehouse:
        serve_sql(warehouse.connection).save(project.door_file)
        code = _run(project, warehouse, project.worker_ready_file, is_reacting=only is None)
        project.door_file.unlink(missing_ok=True)
    _end_with(code)


def _run(project: Project, warehouse: Warehouse | None, ready_file: Path, *, is_reacting: bool) -> int:
    """Run the planes; the exit code. An error ends the process at once, its message the last words."""
    from streams.planes import run_planes  # Faust takes a second to import

    def tell_ready() -> None:
        ready = {"pid": os.getpid(), "ready_at": datetime.now(UTC).isoformat()}
        ready_file.write_text(json.dumps(ready))

    async def follow() -> None:
        ending = Ending()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _stop_soon, ending)
        # An error in one of Faust's threads would be printed and forgotten.
        threading.excepthook = lambda died: loop.call_soon_threadsafe(
            ending.fail, died.exc_value or died.exc_type()
        )
        # Alert rules are those in force at the start. Without the warehouse only the file is at hand.
        playbook = warehouse.playbook_in_force() if warehouse else authority_of(project).base
        try:
            await run_planes(project, playbook, warehouse, ending, tell_ready, is_reacting=is_reacting)
        except Exception as error:
            baton_error = as_baton_error(error)
            for file in (ready_file, *([project.door_file] if warehouse else [])):
                file.unlink(missing_ok=True)
            click.echo(f"baton: {baton_error}", err=True)
            _end_with(int(baton_error.exit_code))

    try:
        asyncio.run(follow())
    finally:
        ready_file.unlink(missing_ok=True)
    return int(ExitCode.OK)


def _stop_soon(ending: Ending) -> None:
    ending.ask()
    threading.excepthook = lambda died: None  # Faust's threads stumble over their own end
    cut_off = threading.Timer(STOP_SECONDS, _end_with, [int(ExitCode.OK)])
    cut_off.daemon = True
    cut_off.start()


def _end_with(code: int) -> None:
    """End now: threads of Faust would keep the interpreter alive, and its services talk after the end."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
