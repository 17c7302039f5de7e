"""Access to the warehouse: through the file when no worker answers, and a plain error when there is none."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from projections.playbook import DEFAULT_PLAYBOOK
from schemas.errors import BatonError, ExitCode
from streams.local.broker import free_ports
from streams.local.worker_process import stop_workers
from streams.process_record import ProcessRecord, write_json
from streams.project import Project
from streams.queries.warehouse_access import (
    ask_warehouse,
    asking,
    open_existing_warehouse,
    open_warehouse,
    recorded,
)
from tests.given import as_bytes, given
from warehouse import statement_server
from warehouse.sql_endpoint import SqlEndpoint, serve_sql
from warehouse.sql_endpoint import ask as endpoint_answer

ROOT = Path(__file__).resolve().parents[3]
LEAD = {
    "type": "LeadCaptured",
    "source": "crm",
    "occurred_at": "2026-03-02T09:00:00Z",
    "recorded_at": "2026-03-02T09:00:01Z",
    "lead_id": "lead-1",
    "channel": "web",
}

STATEMENT = "select count(*) as n from funnel.handoff_pair"


def ask_live(project: Project) -> object:
    with asking(project) as ask:
        return ask(STATEMENT)


def ask_the_past(project: Project) -> object:
    with asking(project, datetime(2026, 3, 1, tzinfo=UTC)) as ask:
        return ask(STATEMENT)


def count_records(project: Project) -> object:
    with recorded(project) as records:
        return records.count()


def open_the_file(project: Project) -> object:
    with open_existing_warehouse(project) as warehouse:
        return warehouse.ask(STATEMENT)


WAYS: dict[str, tuple[Callable[[Project], object], object]] = {
    "one statement": (lambda project: ask_warehouse(project, STATEMENT), (["n"], [(0,)])),
    "one statement after another": (ask_live, (["n"], [(0,)])),
    "as known at an instant": (ask_the_past, (["n"], [(0,)])),
    "all recorded events": (count_records, 0),
    "the file itself": (open_the_file, (["n"], [(0,)])),
}


@pytest.fixture
def empty(tmp_path: Path) -> Project:
    """A project in which no worker has run."""
    project = Project(home=tmp_path / ".baton", cwd=tmp_path)
    project.make_folders()
    return project


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose worker was killed: its file is free, and the address of its endpoint is still there."""
    folder = tmp_path_factory.mktemp("left_behind")
    project = Project(home=folder / ".baton", cwd=folder)
    project.make_folders()
    open_warehouse(project).close()
    SqlEndpoint(f"quack:127.0.0.1:{free_ports()[0]}", "token").save(project.numbers.endpoint)
    return project


@pytest.mark.parametrize("way", WAYS)
def test_without_a_warehouse_the_next_command_makes_one(way: str, empty: Project) -> None:
    with pytest.raises(BatonError) as caught:
        WAYS[way][0](empty)
    assert caught.value.what == "There is no warehouse yet"
    assert (caught.value.next_command, caught.value.exit_code) == ("baton up", ExitCode.CONFIGURATION)
    assert not empty.numbers.warehouse.exists(), "asking creates nothing"


@pytest.mark.parametrize("way", WAYS)
def test_the_address_of_a_dead_worker_does_not_keep_the_file_from_being_read(
    way: str, left_behind: Project
) -> None:
    ask, answer = WAYS[way]
    assert ask(left_behind) == answer


# --- readers beside each other, and a worker that says nothing --------------------------------------


@pytest.fixture
def recorded_once(tmp_path: Path) -> Project:
    """A project whose worker was stopped before its read models had what it had stored."""
    project = Project(home=tmp_path / ".baton", cwd=tmp_path)
    project.make_folders()
    with open_warehouse(project) as warehouse:
        given(warehouse, as_bytes([LEAD]))
    return project


