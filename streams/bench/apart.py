"""Measuring in a process of its own: what one case leaves in memory does not weigh on the next.

`python -m streams.bench.apart module:function '{"argument": ...}'` calls the function and prints what
it returns, with the peak memory of the process, as the last line of stdout.
"""

from __future__ import annotations

import importlib
import json
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from schemas.errors import BatonError, ExitCode

MOST_SECONDS = 1800


def measure_apart(task: str, **arguments: Any) -> dict[str, Any]:
    """Call 'module:function' of streams.bench in a new process; what it returned.

    Adds peak_rss_bytes of that process. Raises BatonError with its last lines when it fails.
    """
    run = subprocess.run(
        [sys.executable, "-m", "streams.bench.apart", task, json.dumps(arguments)],
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
        check=False,
    )
    if run.returncode != 0:
        raise BatonError(
            "A measurement failed",
            where=f"streams.bench.{task}",
            why="its last lines:\n" + "\n".join(run.stderr.splitlines()[-12:]),
            next_command="baton bench --quick --only " + task.partition(":")[0],
            exit_code=ExitCode.FAILED,
        )
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def peak_rss_bytes() -> int:
    """The most memory this process ever held.

    Linux keeps it by address space in /proc; its getrusage also counts the process that forked us.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def cpu_seconds() -> float:
    """Processor time of this process so far, its own and the system's for it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """The child's side."""
    task, arguments = sys.argv[1:]
    module, _, function = task.partition(":")
    measure = getattr(importlib.import_module(f"streams.bench.{module}"), function)
    found = measure(**json.loads(arguments))
    print(json.dumps({**found, "peak_rss_bytes": peak_rss_bytes()}))


if __name__ == "__main__":
    main()
