"""The order of rows, how a file is divided, and how often it is imported never change a fact."""

from __future__ import annotations

import random
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections.playbook import read_playbook
from tests.given import in_memory
from tests.streams.imports.exports import written
from tests.streams.imports.log_in_memory import LogInMemory

MAPPING = """
[mapping]
source = "crm"
[file.leads]
key = "id"
missing_key = "stand_in"
[file.deals]
key = "deal"
[[event]]
type = "LeadCaptured"
from = "leads"
[event.set]
lead_id = { value = "{id}", missing = "stand_in" }
occurred_on = "{day}"
channel = "{origin}"
[[event]]
type = "OpportunityWon"
from = "deals"
join = { leads = "{lead}" }
[event.set]
opportunity_id = "{deal}"
lead_id = "{lead}"
owner = "{leads.origin}"
occurred_on = "{day}"
amount = { value = "{amount}", decimal = "," }
currency = "EUR"
[[event]]
type = "CampaignCostBooked"
from = "deals"
[event.set]
campaign_id = "{lead}"
occurred_on = "{day}"
booked_on = "{day}"
amount = { value = "{amount}", decimal = "," }
currency = "EUR"
"""
days = st.integers(0, 40).map(lambda n: (date(2026, 1, 1) + timedelta(n)).isoformat()) | st.sampled_from(
    ["", "2026-02-30"]
)
ids = st.sampled_from(["", "1", "2", " 3 ", "4", "a|b", 'quo"te', "two\nlines"])
leads = st.lists(st.tuples(ids, days, st.sampled_from(["ads", "", "seo"])), max_size=12)
deals = st.lists(st.tuples(ids, ids, days, st.sampled_from(["1,50", "2", "1.5", "", "-3,25"])), max_size=12)


WAREHOUSE = in_memory(read_playbook())
Parts = list[list[tuple[str, ...]]]


def _imported(lead_parts: Parts, deal_parts: Parts, times: int) -> tuple[dict[str, Any], int]:
    """(the facts, how many rows are kept as failed) after importing these parts so many times."""
    log = LogInMemory(WAREHOUSE)
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name, head, parts in (
            ("leads", ["id", "day", "origin"], lead_parts),
            ("deals", ["deal", "lead", "day", "amount"], deal_parts),
        ):
            for number, rows in enumerate(parts):
                files.append(written(Path(folder) / f"{name}-{number}.csv", [head, *map(list, rows)]))
        for _ in range(times):
            log.take(MAPPING, *files)
    return log.facts(), log.ask("select count(*) from funnel.failed_events")[0][0]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(leads, deals, st.integers(0, 12), st.integers(0, 12), st.integers(0, 2**16))
def test_order_division_and_repetition_change_nothing(
    lead_rows: list[tuple[str, ...]], deal_rows: list[tuple[str, ...]], cut: int, other_cut: int, seed: int
) -> None:
    once = _imported([lead_rows], [deal_rows], 1)
    mixed_leads, mixed_deals = lead_rows[:], deal_rows[:]
    random.Random(seed).shuffle(mixed_leads)
    random.Random(seed).shuffle(mixed_deals)

    again = _imported(
        [mixed_leads[:cut], mixed_leads[cut:]], [mixed_deals[:other_cut], mixed_deals[other_cut:]], 2
    )

    assert again == once, "and a row that fails again is kept once"
