"""The supervisor that `baton up` leaves behind: what it starts again, when it gives up, and what it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ExitCode
from streams.kafka.admin import admin
from streams.kafka.topics import ensure_topics
from streams.local import supervisor
from streams.local.supervisor import LastDeath, Supervisor
from streams.local.worker_process import find_worker, worker_problem
from streams.process_record import ProcessRecord
from streams.project import Project

ROOT = Path(__file__).resolve().parents[3]
# Ends with the next exit code of a list. A real worker cannot be made to end with each of them.
ENDING = """
import os, pathlib, signal
codes = pathlib.Path("codes")
code, _, rest = codes.read_text().partition(" ")
codes.write_text(rest)
os.kill(os.getpid(), signal.SIGKILL) if code == "killed" else os._exit(int(code))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project whose worker ends as a list says, and whose supervisor waits for less than a second."""
    found = Project.here({}, tmp_path)
    found.make_folders()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(supervisor, "WORKER", (sys.executable, "-c", ENDING))
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(supervisor, "LOOK_SECONDS", 0.01)
    before = signal.getsignal(signal.SIGTERM)
    yield found
    signal.signal(signal.SIGTERM, before)


def supervised(project: Project, *codes: str) -> LastDeath | None:
    """Run it to its end with workers that end so; the last death. It must have started no more than these."""
    (project.cwd / "codes").write_text(" ".join(codes))
    Supervisor(project.numbers, project.memory_limit).run()
    assert (project.cwd / "codes").read_text() == "", "every worker was started"
    return LastDeath.read(project.numbers)


@pytest.mark.parametrize("code", [ExitCode.USAGE, ExitCode.CONFIGURATION, ExitCode.DATA_PROBLEMS])
def test_an_error_that_another_start_does_not_cure_is_left_to_a_person(
    project: Project, code: ExitCode
) -> None:
    death = supervised(project, "killed", str(int(code)))
    assert death is not None and death.starts_at is None
    assert (death.deaths, death.why) == (2, f"exit code {int(code)}")


def test_it_gives_up_after_many_failures_in_a_row(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    death = supervised(project, *["1", "killed"] * 5)
    assert death is not None and death.starts_at is None
    assert (death.deaths, death.why) == (10, "killed by SIGKILL, 10 times in a row")
    said = caplog.messages
    pauses = [line.rpartition(" in ")[2] for line in said[:4]]
    assert pauses == ["0.01 s", "0.02 s", "0.04 s", "0.05 s"], "each is longer, up to a limit"
    assert said[-1].endswith("it is not started again")


def test_while_kafka_does_not_answer_it_goes_on(project: Project) -> None:
    assert supervised(project, *["4"] * 15, "0") is None
    assert not project.numbers.supervisor.exists() and not project.numbers.record.exists()


def test_a_worker_that_lasted_begins_the_count_anew(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LASTING_SECONDS", 0.0)
    assert supervised(project, *["1"] * 15, "0") is None


def test_the_death_of_an_earlier_worker_is_not_told_of_the_last(project: Project) -> None:
    """The supervisor was killed too, so nobody saw how the last one died."""
    death = supervised(project, "5")
    assert death and "exit code 5" in str(worker_problem(project.numbers)), "what it saw it tells"
    record = ProcessRecord.read(project.numbers.record)
    assert record is not None
    replace(record, pid=record.pid + 1).write(project.numbers.record)

    problem = worker_problem(project.numbers)

    assert problem is not None and problem.what == "The worker of numbers died"
    assert "it was killed, or crashed" in problem.why and "exit code" not in problem.why


# --- as a user sees it ------------------------------------------------------------------------------


class Shell:
    """`baton` in a folder, on a real Kafka."""

    def __init__(self, folder: Path, kafka: str) -> None:
        self.folder, self.project = folder, Project(home=folder / ".baton", cwd=folder, kafka=kafka)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
        self.env = {**kept, "PYTHONPATH": str(ROOT), "BATON_KAFKA": kafka}

    def baton(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "streams.cli.main", *arguments],
            cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    def json(self, *arguments: str) -> Any:
        return json.loads(self.baton(*arguments, "--json").stdout)


@pytest.fixture
def shell(tmp_path: Path, clean_kafka: str) -> Iterator[Shell]:
    found = Shell(tmp_path, clean_kafka)
    yield found
    found.baton("down")


def until(is_so: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_ready(project: Project, before: int) -> bool:
    worker = find_worker(project.numbers)
    return worker is not None and worker.is_ready and worker.pid != before


@pytest.mark.kafka
def test_a_worker_that_is_killed_is_started_again_and_down_ends_both(shell: Shell) -> None:
    pid = shell.json("up")["workers"]["numbers"]["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: find_worker(shell.project.numbers) is None)
    said = shell.baton("status")
    assert said.returncode == ExitCode.UNREACHABLE or "restarts: 1" in said.stdout, said
    until(lambda: is_ready(shell.project, pid))

    said = shell.baton("status")
    assert said.returncode == 0, said
    assert "restarts: 1, the last after killed by SIGKILL" in said.stdout
    assert "The worker of numbers died 1 time, and was started again" in shell.baton("doctor").stdout

    records = shell.project.numbers.supervisor, shell.project.numbers.record
    running = [ProcessRecord.read(record) for record in records]
    assert all(record is not None and record.is_running() for record in running)
    assert shell.json("down")["numbers"] == "stopped"
    assert not any(record is not None and record.is_running() for record in running)
    assert not any(record.exists() for record in records)
    assert shell.json("status")["workers"]["numbers"]["problem"] is None, "it was stopped; that is no problem"


@pytest.mark.kafka
def test_a_worker_whose_log_is_another_one_is_not_started_again_and_status_says_why(shell: Shell) -> None:
    shell.baton("up")
    with admin(shell.project) as client:
        client.delete_topics(["funnel.sales"])
    until(lambda: "funnel.sales" in ensure_topics(shell.project).created)

    for worker in ("numbers", "reactions"):
        until(lambda: not shell.json("status")["workers"][worker]["is_running"])  # noqa: B023
    said = shell.baton("status")
    assert said.returncode == ExitCode.UNREACHABLE
    assert "The worker of numbers died and is not started again" in said.stderr
    assert "exit code 5" in said.stderr
    assert "A topic was deleted" in said.stderr, "its last lines are shown"
    assert "is not started again" in shell.baton("doctor").stdout
