"""The worker as a background process of `baton up`, under its supervisor: started, found again and stopped by
their records."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import BatonError, ExitCode
from streams.local.supervisor import LastDeath
from streams.process_record import (
    ProcessRecord,
    last_lines,
    only_one,
    read_json,
    start_in_background,
)
from streams.project import Project
from warehouse.sql_endpoint import SqlEndpoint, ask

READY_SECONDS = 90.0
# What a worker gets to end beyond the time it has to finish its work: for a busy machine.
MORE_STOP_SECONDS = 11.0
SUPERVISOR_STOP_SECONDS = 5.0


@dataclass(frozen=True)
class Worker:
    """The project's running worker. is_ready: it reported so. is_new: this call started it."""

    pid: int
    log_file: Path
    is_ready: bool
    ready_at: str | None = None
    is_new: bool = False


def start_worker(
    project: Project,
    report: Callable[[str], None] = lambda text: None,
    ready_seconds: float = READY_SECONDS,
) -> Worker:
    """The project's worker, ready: the running one, else a new one, at once if the supervisor would start it
    later. Idempotent.

    Raises BatonError when the worker ends before it is ready (with its last lines) or is not ready in
    time; it is left running then, as it may only have much to read.
    """
    project.make_folders()
    with only_one(project.lock_file, wait_seconds=ready_seconds + 30):
        worker = find_worker(project)
        if worker is None:
            worker = _launch(project, report)
        elif problem := worker_problem(project):
            raise problem
        if not worker.is_ready:
            worker = _wait_until_ready(project, worker, ready_seconds)
        return worker


def stop_worker(project: Project) -> str:
    """Stop the worker in this project's record, and its supervisor. Returns 'none', 'gone', 'stopped' or
    'killed': what became of the worker."""
    if not project.worker_record_file.exists() and not project.supervisor_record_file.exists():
        return "none"
    with only_one(project.lock_file):
        _stop_supervisor(project)
        record = ProcessRecord.read(project.worker_record_file)
        outcome = "none" if record is None else record.stop(project.stop_seconds + MORE_STOP_SECONDS)
        project.worker_record_file.unlink(missing_ok=True)
        project.worker_ready_file.unlink(missing_ok=True)
        project.endpoint_file.unlink(missing_ok=True)
        return outcome


def find_worker(project: Project) -> Worker | None:
    """The project's worker if its process is alive."""
    record = ProcessRecord.read(project.worker_record_file)
    if record is None or not record.is_running():
        return None
    try:
        ready = read_json(project.worker_ready_file)
    except BatonError:  # not completely written yet
        ready = None
    # The file may be that of an earlier worker.
    is_ready = ready is not None and ready.get("pid") == record.pid
    ready_at = str(ready.get("ready_at")) if ready is not None and is_ready else None
    return Worker(record.pid, worker_log(project), is_ready, ready_at)


def _stop_supervisor(project: Project) -> None:
    """From then on nobody starts the worker again; a running one is left alone."""
    record = ProcessRecord.read(project.supervisor_record_file)
    if record is not None:
        record.stop(SUPERVISOR_STOP_SECONDS)
        project.supervisor_record_file.unlink(missing_ok=True)


def is_supervised(project: Project) -> bool:
    """Whether somebody starts the worker again when it dies."""
    record = ProcessRecord.read(project.supervisor_record_file)
    return record is not None and record.is_running()


def worker_problem(project: Project) -> BatonError | None:
    """What is wrong with the project's worker; None when it answers, is starting, or was stopped.

    A worker that was not started by `baton up` is known by its SQL endpoint.
    """
    record = ProcessRecord.read(project.worker_record_file)
    endpoint = SqlEndpoint.read(project.endpoint_file)
    worker = find_worker(project)
    if worker is not None and (endpoint is None or not worker.is_ready):
        return None
    if endpoint is not None:
        try:
            ask(endpoint, "select 1")
            return None
        except BatonError as error:
            if worker is not None or error.exit_code != ExitCode.UNREACHABLE:
                return _with_place(error, project, record)
    if record is None and endpoint is None:
        return None
    return _died(project, record)


