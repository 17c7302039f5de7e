"""What-if and the past: the same events under another playbook, or as far as they were known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from projections.playbook import Playbook, parse_playbook, read_playbook
from streams.cli.whatif import show, whatif
from streams.queries.whatif import Measure, WhatIf, compare, sentences
from streams.simulator import stories
from tests.given import all_hashes, as_bytes, given
from warehouse.authority import Authority
from warehouse.recorded_log import RecordedLog
from warehouse.warehouse import Warehouse

PAGE = Path(__file__).parents[3] / "docs" / "numbers" / "playbook.toml"
AS_OF = datetime(2026, 5, 5, 12, tzinfo=UTC)


def lead(name: str, employees: int, *, is_won: bool = False, answer_hours: int = 1) -> list[dict[str, Any]]:
    """A lead captured on Monday 2026-03-02, who twice asks for a demo; accepted, perhaps won."""
    day = datetime(2026, 3, 2, 9, tzinfo=UTC)
    about = {"lead_id": name, "source": "test"}

    def told(kind: str, hours: float, **fields: Any) -> dict[str, Any]:
        return {"type": kind, "occurred_at": (day + timedelta(hours=hours)).isoformat(), **about, **fields}

    handoff = {"handoff_id": f"handoff-{name}"}
    asked = {
        "team": "marketing", "channel": "web", "activity": "demo_requested",
        "is_inbound": True, "is_automated": False,
    }  # fmt: skip
    events = [
        told("LeadCaptured", 0, channel="web_form", account_id=f"account-{name}"),
        told("LeadProfiled", 0.1, industry="software", employees=employees),
        told("TouchRecorded", 1, **asked),
        told("TouchRecorded", 2, **asked),
        told("HandoffOffered", 3, from_team="marketing", to_team="sales_development", **handoff),
        told("HandoffAccepted", 3 + answer_hours, owner="anna", **handoff),
    ]
    if is_won:
        deal = {"opportunity_id": f"deal-{name}", "account_id": f"account-{name}"}
        events.append(told("OpportunityOpened", 48, **deal))
        events.append(told("OpportunityWon", 96, amount="1000.00", currency="EUR", **deal))
    return events


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three leads: 60 employees and won, 60 and answered after 1.5 hours, 200 and won."""
    events = [
        *lead("small-won", 60, is_won=True),
        *lead("small", 60, answer_hours=2),
        *lead("large-won", 200, is_won=True),
    ]
    path = tmp_path / ".baton" / "baton.duckdb"
    with Warehouse.open(path, read_playbook(PAGE)) as warehouse:
        given(warehouse, as_bytes(events))
        warehouse.pin_as_of(AS_OF)
    return path


def stricter() -> Playbook:
    """At least 100 employees instead of 50; an answer within one hour instead of two."""
    text = PAGE.read_text().replace("employees_at_least = 50", "employees_at_least = 100")
    return parse_playbook(text.replace('within = "2 hours"', 'within = "1 hour"', 1))


def test_a_stricter_definition_names_fewer_and_misses_more(file: Path) -> None:
    with RecordedLog.of_file(file) as records:
        found = compare(records, read_playbook(PAGE), stricter(), AS_OF)

    def both(measure: str, whom: str = "all") -> tuple[Decimal | None, Decimal | None]:
        value = found.value(measure, whom)
        return value.in_force, value.proposed

    assert both("qualified") == (3, 1)
    assert both("held_back") == (0, 2)
    assert both("recall") == (1, Decimal("0.5"))
    assert both("missed_value") == (0, Decimal("1000.00"))
    assert both("late", "sales_development") == (0 + first_attempts_late(), 1 + first_attempts_late())
    assert [(c.lead_id, c.is_gained, c.missing) for c in found.changes] == [
        ("small", False, ("icp_employees",)),
        ("small-won", False, ("icp_employees",)),
    ]
    told = " ".join(sentences(found))
    assert "2 leads would no longer qualify" in told and "icp_employees 2" in told
    assert "sales development would have been late 1 times more" in told


