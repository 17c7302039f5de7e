"""Workers as background processes of `baton up`, each under its supervisor: started, found again and stopped
by their records."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
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
from streams.worker_files import WorkerFiles
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


def start_workers(
    project: Project,
    report: Callable[[str], None] = lambda text: None,
    ready_seconds: float = READY_SECONDS,
) -> dict[str, Worker]:
    """The project's workers by name, ready: the running ones, else new ones, at once if the supervisor would
    start one later. Idempotent.

    Raises BatonError when a worker ends before it is ready (with its last lines) or is not ready in
    time; it is left running then, as it may only have much to read.
    """
    project.make_folders()
    with only_one(project.lock_file, wait_seconds=ready_seconds + 30):
        _stop_former(project)
        workers = {}
        for files in project.workers:
            worker = find_worker(files)
            if worker is None:
                worker = _launch(project, files, report)
            elif problem := worker_problem(files):
                raise problem
            workers[files.name] = worker
        for files in project.workers:
            if not workers[files.name].is_ready:
                try:
                    workers[files.name] = _wait_until_ready(files, workers[files.name], ready_seconds)
                except BatonError:
                    if find_worker(files) is None:
                        _stop_new(project, workers)
                    raise
        return workers


def _stop_new(project: Project, workers: Mapping[str, Worker]) -> None:
    """Stop those that this call has started: one of them has ended."""
    for files in project.workers:
        if workers[files.name].is_new:
            _stop(files, project.stop_seconds + MORE_STOP_SECONDS)


def stop_workers(project: Project) -> dict[str, str]:
    """Stop the workers in this project's records, and their supervisors. What became of each, by name:
    'none', 'gone', 'stopped' or 'killed'."""
    outcomes = {files.name: "none" for files in project.workers}
    _stop_former(project)
    recorded = [files for files in project.workers if files.record.exists() or files.supervisor.exists()]
    if recorded:
        with only_one(project.lock_file), ThreadPoolExecutor(len(recorded)) as pool:
            seconds = project.stop_seconds + MORE_STOP_SECONDS
            stopped = pool.map(lambda files: _stop(files, seconds), recorded)
            outcomes |= {files.name: outcome for files, outcome in zip(recorded, stopped, strict=True)}
    return outcomes


def _stop_former(project: Project) -> None:
    """Stop the worker that a Baton with one worker has left running."""
    for name in ("supervisor.json", "worker.json"):
        record = ProcessRecord.read(project.run_dir / name)
        if record is not None:
            record.stop(project.stop_seconds + MORE_STOP_SECONDS)
    for name in ("supervisor.json", "worker.json", "worker-ready.json", "sql-endpoint.json"):
        (project.run_dir / name).unlink(missing_ok=True)


def _stop(files: WorkerFiles, seconds: float) -> str:
    _stop_supervisor(files)
    record = ProcessRecord.read(files.record)
    outcome = "none" if record is None else record.stop(seconds)
    files.record.unlink(missing_ok=True)
    files.forget()
    return outcome


def find_worker(files: WorkerFiles) -> Worker | None:
    """This worker if its process is alive."""
    record = ProcessRecord.read(files.record)
    if record is None or not record.is_running():
        return None
    try:
        ready = read_json(files.ready)
    except BatonError:  # not completely written yet
        ready = None
    # The file may be that of an earlier worker.
    is_ready = ready is not None and ready.get("pid") == record.pid
    ready_at = str(ready.get("ready_at")) if ready is not None and is_ready else None
    return Worker(record.pid, files.log, is_ready, ready_at)


def _stop_supervisor(files: WorkerFiles) -> None:
    """From then on nobody starts the worker again; a running one is left alone."""
    record = ProcessRecord.read(files.supervisor)
    if record is not None:
        record.stop(SUPERVISOR_STOP_SECONDS)
        files.supervisor.unlink(missing_ok=True)


def is_supervised(files: WorkerFiles) -> bool:
    """Whether somebody starts the worker again when it dies."""
    record = ProcessRecord.read(files.supervisor)
    return record is not None and record.is_running()


def page_of(files: WorkerFiles) -> str | None:
    """Where this worker serves the page; None when it does not run, or serves none."""
    document = read_json(files.page)
    return str(document.get("url")) if document is not None and find_worker(files) else None


def worker_problem(files: WorkerFiles) -> BatonError | None:
    """What is wrong with this worker; None when it answers, is starting, or was stopped.

    A worker that was not started by `baton up` is known by its SQL endpoint.
    """
    record = ProcessRecord.read(files.record)
    endpoint = SqlEndpoint.read(files.endpoint)
    worker = find_worker(files)
    if worker is not None and (endpoint is None or not worker.is_ready):
        return None
    if endpoint is not None:
        try:
            ask(endpoint, "select 1")
            return None
        except BatonError as error:
            if worker is not None or error.exit_code != ExitCode.UNREACHABLE:
                return _with_place(error, files, record)
    if record is None and endpoint is None:
        return None
    return _died(files, record)


def _died(files: WorkerFiles, record: ProcessRecord | None) -> BatonError:
    death, begins = LastDeath.read(files), int(record.facts.get("log_begins", 0)) if record else 0
    if death and record and death.worker_pid != record.pid:
        death = None  # that of an earlier worker: the supervisor did not see this one die
    lines = last_lines(files.log, 6, begins) if record is not None else ""
    why = f"{death.why}, at {death.died_at}" if death else "it was killed, or crashed"
    what, next_command = f"The worker of {files.name} died", "baton up"
    if death and death.starts_at and is_supervised(files):
        what = f"The worker of {files.name} died and starts again at {death.starts_at}"
        next_command = "baton status   (or at once: baton up)"
    elif death and not death.starts_at:
        what = f"The worker of {files.name} died and is not started again"
        next_command = _advice(lines) or "baton up   (once the cause is removed: its last lines name it)"
    return BatonError(
        what,
        where=f"pid {record.pid}, log {files.log}" if record is not None else str(files.home),
        why=f"{why}; its last lines:\n{lines}" if lines else why,
        next_command=next_command,
        exit_code=ExitCode.UNREACHABLE,
    )


def _advice(lines: str) -> str:
    """What the worker's own error says to do next, the last one in its log; else nothing."""
    found = re.findall(r"^\s*next:\s+(\S.*)$", lines, re.MULTILINE)
    return str(found[-1]) if found else ""