def _died(project: Project, record: ProcessRecord | None) -> BatonError:
    death, begins = LastDeath.read(project), int(record.facts.get("log_begins", 0)) if record else 0
    if death and record and death.worker_pid != record.pid:
        death = None  # that of an earlier worker: the supervisor did not see this one die
    lines = last_lines(worker_log(project), 6, begins) if record is not None else ""
    why = f"{death.why}, at {death.died_at}" if death else "it was killed, or crashed"
    what, next_command = "The worker died", "baton up"
    if death and death.starts_at and is_supervised(project):
        what = f"The worker died and starts again at {death.starts_at}"
        next_command = "baton status   (or at once: baton up)"
    elif death and not death.starts_at:
        what = "The worker died and is not started again"
        next_command = "baton up   (once the cause is removed: its last lines name it)"
    return BatonError(
        what,
        where=f"pid {record.pid}, log {worker_log(project)}" if record is not None else str(project.home),
        why=f"{why}; its last lines:\n{lines}" if lines else why,
        next_command=next_command,
        exit_code=ExitCode.UNREACHABLE,
    )


def _with_place(error: BatonError, project: Project, record: ProcessRecord | None) -> BatonError:
    where = f"pid {record.pid}, log {worker_log(project)}" if record is not None else error.where
    return BatonError(
        error.what,
        where=where,
        why=error.why,
        next_command="baton down && baton up   (starts it again; nothing acknowledged is lost)",
        exit_code=ExitCode.UNREACHABLE,
    )


def worker_log(project: Project) -> Path:
    """Where the background worker's output goes."""
    return project.logs_dir / "worker.log"


def _launch(project: Project, report: Callable[[str], None]) -> Worker:
    """Start the supervisor, which starts the worker."""
    report("Starting the worker ...")
    _stop_supervisor(project)
    for file in (project.worker_ready_file, project.worker_record_file, project.endpoint_file):
        file.unlink(missing_ok=True)
    log_file = worker_log(project)
    child = start_in_background(
        [sys.executable, "-m", "streams.local.supervisor", str(log_file)],
        log_file,
        # Settings are passed in the environment, not on the command line: a login must not show in `ps`.
        env={**os.environ, **project.environ(), "PYTHONUNBUFFERED": "1"},
        cwd=project.cwd,
    )
    ProcessRecord.of(child.pid).write(project.supervisor_record_file)
    return Worker(child.pid, log_file, is_ready=False, is_new=True)


def _wait_until_ready(project: Project, worker: Worker, seconds: float) -> Worker:
    """The worker once it is ready. If it dies before, a supervisor that is new ends, too."""
    deaths, deadline = LastDeath.read(project), time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = find_worker(project)
        if found is None and (LastDeath.read(project) != deaths or not is_supervised(project)):
            record = ProcessRecord.read(project.worker_record_file)
            begins = int(record.facts.get("log_begins", 0)) if record else 0
            lines = last_lines(worker.log_file, after_byte=begins)
            if worker.is_new:
                _stop_supervisor(project)
                project.worker_record_file.unlink(missing_ok=True)
            raise BatonError(
                "The worker ended before it was ready",
                where=f"log {worker.log_file}",
                why=f"its last lines:\n{lines}" if lines else "it printed nothing",
                next_command="baton worker   (runs it in this terminal)",
            )
        if found is not None and found.is_ready:
            return Worker(found.pid, found.log_file, True, found.ready_at, worker.is_new)
        time.sleep(0.1)
    raise BatonError(
        f"The worker is not ready after {seconds:.0f} seconds",
        where=f"pid {worker.pid}, log {worker.log_file}",
        why="it is still running; its last lines:\n" + last_lines(worker.log_file, 6),
        next_command="baton status",
        exit_code=ExitCode.FAILED,
    )
