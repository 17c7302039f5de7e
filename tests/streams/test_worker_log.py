"""The log of a worker as text and as JSON lines, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

SAYING = """
import logging
from schemas.errors import BatonError
from streams.worker_log import report, report_error, set_up_log
set_up_log()
log = logging.getLogger("baton.test")
log.info("not shown")
for number in range(3):
    log.warning('a "quoted" %s\\nand a second line', number)
try:
    1 / 0
except ZeroDivisionError:
    log.exception("it failed")
report("caught up: 7 records")
report("caught up: 7 records")
report_error(BatonError("Kafka failed", where="here", why="it is away", next_command="baton doctor"))
"""


def _said(form: str) -> tuple[int, str]:
    run = subprocess.run(
        [sys.executable, "-c", SAYING], env={"BATON_LOG_FORMAT": form}, capture_output=True, text=True
    )
    return run.returncode, run.stderr


def test_json_is_one_object_a_line() -> None:
    code, said = _said("json")
    assert code == 0
    lines = [json.loads(line) for line in said.splitlines()]
    assert [(line["level"], line["logger"], line["message"]) for line in lines] == [
        ("warning", "baton.test", 'a "quoted" 0\nand a second line'),
        ("error", "baton.test", "it failed"),
        ("info", "baton.report", "caught up: 7 records"),
        ("info", "baton.report", "caught up: 7 records"),
        ("error", "baton.report", "Kafka failed"),
    ]
    for line in lines:
        assert datetime.now(UTC) - datetime.fromisoformat(line["time"]) < timedelta(minutes=1)
    assert "ZeroDivisionError" in lines[1]["exception"]
    assert {**lines[-1], "time": ""} == {
        "time": "",
        "level": "error",
        "logger": "baton.report",
        "message": "Kafka failed",
        "where": "here",
        "why": "it is away",
        "next": "baton doctor",
        "exit_code": 1,
    }


@pytest.mark.parametrize("form", ["text", ""])
def test_text_is_for_people(form: str) -> None:
    code, said = _said(form)
    assert code == 0
    assert said.splitlines()[0].endswith('WARNING baton.test: a "quoted" 0')
    assert "\ncaught up: 7 records\ncaught up: 7 records\nbaton: Kafka failed\n  where: here\n" in said


def test_another_format_is_refused() -> None:
    code, said = _said("xml")
    assert code != 0 and "BATON_LOG_FORMAT is neither text nor json" in said


def test_a_worker_that_cannot_start_says_so_as_json() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "streams.cli.main", "worker", "numbers"],
        env={"BATON_LOG_FORMAT": "json", "BATON_KAFKA": "not an address", "BATON_HOME": "/nonexistent/x"},
        capture_output=True,
        text=True,
    )
    [line] = run.stderr.splitlines()
    said = json.loads(line)
    assert run.returncode == said["exit_code"] and said["level"] == "error" and said["next"]
