"""Runs a measurement in a process of its own: what one leaves in memory does not weigh on the next.

`python -m benchmarks.own_process module:function '{"argument": ...}'` calls the function and prints what
it returns, with the peak memory of the process, as the last line of stdout.
"""

from __future__ import annotations

import importlib
import json
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schemas.errors import BatonError

MOST_SECONDS = 1800

Measured = dict[str, Any]


def in_own_process(function: Callable[..., Measured], **arguments: Any) -> Measured:
    """Call a function of a module in a new process; what it returned. Arguments go as JSON.

    Adds peak_rss_bytes of that process. Raises BatonError with its last lines when it fails.
    """
    task = f"{function.__module__}:{function.__name__}"
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.own_process", task, json.dumps(arguments)],
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
        check=False,
    )
    if run.returncode != 0:
        raise BatonError(
            "A measurement failed",
            where=task,
            why="its last lines:\n" + "\n".join(run.stderr.splitlines()[-12:]),
            next_command="make bench QUICK=1",
        )
    found: Measured = json.loads(run.stdout.splitlines()[-1])
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


def main() -> None:
    """The new process."""
    task, arguments = sys.argv[1:]
    module, _, function = task.partition(":")
    found = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    print(json.dumps({**found, "peak_rss_bytes": peak_rss_bytes()}))


if __name__ == "__main__":
    main()
