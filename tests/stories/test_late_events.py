"""What comes late revises every number it belongs to, and what was known before can still be looked up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from projections.playbook import read_playbook
from tests.given import as_bytes, given
from warehouse.recorded_log import RecordedLog
from warehouse.warehouse import Warehouse

EXAMPLES = Path(__file__).parents[2] / "docs" / "numbers" / "playbook.toml"
KNOWN_BEFORE = datetime(2026, 4, 15, 12, tzinfo=UTC)
RECORDED_LATE = "2026-04-20T09:00:00Z"
AS_OF = datetime(2026, 4, 30, 12, tzinfo=UTC)

Row = tuple[Any, ...]


def on(day: str, type_: str, recorded: str | None = None, **fields: Any) -> dict[str, Any]:
    """An event at nine that day; recorded at once, unless stated otherwise."""
    at = f"{day}T09:00:00Z"
    return {"type": type_, "source": "crm", "occurred_at": at, "recorded_at": recorded or at, **fields}


def late(day: str, type_: str, **fields: Any) -> dict[str, Any]:
    """An event of that day that nobody reported before 20 April."""
    return on(day, type_, RECORDED_LATE, **fields)


def touch(day: str, lead: str) -> dict[str, Any]:
    said = {"team": "marketing", "channel": "web", "activity": "demo_requested"}
    return on(day, "TouchRecorded", lead_id=lead, is_inbound=True, is_automated=False, **said)


@dataclass(frozen=True)
class Revision:
    """What was recorded in time, what came late, and what each number says before and after it."""

    told: Sequence[dict[str, Any]]
    late: dict[str, Any]
    numbers: Sequence[tuple[str, list[Row], list[Row]]]


DEAL = {"opportunity_id": "o-1", "currency": "EUR"}
OFFER = {"handoff_id": "h-1", "lead_id": "l-1"}
PROMISE = {"promise_id": "p-1", "account_id": "a-1"}

CASES = {
    "an amount revised late": Revision(
        told=[
            on(
                "2026-01-10",
                "OpportunityOpened",
                account_id="a-1",
                amount="10000.00",
                closes_on="2026-06-30",
                **DEAL,
            ),
        ],
        late=late("2026-02-10", "OpportunityRevised", amount="25000.00", **DEAL),
        numbers=[
            (
                "select actual, gap, n from funnel.goal_attainment where metric = 'pipeline'",
                [(Decimal("10000.00"), Decimal("290000.00"), 1)],
                [(Decimal("25000.00"), Decimal("275000.00"), 1)],
            ),
            (
                # 10,000 (25,000) of the 120,000 that the second quarter is to bring, looked on from 1 April.
                "select open_pipeline_then, open_pipeline_now, round(coverage_now, 4)"
                " from funnel.pipeline_coverage where looked_on = '2026-04-01' and closes_in = '2026-Q2'",
                [(Decimal("10000.00"), Decimal("10000.00"), 0.0833)],
                [(Decimal("10000.00"), Decimal("25000.00"), 0.2083)],
            ),
        ],
    ),
    "a stage entered in the past": Revision(
        told=[
            on("2026-01-05", "LeadCaptured", lead_id="l-1", channel="web"),
            on("2026-02-02", "HandoffOffered", from_team="marketing", to_team="sales_development", **OFFER),
        ],
        late=late("2026-02-03", "HandoffAccepted", owner="ida", **OFFER),
        numbers=[
            (
                "select stage, window_start::varchar, entered, advanced, still_there"
                " from funnel.funnel_stage where entered > 0 order by position",
                [("captured", "2026-01-01", 1, 1, 0), ("offered", "2026-02-01", 1, 0, 1)],
                [
                    ("captured", "2026-01-01", 1, 1, 0),
                    ("offered", "2026-02-01", 1, 1, 0),
                    ("accepted", "2026-02-01", 1, 0, 1),
                ],
            ),
            (
                "select state from funnel.black_hole where handoffs > 0",
                [("not_arrived",)],
                [("accepted_untouched",)],
            ),
        ],
    ),
    "a merge of two leads": Revision(
        told=[
            on("2026-03-02", "LeadCaptured", lead_id="l-1", channel="web"),
            on("2026-03-02", "LeadProfiled", lead_id="l-1", industry="software", employees=80),
            touch("2026-03-03", "l-1"),
            on("2026-03-04", "LeadCaptured", lead_id="l-2", channel="web"),
            touch("2026-03-04", "l-2"),
        ],
        late=late("2026-03-05", "LeadsMerged", lead_id="l-1", merged_lead_id="l-2"),
        numbers=[
            (
                # Two signals are wanted: each lead had one, and the one lead they are has two.
                "select lead_id, is_qualified, qualified_at, criteria_met"
                " from funnel.qualification order by lead_id",
                [("l-1", False, None, 2), ("l-2", False, None, 0)],
                [("l-1", True, datetime(2026, 3, 4, 9, tzinfo=UTC), 3)],
            ),
            ("select entered from funnel.funnel_stage where stage = 'captured'", [(2,)], [(1,)]),
        ],
    ),
    "a promise reported after the customer has left": Revision(
        told=[
            on(
                "2026-01-02",
                "PromiseMade",
                made_by="ida",
                promise="An interface.",
                due_on="2026-02-28",
                **PROMISE,
            ),
            on("2026-01-05", "CustomerOnboarded", account_id="a-1", subscription_id="s-1"),
            on(
                "2026-03-10",
                "SubscriptionChurned",
                subscription_id="s-1",
                account_id="a-1",
                amount="9000.00",
                currency="EUR",
                reason_code="no_use",
            ),
        ],
        late=late("2026-03-20", "PromiseMissed", **PROMISE),
        numbers=[
            (
                "select state, is_churned, is_reported_after_churn from funnel.promise_ledger",
                [("overdue", True, False)],
                [("missed", True, True)],
            ),
            (
                "select promise_state, customers, churned from funnel.promise_churn where customers > 0",
                [("none_settled", 1, 1)],
                [("some_missed", 1, 1)],
            ),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_what_comes_late_revises_the_numbers_and_the_old_ones_can_be_had_again(
    case: Revision, tmp_path: Path
) -> None:
    path = tmp_path / "baton.duckdb"
    before = [before for _, before, _ in case.numbers]
    after = [after for _, _, after in case.numbers]

    with Warehouse.open(path, read_playbook(EXAMPLES)) as warehouse:
        warehouse.pin_as_of(AS_OF)
        given(warehouse, as_bytes(case.told))
        assert _says(warehouse, case) == before

        given(warehouse, as_bytes([case.late]))
        assert _says(warehouse, case) == after
        authority = warehouse.authority

    with RecordedLog.of_file(path) as records:
        assert _says(records.snapshot(authority, known_at=KNOWN_BEFORE), case) == before
        assert _says(records.snapshot(authority, as_of=AS_OF, known_at=KNOWN_BEFORE), case) == before
        assert _says(records.snapshot(authority, known_at=AS_OF), case) == after
        assert _says(records.snapshot(authority, as_of=AS_OF), case) == after


def _says(warehouse: Warehouse, case: Revision) -> list[list[Row]]:
    if not warehouse.database:  # a snapshot has no read models
        warehouse.refresh()
    return [warehouse.ask(query)[1] for query, _, _ in case.numbers]
