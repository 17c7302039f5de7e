"""A simulation as a whole: what it writes, that it is the same every time, and that its truth adds up."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
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
from streams.simulator.clock import HOUR, instant_of
from streams.simulator.truth import STATES
from streams.simulator.truths import KEYS

SEED, LEADS = 20260301, 1200
NEVER_SIMULATED = {
    "HandoffMeasured", "AlertOpened", "AlertAcknowledged", "AlertResolved", "AlertRetracted",
    "PlaybookProposed", "PlaybookSigned", "SubjectErased",
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


def rows(folder: Path, view: str) -> list[dict[str, Any]]:
    text = (folder / "truth" / f"{view}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


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
    assert len(once) == len(KEYS) + 2, "the truth of each view, what was asked for, and the events"
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
    counts = json.loads((written[0] / "truth.json").read_text())["counts"]

    assert all(len(copies) == 1 for copies in texts.values())
    assert counts["events"] == len(lines)
    assert counts["distinct"] == len(texts)
    assert counts["duplicates"] == len(lines) - len(texts)
    assert counts["by_type"] == dict(sorted(Counter(type_ for type_, _ in texts).items()))
    assert 0.01 < counts["duplicates"] / len(lines) < 0.03


def test_events_arrive_out_of_order_and_some_of_them_late(events: list[dict[str, Any]]) -> None:
    delays = [instant_of(e["recorded_at"]) - instant_of(e["occurred_at"]) for e in islice(events, 4000)]
    recorded = [e["recorded_at"] for e in events]
    late = sum(delay >= HOUR for delay in delays) / len(delays)

    assert recorded != sorted(recorded)
    assert 0.02 < late < 0.06  # costs are booked once a night, which is not late but is counted here


def test_nothing_happens_after_the_end(written: tuple[Path, Summary], events: list[dict[str, Any]]) -> None:
    assert written[1].as_of == "2026-05-05T14:00:00.000000Z"
    assert max(e["occurred_at"] for e in events) <= written[1].as_of
    assert max(e["recorded_at"] for e in events) > written[1].as_of


# --- the truth ----------------------------------------------------------------------------------


def test_the_black_hole_adds_up_to_the_offers(
    written: tuple[Path, Summary], events: list[dict[str, Any]]
) -> None:
    offered = {e["handoff_id"] for e in events if e["type"] == "HandoffOffered"}
    black_hole = rows(written[0], "black_hole")
    states = Counter(row["state"] for row in rows(written[0], "handoff"))

    assert [row["state"] for row in black_hole] == list(STATES)
    assert sum(row["handoffs"] for row in black_hole) == len(offered)
    assert all(row["handoffs"] == states[row["state"]] for row in black_hole)
    assert {row["handoff_id"] for row in rows(written[0], "handoff_latency")} == offered


def test_entered_is_advanced_and_lost_and_returned_and_still_there(written: tuple[Path, Summary]) -> None:
    stages = rows(written[0], "funnel_stage")
    by_stage: dict[str, Counter[str]] = defaultdict(Counter)
    for row in stages:
        assert row["entered"] == sum(
            row[name] for name in ("advanced", "lost", "returned", "elsewhere", "still_there")
        )
        by_stage[row["stage"]].update(
            {name: row[name] for name in ("entered", "advanced", "advanced_in_period")}
        )

    totals = list(by_stage.values())
    assert len(totals) == 7
    for stage, following in zip(totals, totals[1:], strict=False):
        assert stage["advanced"] == stage["advanced_in_period"] == following["entered"]


def test_segments_add_up(written: tuple[Path, Summary], events: list[dict[str, Any]]) -> None:
    signals: dict[str, list[str]] = defaultdict(list)
    lives_on_as = {row["lead_id"]: row["surviving_lead_id"] for row in rows(written[0], "lead_identity")}
    for e in events:
        if e["type"] == "TouchRecorded" and e["is_inbound"] and not e["is_automated"]:
            signals[lives_on_as.get(e["lead_id"], e["lead_id"])].append(e["occurred_at"])
    for row in rows(written[0], "handoff_latency"):
        before = [at for at in signals[row["lead_id"]] if at <= row["offered_at"]]
        begin = max(before, default=row["offered_at"])
        end = row["offered_at"]
        if row["answered_at"]:
            end = row["answered_at"]
            if row["first_attempt_at"]:
                end = max(end, row["first_attempt_at"])
                if row["reached_at"]:
                    end = max(end, row["reached_at"])
        parts = sum(v for name, v in row.items() if name.startswith("segment_") and v is not None)
        assert parts == pytest.approx((instant_of(end) - instant_of(begin)) / 60000000.0, abs=1e-6)


def test_the_story_holds_what_baton_is_there_to_find(written: tuple[Path, Summary]) -> None:
    latency = rows(written[0], "handoff_latency")
    slas = rows(written[0], "handoff_sla")
    black_hole = {row["state"]: row["handoffs"] for row in rows(written[0], "black_hole")}

    assert 0 < sum(row["is_clock_suspect"] for row in latency) < 0.02 * len(latency)
    assert 0.005 < black_hole["not_arrived"] / len(latency) < 0.04
    assert all(black_hole[state] for state in STATES if state not in ("waiting", "at_risk"))
    for sla in ("answer", "first_attempt", "attempts", "acknowledge_return"):
        assert {row["is_met"] for row in slas if row["sla"] == sla} == {True, False}
    assert {row["status"] for row in rows(written[0], "opportunity")} == {"open", "won", "lost"}


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
