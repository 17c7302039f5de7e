"""The supervisor that `baton up` leaves behind for each worker: it runs it, and starts it again when it dies.

It also ends a worker that holds too much memory, so that one query never takes the machine with it. It waits
longer before each start, and gives up when the worker's exit code says that another start cures
nothing, or after MOST_FAILURES in a row. While Kafka does not answer it goes on for as long as that takes.
Its record says why the worker died last and what happens next, for `baton status`. A worker that ends with
success was asked to, and the supervisor ends, too.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from types import FrameType

from schemas.errors import ExitCode
from streams.process_record import ProcessRecord, log_size
from streams.project import Project
from streams.worker_files import WorkerFiles
from streams.worker_log import report, set_up_log
from warehouse.memory import PROCESS_BYTES, limit_bytes, resident_bytes

WORKER = (sys.executable, "-m", "streams.cli.main", "worker")
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
MOST_FAILURES = 10
# A worker that has run for so long has overcome what ended those before it.
LASTING_SECONDS = 600.0
LOOK_SECONDS = 0.2
# Stands for the exit code of a worker that was ended because of its memory; no process has it.
TOO_LARGE = 256
# A query has ended the worker: others wait for the next one, and may end it as often as they like.
BY_A_QUERY = (TOO_LARGE, -signal.SIGXCPU)
# Settings, an invalid playbook, a damaged file, a log that lost records: a person must change something.
INCURABLE = (ExitCode.USAGE, ExitCode.CONFIGURATION, ExitCode.DATA_PROBLEMS)


@dataclass(frozen=True)
class LastDeath:
    """How the worker died last. deaths: since `baton up`. starts_at: None when it is not started again.
    worker_pid: the one after that may have died unseen, with the supervisor."""

    deaths: int
    why: str
    died_at: str
    starts_at: str | None
    worker_pid: int = 0

    @classmethod
    def read(cls, files: WorkerFiles) -> LastDeath | None:
        """None when it has not died under the supervisor whose record is there."""
        record = ProcessRecord.read(files.supervisor)
        if record is None or not record.facts.get("deaths"):
            return None
        return cls(**record.facts)


class Supervisor:
    """Runs the worker until it ends with success, is given up, or SIGTERM comes. That leaves the worker
    running: `baton down` stops it itself."""

    def __init__(self, files: WorkerFiles, memory_limit: str) -> None:
        """`files.log`: where this process's output goes, and so the worker's. `memory_limit`: DuckDB's."""
        self.files = files
        self.most_bytes = limit_bytes(memory_limit) + PROCESS_BYTES
        self.record = ProcessRecord.of(os.getpid())
        self.is_asked = False
        self.deaths = self.in_a_row = self.failures = 0
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.is_asked = True

    def run(self) -> None:
        """Return once there is nothing left to supervise."""
        while not self.is_asked:
            started = time.monotonic()
            pid, code = self._run_worker()
            if code is None:
                return
            if code == ExitCode.OK:
                for file in (self.files.record, self.files.supervisor):
                    file.unlink(missing_ok=True)
                return
            pause = self._after_death(pid, code, time.monotonic() - started)
            if pause is None:
                return
            starts = time.monotonic() + pause
            while time.monotonic() < starts and not self.is_asked:
                time.sleep(LOOK_SECONDS)

    def _run_worker(self) -> tuple[int, int | None]:
        """The pid and the exit code of one worker; None when it is left running."""
        self.files.forget()
        log_begins = log_size(self.files.log)
        worker = subprocess.Popen((*WORKER, self.files.name))
        ProcessRecord.of(worker.pid, log_begins=log_begins).write(self.files.record)
        while worker.poll() is None:
            if self.is_asked:
                return worker.pid, None
            if resident_bytes(worker.pid) > self.most_bytes:
                worker.kill()
                worker.wait()
                return worker.pid, TOO_LARGE
            time.sleep(LOOK_SECONDS)
        return worker.pid, worker.returncode

    def _after_death(self, pid: int, code: int, lasted_seconds: float) -> float | None:
        """Record it. Seconds until the next start, None when there is none."""
        if lasted_seconds >= LASTING_SECONDS:
            self.in_a_row = self.failures = 0
        self.deaths, self.in_a_row = self.deaths + 1, self.in_a_row + 1
        self.failures += code != ExitCode.UNREACHABLE and code not in BY_A_QUERY
        growth = 2 ** min(self.in_a_row - 1, 9)
        pause: float | None = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * growth)
        why = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        if code in BY_A_QUERY:
            pause = FIRST_PAUSE_SECONDS
            held = f"it held more than {self.most_bytes:,} bytes of memory"
            why = held if code == TOO_LARGE else "a statement did not end"
        if self.failures >= MOST_FAILURES:
            why += f", {self.failures} times in a row"
        if code in INCURABLE or self.failures >= MOST_FAILURES:
            pause = None
        now = datetime.now(UTC).replace(microsecond=0)
        starts_at = None if pause is None else (now + timedelta(seconds=pause)).isoformat()
        death = LastDeath(self.deaths, why, now.isoformat(), starts_at, pid)
        replace(self.record, facts=asdict(death)).write(self.files.supervisor)
        next_start = "it is not started again" if pause is None else f"it starts again in {pause:g} s"
        died = f"baton: the worker of {self.files.name} died ({why})"
        report(f"{died}; {next_start}", logging.WARNING)
        return pause


if __name__ == "__main__":
    set_up_log()
    here = Project.here()
    Supervisor(here.worker(sys.argv[1]), here.memory_limit).run()
