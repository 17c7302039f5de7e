"""A simulation as a whole: what it writes, that it is the same every time, and what can be found in it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fastavro.validation import validate

from schemas.catalogue import CATALOGUE
from schemas.errors import BatonError, ExitCode
from schemas.validation import read_event
from streams.cli.simulate import simulate as simulate_command
from streams.simulator import Summary, simulate, stories
from tests import oracle

SEED, LEADS = 20260301, 1200
NEVER_SIMULATED = {
    "HandoffMeasured", "AlertOpened", "AlertAcknowledged", "AlertResolved", "AlertRetracted",
    "AlertEscalated", "AlertNotified", "ObligationMeasured",
    "PlaybookProposed", "PlaybookSigned", "SubjectErased",
    "OpportunitiesMerged", "OpportunityReopened", "AccountsMerged", "LeadsUnmerged", "HandoffPaused",
    "HandoffResumed",
}  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    folder = tmp_path_factory.mktemp("simulation")
    return folder, simulate(SEED, LEADS, folder)


@pytest.fixture(scope="module")
def lines(written: tuple[Path, Summary]) -> list[str]:
    return (written[0] / "events.jsonl").read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def events(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.json*"))
    }


# --- the same every time ------------------------------------------------------------------------


def test_a_seed_decides_every_byte(tmp_path: Path) -> None:
    for folder in ("once", "again"):
        simulate(5, 60, tmp_path / folder)
    simulate(6, 60, tmp_path / "another seed")

    once = digests(tmp_path / "once")
    assert list(once) == ["events.jsonl"]
    assert digests(tmp_path / "again") == once
    assert digests(tmp_path / "another seed")["events.jsonl"] != once["events.jsonl"]


def test_a_simulation_replaces_the_one_before_it(tmp_path: Path) -> None:
    simulate(5, 60, tmp_path / "fresh")
    simulate(6, 90, tmp_path / "used")
    simulate(5, 60, tmp_path / "used")

    assert digests(tmp_path / "used") == digests(tmp_path / "fresh")


def test_stories_yields_what_simulate_writes(events: list[dict[str, Any]]) -> None:
    assert list(stories(SEED, LEADS)) == events


def test_other_disorder_tells_the_same_story() -> None:
    calm = {(e["type"], e["event_id"]): e["occurred_at"] for e in stories(5, 60, duplicates=0, late=0)}
    wild = {(e["type"], e["event_id"]): e["occurred_at"] for e in stories(5, 60, duplicates=0.5, late=0.9)}

    assert wild == calm


# --- the events ---------------------------------------------------------------------------------


def test_every_event_keeps_the_contract(events: list[dict[str, Any]]) -> None:
    for event in events:
        event_type, record = read_event(event)
        assert validate(record, event_type.parsed, strict=True)


def test_every_type_of_event_happens(written: tuple[Path, Summary]) -> None:
    assert set(CATALOGUE.event_types) - set(written[1].by_type) == NEVER_SIMULATED


def test_a_lead_gives_about_a_dozen_events(written: tuple[Path, Summary]) -> None:
    assert 10 <= written[1].events / LEADS <= 14


def test_copies_are_byte_identical_come_later_and_are_counted(
    written: tuple[Path, Summary], lines: list[str], events: list[dict[str, Any]]
) -> None:
    texts: dict[tuple[str, str], set[str]] = defaultdict(set)
    for line, event in zip(lines, events, strict=True):
        texts[event["type"], event["event_id"]].add(line)
    counts = written[1].as_dict()

    assert all(len(copies) == 1 for copies in texts.values())
    assert counts["events"] == len(lines)
    assert counts["distinct"] == len(texts)
    assert counts["duplicates"] == len(lines) - len(texts)
    assert counts["by_type"] == dict(sorted(Counter(type_ for type_, _ in texts).items()))
    assert 0.01 < counts["duplicates"] / len(lines) < 0.03


def test_events_arrive_out_of_order_and_some_of_them_late(events: list[dict[str, Any]]) -> None:
    delays = [
        datetime.fromisoformat(e["recorded_at"]) - datetime.fromisoformat(e["occurred_at"])
        for e in islice(events, 4000)
    ]
    recorded = [e["recorded_at"] for e in events]
    late = sum(delay >= timedelta(hours=1) for delay in delays) / len(delays)

    assert recorded != sorted(recorded)
    assert 0.02 < late < 0.06  # costs are booked once a night, which is not late but is counted here


def test_nothing_happens_after_the_end(written: tuple[Path, Summary], events: list[dict[str, Any]]) -> None:
    as_of = written[1].as_dict()["as_of"]
    assert as_of == "2026-05-05T14:00:00.000000Z"
    assert max(e["occurred_at"] for e in events) <= as_of
    assert max(e["recorded_at"] for e in events) > as_of


# --- what the events come to ---------------------------------------------------------------------


def test_the_story_holds_what_baton_is_there_to_find(
    written: tuple[Path, Summary], events: list[dict[str, Any]]
) -> None:
    log, playbook = oracle.Log.from_events(events), oracle.Playbook()

    def rows(view: str) -> list[oracle.Row]:
        return oracle.rows(view, log, playbook, written[1].as_of)

    latency, slas = rows("handoff_latency"), rows("handoff_sla")
    black_hole = {row["state"]: row["handoffs"] for row in rows("black_hole")}

    assert 0 < sum(row["is_clock_suspect"] for row in latency) < 0.02 * len(latency)
    assert 0.005 < black_hole["not_arrived"] / len(latency) < 0.04
    assert all(black_hole[state] for state in black_hole if state not in ("waiting", "at_risk", "moot"))
    for sla in ("answer", "first_attempt", "attempts", "acknowledge_return"):
        assert {row["is_met"] for row in slas if row["sla"] == sla} == {True, False}
    assert {row["status"] for row in rows("opportunity")} == {"open", "won", "lost"}


# --- the command and its errors -----------------------------------------------------------------


def test_the_command_says_what_it_wrote(tmp_path: Path) -> None:
    arguments = ["--seed", "5", "--leads", "60", "--out", str(tmp_path), "--days", "30", "--json"]

    result = CliRunner().invoke(simulate_command, arguments, catch_exceptions=False)

    said = json.loads(result.stdout)
    assert said["events"] == len((tmp_path / "events.jsonl").read_text().splitlines())
    assert said["as_of"] == "2026-02-04T14:00:00.000000Z"


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        pytest.param({"leads": 0}, "--leads 0", id="no leads"),
        pytest.param({"days": 0}, "--days 0", id="no days"),
        pytest.param({"late": 1.5}, "--late 1.5", id="more than all are late"),
        pytest.param({"duplicates": -0.1}, "--duplicates -0.1", id="fewer than no copies"),
    ],
)
def test_what_makes_no_sense_is_refused(asked: dict[str, Any], named: str, tmp_path: Path) -> None:
    with pytest.raises(BatonError, match=named) as refused:
        simulate(5, asked.pop("leads", 10), tmp_path / "out", **asked)

    assert refused.value.exit_code == ExitCode.USAGE and refused.value.why and refused.value.next_command
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    occupied = tmp_path / "notes.txt"
    occupied.write_text("mine")

    with pytest.raises(BatonError, match="cannot be written") as refused:
        simulate(5, 10, occupied)

    assert str(occupied) in refused.value.where and refused.value.why
    assert occupied.read_text() == "mine"


def test_a_playbook_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    playbook = tmp_path / "playbook.toml"
    playbook.write_text("[playbook]\n")

    with pytest.raises(BatonError, match="playbook cannot be read") as refused:
        simulate(5, 10, tmp_path / "out", playbook=playbook)

    assert refused.value.where == str(playbook) and refused.value.exit_code == ExitCode.CONFIGURATION
