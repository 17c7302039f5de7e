"""`baton explain` on a small warehouse of its own: what a person from Marketing or Sales sees."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from projections.playbook import read_playbook
from schemas.errors import BatonError, ExitCode
from streams.cli.main import baton
from streams.queries.explanation import explain as explained
from streams.simulator import stories
from tests.given import as_bytes, given, in_memory
from warehouse.warehouse import Warehouse

EXAMPLES = Path(__file__).parents[3] / "docs" / "numbers" / "playbook.toml"
AS_OF = datetime(2026, 4, 30, 12, tzinfo=UTC)
MANY_LEADS = 30

Explain = Callable[..., str]


def on(day: str, type_: str, recorded: str = "", **fields: Any) -> dict[str, Any]:
    said = {"type": type_, "source": "crm", "occurred_at": f"{day}T09:00:00Z"}
    return {**said, "recorded_at": f"{recorded or day}T09:00:05Z", **fields}


HANDOFF = {"handoff_id": "handoff-1", "lead_id": "lead-1"}
DEAL = {"opportunity_id": "deal-1", "account_id": "acme", "lead_id": "lead-1"}
EVENTS = [
    on("2026-01-05", "LeadCaptured", lead_id="lead-1", account_id="acme", channel="web", email="a@b.example"),
    on("2026-01-05", "LeadProfiled", lead_id="lead-1", industry="software", employees=80),
    on("2026-01-06", "HandoffOffered", from_team="marketing", to_team="sales_development", **HANDOFF),
    on("2026-01-07", "HandoffAccepted", owner="ida", **HANDOFF),
    on("2026-02-02", "OpportunityOpened", amount="9000.00", currency="EUR", **DEAL),
    on("2026-03-10", "OpportunityWon", amount="10000.00", currency="USD", **DEAL),
    on("2026-03-20", "OpportunityWon", recorded="2026-04-20", opportunity_id="deal-2", account_id="zeta",
       amount="5000.00", currency="EUR"),
    *(on("2026-02-10", "LeadCaptured", lead_id=f"lead-x{n}", channel="web") for n in range(MANY_LEADS)),
]  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(EXAMPLES, folder / "playbook.toml")
    with Warehouse.open(folder / ".baton" / "baton.duckdb", read_playbook(EXAMPLES)) as warehouse:
        given(warehouse, as_bytes(EVENTS))
        warehouse.pin_as_of(AS_OF)
    return folder


@pytest.fixture
def explain(project: Path, monkeypatch: pytest.MonkeyPatch) -> Explain:
    monkeypatch.chdir(project)
    monkeypatch.delenv("BATON_HOME", raising=False)

    def run(*words: str) -> str:
        result = CliRunner().invoke(baton, ["explain", *words])
        if result.exception is not None:
            raise result.exception
        return result.stdout

    return run


def test_a_number_comes_with_its_definition_its_circumstances_and_its_events(explain: Explain) -> None:
    shown = explain("goal_attainment", "2026-Q1", "revenue")

    assert shown.startswith("goal_attainment: how much of each goal is reached")
    assert "revenue is what was booked by deals whose last outcome is won" in shown
    assert "as of 2026-04-30 12:00 UTC, playbook" in shown and ", n 2" in shown
    assert "14,000.00 EUR" in shown and "14.0 %" in shown  # 10,000 USD at 0.90 and 5,000 EUR, of 100,000 EUR
    assert "2 events behind it: revenue: the wins closed in the period" in shown
    assert "2026-03-10 09:00:00  OpportunityWon  lead-1, acme, deal-1\n    amount 10,000.00 USD\n" in shown
    assert "crm, recorded after 31 days, event " in shown


def test_it_can_be_opened_as_it_was_known(explain: Explain) -> None:
    shown = explain("goal_attainment", "2026-Q1", "revenue", "--as-known", "2026-04-15")

    assert "as of 2026-04-16 00:00 UTC, as known 2026-04-15" in shown
    assert "9,000.00 EUR" in shown and "14,000.00 EUR" not in shown
    assert "1 event behind it" in shown


def test_what_decided_a_criterion_stands_on_a_line_of_its_own(explain: Explain) -> None:
    shown = explain("qualification", "lead-1")

    assert "icp_industry: kind fit, required, met, value software, event_id " in shown
    assert "showed_intent: kind intent, required, not met, value 0" in shown
    assert "{" not in shown and "datetime" not in shown
    assert "1 event behind it: for each criterion the event" in shown


def test_many_rows_are_a_table_of_the_first(explain: Explain) -> None:
    shown = explain("qualification")

    assert f"20 of {MANY_LEADS + 1} rows" in shown
    assert "one row in full: baton explain qualification lead-1" in shown


@pytest.mark.parametrize(
    ("id_", "numbers"),
    [
        ("lead-1", {"lead_journey", "qualification", "handoff", "handoff_latency", "opportunity"}),
        ("handoff-1", {"handoff", "handoff_contact", "handoff_latency", "handoff_sla"}),
        ("deal-1", {"opportunity", "opportunity_amount", "win", "attribution"}),
        ("acme", {"opportunity", "win", "buying_group", "buying_group_account", "qualification"}),
    ],
)
def test_an_id_opens_every_number_that_knows_it(explain: Explain, id_: str, numbers: set[str]) -> None:
    shown = explain(id_, "--all")
    told = json.loads(explain(id_, "--json"))

    assert numbers <= {explanation["number"] for explanation in told}
    assert f"{id_} is part of {len(told)} numbers" in shown
    assert shown.count("behind it") == 1, "the events of one id are told once"
    assert len(shown.splitlines()) < 200
    overview = explain(id_)
    assert overview.startswith(f"{id_} is part of {len(told)} numbers") and overview.count("behind it") == 1
    assert all(re.search(rf"\b{one['number']}\b", overview) for one in told), "each number is named"
    assert len(overview.splitlines()) <= 20


def test_the_id_of_a_goal_opens_the_goal(explain: Explain) -> None:
    assert "goal: what is to be reached" in explain("2026-Q1-revenue")


def test_json_holds_everything(explain: Explain) -> None:
    (told,) = json.loads(explain("goal_attainment", "2026-Q1", "sales", "revenue", "--events", "1", "--json"))

    assert told["number"] == "goal_attainment" and told["key"] == ["period", "owner_team", "metric", "scope"]
    assert told["says"] and told["means"] and told["grain"] and told["behind"] and told["playbook_version"]
    assert told["as_of"].startswith("2026-04-30T12:00:00")
    assert set(told["columns"]) == set(told["rows"][0])
    assert told["row_count"] == 1 and told["rows"][0]["actual"] == "14000.00"
    assert told["event_count"] == 2 and len(told["events"]) == 1
    assert told["events"][0]["said"] == {"amount": "10000.0000", "currency": "USD"}


def test_personal_fields_are_not_shown(explain: Explain) -> None:
    assert "a@b.example" not in explain("lead-1") + explain("lead-1", "--json")


def test_the_numbers_are_listed(explain: Explain) -> None:
    assert "goal_attainment" in explain("--list") and "black_hole" in explain()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("goal_attainmet",), "did you mean goal_attainment"),
        (("nobody-knows",), "no view contains it as an id"),
        (("black_hole", "nowhere"), "the key columns have state: accepted_untouched, at_risk"),
        (("goal_attainment", "2031-Q1"), "period: 2026-Q1, 2026-Q2; owner_team: marketing, sales"),
        (("black_hole", "--as-known", "soon"), "--as-known soon is not an instant"),
        (("black_hole", "--as-known", "2026-03-01T00:00:00"), "it has no time zone"),
        (("it's", "--events", "0"), "No number or id has this name"),
        (("goal_attainmet",), "next:  baton explain goal_attainment"),
        (("led-1",), "next:  baton explain lead-1"),
        (("nobody-knows",), 'next:  baton sql "select lead_id'),
    ],
    ids=[
        "a number misspelt",
        "an unknown id",
        "an unknown row",
        "a row of no period",
        "no instant",
        "an instant without zone",
        "a quote",
        "the number that was meant, to type",
        "the id that was meant, to type",
        "how to find an id",
    ],
)
def test_what_is_not_there_is_answered_with_what_is(
    explain: Explain, words: tuple[str, ...], says: str
) -> None:
    with pytest.raises(BatonError) as error:
        explain(*words)

    assert says in str(error.value)
    assert error.value.exit_code == ExitCode.USAGE and error.value.next_command


def test_the_examples_of_the_help_are_rows_and_ids_of_every_demo() -> None:
    lines = [
        line.strip() for line in (baton.get_command(click.Context(baton), "explain").help or "").splitlines()
    ]
    examples = [shlex.split(line, comments=True)[2:] for line in lines if line.startswith("baton explain")]
    assert len(examples) == 3
    with in_memory(read_playbook()) as warehouse:
        given(warehouse, as_bytes(stories(7, 20)))
        warehouse.pin_as_of(datetime(2026, 5, 5, 14, tzinfo=UTC))
        for name, *which in examples:
            assert explained(warehouse.ask, name, which, 1)[0].rows, name


def test_without_a_warehouse_it_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(baton, ["explain", "black_hole"])

    assert isinstance(result.exception, BatonError) and "baton up" in str(result.exception)


def test_a_view_that_says_nothing_more_is_not_repeated(explain: Explain) -> None:
    shown = explain("handoff-1", "--all")
    told = {one["number"]: one["rows"][0] for one in json.loads(explain("handoff-1", "--json"))}
    repeated = shown.split("The same values are in ")[1].split(".\n")[0].split(", ")
    assert repeated and all(f"\n{name}: " not in shown for name in repeated)
    for name in repeated:
        others = [row for other, row in told.items() if other not in repeated]
        assert any(told[name].items() <= row.items() for row in others), name


@pytest.mark.parametrize(
    ("window", "leads"), [(("month", "2026-02-01"), MANY_LEADS), (("all",), MANY_LEADS + 1)]
)
def test_a_slice_has_the_events_of_its_own_leads(
    explain: Explain, window: tuple[str, ...], leads: int
) -> None:
    [found] = json.loads(explain("--json", "funnel_stage_slice", "first_channel", "web", *window, "captured"))

    [row] = found["rows"]
    assert row["entered"] == found["event_count"] == leads