def sql(project: Project, query: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams.cli.main", "sql", "--csv", query],
        cwd=project.cwd,
        env={k: v for k, v in os.environ.items() if not k.startswith("BATON_")} | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_readers_of_a_file_do_not_lock_each_other_out(recorded_once: Project) -> None:
    with asking(recorded_once) as ask:
        first = ask("select count(*) from funnel.lead")
        second = sql(recorded_once, "select count(*) as n from funnel.lead")
        assert (first[1], second.stdout) == ([(1,)], "n\n1\n"), second.stderr
        again = ask("select count(*) from funnel.lead")
    assert again == first


def test_an_answer_from_the_file_says_as_of_when_it_is(recorded_once: Project) -> None:
    run = sql(recorded_once, "select as_of from warehouse.read_model")
    assert len(run.stderr.splitlines()) == 1
    stands_at = run.stdout.splitlines()[1][:19]
    assert run.stderr == f"as of {stands_at}Z; last event 2026-03-02 09:00:01Z; no worker runs\n"
    SqlEndpoint(f"quack:127.0.0.1:{free_ports()[0]}", "token").save(recorded_once.numbers.endpoint)
    killed = sql(recorded_once, "select as_of from warehouse.read_model")
    assert killed.stderr.endswith("; the worker died\n") and len(killed.stderr) <= 81
    assert sql(recorded_once, "select nope").stderr.startswith("baton: The query failed")


def test_what_a_worker_left_undone_is_done_before_it_is_read(recorded_once: Project) -> None:
    before = recorded_once.numbers.warehouse.read_bytes()
    assert sql(recorded_once, "select count(*) as n from funnel.lead").stdout == "n\n1\n"
    after = recorded_once.numbers.warehouse.read_bytes()
    assert before != after, "the read models were brought up once"
    assert sql(recorded_once, "select count(*) as n from funnel.lead").stdout == "n\n1\n"
    assert recorded_once.numbers.warehouse.read_bytes() == after, "a second reader writes nothing"


def test_a_file_that_a_writer_holds_is_waited_for_and_then_named(recorded_once: Project) -> None:
    with open_warehouse(recorded_once):
        run = sql(recorded_once, "select 1")
    assert run.returncode == 1
    assert "in use by another process" in run.stderr and f"ps -fp {os.getpid()}" in run.stderr


@pytest.mark.parametrize("way", [way for way in WAYS if way != "the file itself"])
def test_a_worker_that_starts_is_named_as_such(way: str, recorded_once: Project) -> None:
    holding = SERVING.replace("serve_sql(warehouse.connection).save(project.numbers.endpoint)", "")
    worker = subprocess.Popen(
        [sys.executable, "-c", holding, recorded_once.cwd], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert worker.stdout is not None and worker.stdout.readline() == "serving\n"
        ProcessRecord.of(worker.pid).write(recorded_once.numbers.record)
        with pytest.raises(BatonError, match="The worker of numbers is starting") as raised:
            WAYS[way][0](recorded_once)
    finally:
        worker.kill()
        worker.wait()
    assert "baton status" in raised.value.next_command


SERVING = """
import sys, time
from pathlib import Path
from streams.project import Project
from streams.queries.warehouse_access import open_warehouse
from warehouse.sql_endpoint import serve_sql
project = Project.here({}, Path(sys.argv[1]))
with open_warehouse(project) as warehouse:
    serve_sql(warehouse.connection).save(project.numbers.endpoint)
    print("serving", flush=True)
    time.sleep(300)
"""
# Long enough for two waits for the worker beside each other on two cores; a minute was the fault.
MOST_SECONDS = 40
COMMANDS = (
    "sql 'select 1'",
    "sql --as-known 2026-03-03 'select 1'",
    "failed ls",
    "failed redrive",
    "explain lead lead-1",
    "export -",
    "alerts ls",
    "verify",
    "playbook log",
    "whatif --playbook playbook.toml",
    "status",
    "doctor",
    "up",
)


@pytest.fixture
def frozen(recorded_once: Project) -> Iterator[Project]:
    """A project whose worker serves SQL, and was then stopped by SIGSTOP."""
    serving = subprocess.Popen(
        [sys.executable, "-c", SERVING, str(recorded_once.cwd)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    try:
        assert serving.stdout is not None and serving.stdout.readline() == b"serving\n"
        ProcessRecord.of(serving.pid).write(recorded_once.numbers.record)
        write_json(recorded_once.numbers.ready, {"pid": serving.pid, "ready_at": "2026-03-02T09:00:00Z"})
        assert ask_warehouse(recorded_once, "select 1")[1] == [(1,)]
        serving.send_signal(signal.SIGSTOP)
        yield recorded_once
    finally:
        serving.kill()
        serving.wait()


def test_no_command_hangs_for_a_worker_that_says_nothing(frozen: Project, clean_kafka: str) -> None:
    shutil.copyfile(DEFAULT_PLAYBOOK, frozen.cwd / "playbook.toml")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BATON_")}

    def run(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "streams.cli.main", *shlex.split(command)],
            cwd=frozen.cwd,
            env=kept | {"PYTHONPATH": str(ROOT), "BATON_KAFKA": clean_kafka},
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
        )

    with ThreadPoolExecutor(4) as shells:  # each waits rather than computes
        for command, ended in zip(COMMANDS, shells.map(run, COMMANDS), strict=True):
            said = f"{command}: {ended.stdout}{ended.stderr}"
            assert ended.returncode not in (0, 2), said
            assert "The worker does not respond" in said and "baton down && baton up" in said, said
    assert stop_workers(frozen)["numbers"] == "stopped", "one that is frozen can be stopped, too"


def test_a_statement_that_takes_long_is_no_silence(
    recorded_once: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statement_server, "SILENT_SECONDS", 1.5)
    heavy = "select count(*) from range(3000000000) as a(x), range(100) as b(y) where (x * y) % 7 = 3"
    with open_warehouse(recorded_once) as warehouse:
        endpoint = serve_sql(warehouse.connection, seconds=4)
        with pytest.raises(BatonError, match="took too long"):
            endpoint_answer(endpoint, heavy)