def first_attempts_late() -> int:
    """Nobody ever tries to reach the buyer here, so each of the three acceptances is late in that."""
    return 3


def test_only_what_happened_since_counts(file: Path) -> None:
    with RecordedLog.of_file(file) as records:
        found = compare(records, read_playbook(PAGE), stricter(), AS_OF, datetime(2026, 3, 6, tzinfo=UTC))

    assert found.value("qualified").in_force == 0
    assert found.value("recall").n_in_force == 2, "both wins are later, whenever their leads qualified"
    assert found.changes == []


def test_the_playbook_in_force_tried_against_itself_changes_nothing(file: Path) -> None:
    with RecordedLog.of_file(file) as records:
        found = compare(records, read_playbook(PAGE), read_playbook(PAGE), AS_OF)

    assert found.changes == [] and sentences(found) == ["Both playbooks qualify the same leads."]
    assert all(not measure.change for measure in found.measures)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("story") / "baton.duckdb"
    with Warehouse.open(path, read_playbook()) as warehouse:
        given(warehouse, as_bytes(stories(3, 250)))
    yield path


def test_a_second_look_with_everything_known_says_what_the_live_tables_say(story: Path) -> None:
    with Warehouse.open(story, read_playbook()) as live:
        said = all_hashes(live.connection, AS_OF)
        live.pin_as_of(AS_OF)
    with RecordedLog.of_file(story) as records:
        look = records.snapshot(Authority(read_playbook()), as_of=AS_OF)
        assert all_hashes(look.connection, AS_OF) == said


def test_looks_do_not_disturb_each_other_or_the_file(story: Path) -> None:
    before = story.read_bytes()
    with RecordedLog.of_file(story) as records:
        first = records.snapshot(Authority(read_playbook()), as_of=AS_OF)
        counted = first.ask("select count(*) from funnel.handoff")
        earlier = records.snapshot(Authority(read_playbook()), known_at=datetime(2026, 2, 1, tzinfo=UTC))

        known = earlier.ask("select count(*), max(offer_recorded_at) from funnel.handoff")[1][0]
        assert 0 < known[0] < counted[1][0][0]
        assert known[1] <= datetime(2026, 2, 1, tzinfo=UTC)
        assert first.ask("select count(*) from funnel.handoff") == counted
    assert story.read_bytes() == before


def test_the_command_compares_and_speaks_to_machines(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "playbook.toml").write_text(PAGE.read_text())
    proposed = tmp_path / "proposed.toml"
    proposed.write_text(stricter().text)

    said = CliRunner().invoke(whatif, ["--playbook", str(proposed)])
    machine = CliRunner().invoke(whatif, ["--playbook", str(proposed), "--json"])

    assert said.exit_code == 0, said.output
    assert "leads qualified" in said.output and "2 leads would no longer qualify" in said.output
    measures = {(m["measure"], m["whom"]): m for m in json.loads(machine.stdout)["measures"]}
    assert Decimal(measures[("qualified", "all")]["change"]) == -2


def test_the_change_is_that_of_the_numbers_that_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """63.54 % and 40.36 % are 23.18 points apart; who reads 63.5 and 40.4 reckons 23.1."""
    precision = Measure(
        "precision_at_win", "all", "share", Decimal("0.6354"), Decimal("0.4036"), n_in_force=50, n_proposed=40
    )
    weekly = Measure("qualified_per_week", "all", "per_week", None, Decimal("1234.56"), 0, 9)
    show(WhatIf("a" * 64, "b" * 64, AS_OF, None, "EUR", 9, [precision, weekly], []), "new.toml")

    shown = " ".join(capsys.readouterr().out.split())
    assert "precision at win 63.5 % 40.4 % -23.1 points 50 → 40" in shown
    assert "– 1,234.6 – 0 → 9" in shown