def _with_place(error: BatonError, files: WorkerFiles, record: ProcessRecord | None) -> BatonError:
    where = f"pid {record.pid}, log {files.log}" if record is not None else error.where
    return BatonError(
        error.what,
        where=where,
        why=error.why,
        next_command="baton down && baton up   (starts it again; nothing acknowledged is lost)",
        exit_code=ExitCode.UNREACHABLE,
    )


def _launch(project: Project, files: WorkerFiles, report: Callable[[str], None]) -> Worker:
    """Start the supervisor, which starts the worker."""
    report(f"Starting the worker of {files.name} ...")
    _stop_supervisor(files)
    files.record.unlink(missing_ok=True)
    files.forget()
    child = start_in_background(
        [sys.executable, "-m", "streams.local.supervisor", files.name],
        files.log,
        # Settings are passed in the environment, not on the command line: a login must not show in `ps`.
        env={**os.environ, **project.environ(), "PYTHONUNBUFFERED": "1"},
        cwd=project.cwd,
    )
    ProcessRecord.of(child.pid).write(files.supervisor)
    return Worker(child.pid, files.log, is_ready=False, is_new=True)


def _wait_until_ready(files: WorkerFiles, worker: Worker, seconds: float) -> Worker:
    """The worker once it is ready."""
    deaths, deadline = LastDeath.read(files), time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = find_worker(files)
        if found is None and (LastDeath.read(files) != deaths or not is_supervised(files)):
            record = ProcessRecord.read(files.record)
            begins = int(record.facts.get("log_begins", 0)) if record else 0
            lines = last_lines(worker.log_file, after_byte=begins)
            raise BatonError(
                f"The worker of {files.name} ended before it was ready",
                where=f"log {worker.log_file}",
                why=f"its last lines:\n{lines}" if lines else "it printed nothing",
                next_command=_advice(lines) or f"baton worker {files.name}   (runs it in this terminal)",
            )
        if found is not None and found.is_ready:
            return Worker(found.pid, found.log_file, True, found.ready_at, worker.is_new)
        time.sleep(0.1)
    raise BatonError(
        f"The worker of {files.name} is not ready after {seconds:.0f} seconds",
        where=f"pid {worker.pid}, log {worker.log_file}",
        why="it is still running; its last lines:\n" + last_lines(worker.log_file, 6),
        next_command="baton status",
        exit_code=ExitCode.FAILED,
    )
