"""Processes that outlive the command that started them: recorded, found again, and stopped.

A process is identified by its pid and its start time, never by its name: a pid alone may have been
reused since.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import BatonError, ExitCode, quoted

# Python warns about a child that is dropped while it runs; these are meant to outlive this process.
_children: list[subprocess.Popen[bytes]] = []


def started_mark(pid: int) -> str | None:
    """When this process started, as the system reports it; None when there is no such live process.

    Linux counts clock ticks since boot, so the boot's id is part of the mark. A zombie is not alive.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None if Path("/proc/self/stat").exists() else started_mark_from_ps(pid)
    # proc(5): the name stands in brackets and may hold blanks; state is field 3, starttime field 22.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}:{fields[19]}"


def started_mark_from_ps(pid: int) -> str | None:
    """The same for systems without /proc, macOS among them (to the second)."""
    answer = subprocess.run(
        ["ps", "-p", str(pid), "-o", "state=", "-o", "lstart="],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
        check=False,
    )
    state, _, started = answer.stdout.strip().partition(" ")
    if answer.returncode != 0 or not started or state.startswith("Z"):
        return None
    return " ".join(started.split())


@dataclass(frozen=True)
class ProcessRecord:
    """A process we started. facts: what else its record holds (ports, addresses, its log)."""

    pid: int
    started: str
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, pid: int, **facts: Any) -> ProcessRecord:
        """The record of a process that has just been started (one that has ended gets an empty mark)."""
        return cls(pid, started_mark(pid) or "", facts)

    @classmethod
    def read(cls, path: Path) -> ProcessRecord | None:
        """The record in this file, None when there is none. Raises BatonError when it cannot be read."""
        document = read_json(path)
        if document is None:
            return None
        try:
            pid, started = int(document.pop("pid")), str(document.pop("started"))
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable(path, f"no usable pid and start time: {error!r}") from error
        return cls(pid, started, document)

    def write(self, path: Path) -> None:
        """Write the record to this file atomically."""
        write_json(path, {"pid": self.pid, "started": self.started, **self.facts})

    def is_running(self) -> bool:
        """Whether this process is alive, and not another one that got its pid."""
        return bool(self.started) and started_mark(self.pid) == self.started

    def stop(self, grace_seconds: float) -> str:
        """End it: SIGTERM, then SIGKILL after grace_seconds. Returns 'gone', 'stopped' or 'killed'."""
        for number, seconds, outcome in (
            (signal.SIGTERM, grace_seconds, "stopped"),
            (signal.SIGKILL, 10.0, "killed"),
        ):
            if not self.is_running():
                return "gone"
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
                os.kill(self.pid, signal.SIGCONT)  # one that is stopped (SIGSTOP) acts on no other signal
            if self._is_over_within(seconds):
                return outcome
        raise BatonError(
            f"Process {self.pid} does not end",
            why="it is still alive 10 seconds after SIGKILL (stuck in the kernel, often on a lost disk)",
            next_command=f"ps -o pid,stat,wchan,args -p {self.pid}",
        )

    def _is_over_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.is_running():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in this file, None when there is no file. Raises BatonError for anything else."""
    try:
        document = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from error
    if not isinstance(document, dict):
        raise _unreadable(path, "it does not hold a JSON object")
    return document


def _unreadable(path: Path, why: str) -> BatonError:
    return BatonError(
        "A state file cannot be read",
        where=str(path),
        why=why,
        next_command=f"rm {quoted(path)}   (then: baton doctor)",
        exit_code=ExitCode.CONFIGURATION,
    )


def write_json(path: Path, document: Mapping[str, Any], mode: int = 0o644) -> None:
    """Replace the file atomically; a reader sees the old or the new one."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(document, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def start_in_background(
    command: Sequence[str], log_file: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a process in its own session, so that Ctrl-C and a closed terminal do not reach it.

    Its output is appended to log_file; a log over 5 MB is rotated first (one old log is kept).
    """
    if log_file.exists() and log_file.stat().st_size > 5_000_000:
        os.replace(log_file, log_file.with_name(log_file.name + ".1"))
    with log_file.open("ab") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
    _children.append(child)
    return child


def log_size(log_file: Path) -> int:
    """Bytes in the log now: where the next process's lines begin."""
    return log_file.stat().st_size if log_file.exists() else 0


def last_lines(log_file: Path, count: int = 12, after_byte: int = 0) -> str:
    """The end of a log, indented for an error message."""
    try:
        with log_file.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(after_byte if after_byte <= size else 0, size - 64_000))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError as error:
        return f"(the log cannot be read: {error})"
    return "\n".join("    " + line[:300] for line in lines[-count:] if line.strip())


@contextmanager
def only_one(lock_file: Path, wait_seconds: float = 90.0) -> Iterator[None]:
    """Hold the project's lock while starting or stopping things; a second command waits for the first.

    The system releases the lock with its holder, so a killed command never leaves it behind. The file
    holds the pid of the last holder, for `baton doctor` and the message.
    """
    handle = os.open(lock_file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + wait_seconds
        while not _is_locked(handle):
            if time.monotonic() > deadline:
                holder = os.pread(handle, 20, 0).decode(errors="replace").strip()
                raise BatonError(
                    "Another baton command is starting or stopping this project",
                    where=str(lock_file),
                    why=f"process {holder or 'unknown'} has held the lock for over {wait_seconds:.0f} s",
                    next_command=f"ps -p {holder or '<pid>'}   (then run this again)",
                )
            time.sleep(0.1)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


@contextmanager
def sole(lock_file: Path, refuse: Callable[[Path, str], Exception]) -> Iterator[None]:
    """Hold a lock without waiting for it; raises what `refuse` makes of the file and its holder's pid."""
    handle = os.open(lock_file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _is_locked(handle):
            raise refuse(lock_file, os.pread(handle, 20, 0).decode(errors="replace").strip())
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _is_locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
