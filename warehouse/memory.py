"""Bounds on the memory of a process that answers statements. DuckDB keeps its tables and caches within its
own limit, but not all that a statement builds: without a bound one query could take the machine with it.

    DuckDB's limit  <  its statements are ended  <  the supervisor ends the process

A limit of the system (RLIMIT_DATA) counts what allocators keep reserved, too: it failed statements that were
small, and threads that could not start.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

# Beyond DuckDB's own limit: batches on their way, results, and what DuckDB does not count.
STATEMENTS_BYTES = 750_000_000
PROCESS_BYTES = 1_500_000_000
_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}


def limit_bytes(limit: str) -> int:
    """A limit as DuckDB reads it: GB are powers of 1,000, GiB of 1,024."""
    found = re.fullmatch(r"([\d.]+) ?([KMGT])(i?)B", limit)
    assert found, f"settings refuse {limit!r}"
    return int(float(found[1]) * (1024 if found[3] else 1000) ** _POWERS[found[2]])


def resident_bytes(pid: int | str = "self") -> int:
    """Memory that a process holds; 0 when it has ended, and where the system does not say (not Linux)."""
    with suppress(OSError):
        found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        return int(found[1]) * 1024 if found else 0  # a zombie has none
    return 0
