"""The worker as a background process of `baton up`: started, found again and stopped by its record."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import BatonError, ExitCode
from streams.process_record import (
    ProcessRecord,
    last_lines,
    log_size,
    only_one,
    read_json,
    start_in_background,
)
from streams.project import Project

READY_SECONDS = 90.0
# What a worker gets to end beyond the time it has to finish its work: for a busy machine.
MORE_STOP_SECONDS = 11.0


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
    """The project's worker, ready: the running one, else a new one. Idempotent.

    Raises BatonError when the worker ends before it is ready (with its last lines) or is not ready in
    time; it is left running then, as it may only have much to read.
    """
    project.make_folders()
    with only_one(project.lock_file, wait_seconds=ready_seconds + 30):
        worker = find_worker(project)
        if worker is None:
            worker = _launch(project, report)
        if not worker.is_ready:
            worker = _wait_until_ready(project, worker, ready_seconds)
        return worker


def stop_worker(project: Project) -> str:
    """Stop the worker in this project's record. Returns 'none', 'gone', 'stopped' or 'killed'."""
    if not project.worker_record_file.exists():
        return "none"
    with only_one(project.lock_file):
        record = ProcessRecord.read(project.worker_record_file)
        outcome = "none" if record is None else record.stop(project.stop_seconds + MORE_STOP_SECONDS)
        project.worker_record_file.unlink(missing_ok=True)
        project.worker_ready_file.unlink(missing_ok=True)
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


def worker_log(project: Project) -> Path:
    """Where the background worker's output goes."""
    return project.logs_dir / "worker.log"


def _launch(project: Project, report: Callable[[str], None]) -> Worker:
    report("Starting the worker ...")
    project.worker_ready_file.unlink(missing_ok=True)
    log_file = worker_log(project)
    log_begins = log_size(log_file)
    child = start_in_background(
        [sys.executable, "-m", "streams.cli.main", "worker"],
        log_file,
        # Settings are passed in the environment, not on the command line: a login must not show in `ps`.
        env={**os.environ, **project.environ(), "PYTHONUNBUFFERED": "1"},
        cwd=project.cwd,
    )
    ProcessRecord.of(child.pid, log_begins=log_begins).write(project.worker_record_file)
    return Worker(child.pid, log_file, is_ready=False, is_new=True)


def _wait_until_ready(project: Project, worker: Worker, seconds: float) -> Worker:
    record = ProcessRecord.read(project.worker_record_file)
    assert record is not None
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = find_worker(project)
        if found is None:
            project.worker_record_file.unlink(missing_ok=True)
            lines = last_lines(worker.log_file, after_byte=int(record.facts.get("log_begins", 0)))
            raise BatonError(
                "The worker ended before it was ready",
                where=f"log {worker.log_file}",
                why=f"its last lines:\n{lines}" if lines else "it printed nothing",
                next_command="baton worker   (runs it in this terminal)",
            )
        if found.is_ready:
            return Worker(found.pid, found.log_file, True, found.ready_at, worker.is_new)
        time.sleep(0.1)
    raise BatonError(
        f"The worker is not ready after {seconds:.0f} seconds",
        where=f"pid {worker.pid}, log {worker.log_file}",
        why="it is still running; its last lines:\n" + last_lines(worker.log_file, 6),
        next_command="baton status",
        exit_code=ExitCode.FAILED,
    )
