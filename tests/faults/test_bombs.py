"""Queries that would take the machine with them: each is ended, or the worker of numbers is replaced in
seconds; the worker of reactions never notices.

BATON_BOMBS=all runs every bomb; each build runs one of a kind.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from schemas.errors import BatonError
from streams.local.worker_process import find_worker, start_workers, stop_workers
from streams.project import Project
from streams.worker_files import WorkerFiles
from tests.faults.running import make_load, produce
from warehouse.memory import PROCESS_BYTES, limit_bytes, resident_bytes
from warehouse.sql_endpoint import SqlEndpoint, answer
from warehouse.statement_server import ask_server

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(900)]

SECONDS = 2.0
MEMORY = "1GB"
# A worker that was ended: 10 s until it gives a statement up, a pause of 1 s, and its start.
LONGEST_GAP_SECONDS = 45.0
ONE_OF_A_KIND = (
    "select count(*) from range(1000000) a, range(1000000) b, range(99) c where a.range * b.range = c.range",
    "with recursive r as (select 1 as n union all select n + 1 from r) select max(n) from r",
    "with recursive r as (select 1 as n, 'x' as t union all select n + 1, t || t from r) select n, t from r",
    "select repeat('x', 2000000000)",
    "select list(repeat('x', 100000)) from range(100000)",
    "select array_agg({'a': repeat('x', 1000), 'b': range}) from range(10000000)",
    "select range(0, 2000000000)",
    "select levenshtein(repeat('ab', 100000), repeat('ba', 100000))",
    "select * from range(100000000) a order by hash(a.range)",
    "select a.* from facts.event a, facts.event b, facts.event c",
)
OTHERS = (
    "with recursive r as (select 1 as n union all select r.n + 1 from r, range(10)) select count(*) from r",
    "select length(repeat(repeat('x', 1000000), 1000))",
    "select string_agg(repeat('x', 1000000), '') from range(10000)",
    "select array_agg(e) from facts.event e, range(1000)",
    "select list(range) from range(1000000000)",
    "select unnest(range(0, 1000000000)) as n order by n desc",
    "select regexp_matches(repeat('a', 1000000), '(a+)+$') from range(1000)",
    "select regexp_replace(repeat('ab', 5000000), '(a|b)*c', 'x', 'g') from range(100)",
    "select regexp_extract_all(repeat('ab', 10000000), '.')",
    "select string_split(repeat('a,', 50000000), ',')",
    "select damerau_levenshtein(repeat('ab', 30000), repeat('ba', 30000))",
    "select count(distinct a.range * 1000003 + b.range) from range(100000) a, range(100000) b",
    "select a.range, b.range, count(*) from range(30000) a, range(30000) b group by all order by all",
    "select *, row_number() over (order by hash(range)) from range(100000000)",
    "select median(range) over (rows between 100000 preceding and 100000 following) from range(10000000)",
    "select quantile_cont(range, [0.1, 0.5, 0.9]) from range(500000000)",
    "select histogram(range) from range(100000000)",
    "select map_from_entries(list((range, repeat('x', 100)))) from range(10000000)",
    "select mode(repeat(range::varchar, 100)) from range(30000000)",
    "select to_json(list(range)) from range(100000000)",
    "select json_group_array(repeat('x', 1000)) from range(10000000)",
    "select printf('%1000000000d', 1)",
    "select lpad('x', 2000000000, 'y')",
    "select bit_count(repeat('1', 1000000000)::bit)",
    "select list_sort(range(0, 300000000))",
    "select list_transform(range(0, 100000000), lambda x: repeat(x::varchar, 10))",
    "select list_reduce(range(0, 100000000), lambda a, b: a + b)",
    "select array_to_string(range(0, 300000000), ',')",
    "select sum(a.range) from range(100000000000) a",
    "select 2::hugeint ** (range % 100) from range(1000000000)",
    "select list(a) from (select list(range) as a from range(10000000) group by range % 10), range(1000)",
)
BOMBS = (*ONE_OF_A_KIND, *OTHERS) if os.environ.get("BATON_BOMBS") == "all" else ONE_OF_A_KIND


class Canary:
    """Asks a small question each second, and keeps how long each answer took, dead workers included."""

    def __init__(self, files: WorkerFiles) -> None:
        self.files = files
        self.seconds: list[float] = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._ask, daemon=True)
        self.thread.start()

    def _ask(self) -> None:
        while not self.is_over.wait(1.0):
            asked = time.monotonic()
            while not self.is_over.is_set() and not answers(self.files):
                time.sleep(0.1)
            self.seconds.append(time.monotonic() - asked)

    def stop(self) -> float:
        """The longest that it waited for an answer."""
        self.is_over.set()
        self.thread.join()
        return max(self.seconds)


def answers(files: WorkerFiles) -> bool:
    endpoint = SqlEndpoint.read(files.endpoint)
    with suppress(BatonError):
        if endpoint is not None:
            with answer(endpoint, "select count(*) from funnel.handoff") as rows:
                return bool(rows.fetchall())
    return False


def explode(files: WorkerFiles, bomb: str) -> None:
    """Send it as any client may, and read what comes."""
    while not answers(files) or (endpoint := SqlEndpoint.read(files.endpoint)) is None:
        time.sleep(0.1)
    with suppress(BatonError), closing(ask_server(endpoint.port, endpoint.token, bomb, None)) as stream:
        while stream.read(1 << 20):
            pass


def test_no_query_takes_the_machine_or_the_alerts_with_it(tmp_path: Path, clean_kafka: str) -> None:
    project = Project(
        home=tmp_path / ".baton",
        cwd=tmp_path,
        kafka=clean_kafka,
        memory_limit=MEMORY,
        sql_seconds=SECONDS,
    )
    produce(clean_kafka, make_load(5, 300, tmp_path / "story").records)
    peak, is_over = [0], threading.Event()

    def watch() -> None:
        while not is_over.wait(0.05):
            worker = find_worker(project.numbers)
            peak[0] = max(peak[0], resident_bytes(worker.pid) if worker else 0)

    workers = start_workers(project)
    watching = threading.Thread(target=watch)
    try:
        watching.start()
        canary, alerting = Canary(project.numbers), Canary(project.reactions)
        for bomb in BOMBS:
            explode(project.numbers, bomb)
        while not answers(project.numbers):
            time.sleep(0.1)
        longest, longest_of_reactions = canary.stop(), alerting.stop()
        reactions = find_worker(project.reactions)
    finally:
        is_over.set()
        watching.join()
        stop_workers(project)

    print(f"{len(BOMBS)} bombs: longest gap {longest:.1f} s, of reactions {longest_of_reactions:.1f} s,")
    print(f"peak {peak[0]:,} bytes of numbers")
    assert reactions is not None and reactions.pid == workers["reactions"].pid, "it was not touched"
    assert longest < LONGEST_GAP_SECONDS
    # The supervisor looks five times a second: what is built in between comes on top.
    assert peak[0] < limit_bytes(MEMORY) + 2 * PROCESS_BYTES
