"""`baton report weekly`, `decide` and `dispute` as a person runs them, without a worker."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from projections.playbook import read_playbook
from schemas.errors import BatonError
from streams.cli.main import baton
from tests.faults.running import Running
from tests.given import as_bytes, given
from warehouse.warehouse import Warehouse

AS_OF = "2026-03-10"
WORDS = "Words for the leaders only."


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one dispute, on a machine without a browser."""
    opened = {
        "type": "DisputeOpened",
        "occurred_at": "2026-03-08T12:00:00Z",
        "recorded_at": "2026-03-08T12:00:00Z",
        "source": "baton",
        "dispute_id": "dis-1",
        "subject_kind": "number",
        "subject_id": "gap/speed/amount",
        "opened_by_team": "sales",
        "reason": WORDS,
    }
    with Warehouse.open(tmp_path / ".baton" / "baton.duckdb", read_playbook()) as warehouse:
        given(warehouse, as_bytes([opened]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(baton, words)


def pack_for(role: str) -> str:
    ran = run("report", "weekly", "--for", role, "--as-of", AS_OF, "--json")
    assert ran.exit_code == 0, ran.output
    files = [Path(file) for file in json.loads(ran.stdout)["files"]]
    assert [file.suffix for file in files] == [".html", ".md"]
    assert "No PDF" in ran.stderr
    assert all("gap/speed/amount" in file.read_text() for file in files)
    return "".join(file.read_text() for file in files)


def test_roles_that_may_read_disputes_have_their_words_in_the_pack(folder: Path) -> None:
    assert WORDS in pack_for("leadership")
    assert WORDS not in pack_for("sales")
    (folder / "roles.toml").write_text('[role.sales]\nreads = ["dispute"]\nalso = ["dispute.reason"]\n')
    assert WORDS in pack_for("sales")
    assert WORDS not in pack_for("leadership")


def test_an_empty_week_has_a_pack_that_says_so(folder: Path) -> None:
    ran = run("report", "weekly", "--as-of", AS_OF)
    assert ran.exit_code == 0, ran.output
    text = (folder / "packs" / "baton-weekly-2026-03-10T0000Z.md").read_text()
    assert "No deal has been opened yet." in text and "No handoff missed anything." in text


def test_the_pack_of_an_instant_to_come_is_refused(folder: Path) -> None:
    to_come = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    ran = run("report", "weekly", "--as-of", to_come)
    assert isinstance(ran.exception, BatonError) and ran.exception.next_command == "baton report weekly"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["decide"], "Say what was decided"),
        (["decide", "x", "--should", "rise"], "name it with --number"),
        (["decide", "x", "--number", "nothing"], "There is no such number"),
        (["decide", "x", "--by", "2020-01-01"], "it is over"),
        (["decide", "x", "--by", "soon"], "is not a day"),
        (["dispute", "open", "nothing", "--team", "sales", "--reason", "x"], "There is no such number"),
        (["dispute", "resolve", "dis-2", "--how", "upheld", "--by", "both"], "There is no such dispute"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    folder: Path, words: list[str], why: str
) -> None:
    ran = run(*words)
    assert ran.exit_code != 0
    assert why in ran.output + str(ran.exception)


def test_the_numbers_that_a_decision_can_name_are_listed(folder: Path) -> None:
    ran = run("decide", "--numbers", "--json")
    assert ran.exit_code == 0, ran.output
    assert "black_hole/waiting/handoffs" in {each["number"] for each in json.loads(ran.stdout)}


@pytest.mark.kafka
def test_what_a_meeting_records_is_read_by_the_worker(clean_kafka: str, tmp_path: Path) -> None:
    running = Running(tmp_path, clean_kafka)

    def recorded(*words: str) -> dict[str, Any]:
        ran = running.baton(*words, "--json")
        assert ran.returncode == 0, ran.stderr
        event: dict[str, Any] = json.loads(ran.stdout)
        return event

    with running.worker("numbers") as worker:
        running.wait_ready(worker)
        due = (datetime.now(UTC) + timedelta(days=30)).date()
        number = ("--number", "gap/speed/amount", "--should", "fall", "--by", due.isoformat())
        decided = recorded("decide", "Answer within two hours.", "--owner", "ana", *number)
        opened = recorded("dispute", "open", "gap/speed/amount", "--team", "sales", "--reason", WORDS)
        running.wait_for(worker, 2)
        settled = "select is_open from funnel.dispute where dispute_id = "
        assert running.rows(f"{settled}'{opened['dispute_id']}'") == [(True,)]
        recorded("dispute", "resolve", opened["dispute_id"], "--how", "corrected", "--by", "both leaders")
        running.wait_for(worker, 3)
        assert running.rows(f"{settled}'{opened['dispute_id']}'") == [(False,)]
        known = "select decision_id, owner, number, due_on from funnel.decision"
        assert running.rows(known) == [(decided["decision_id"], "ana", "gap/speed/amount", due)]
