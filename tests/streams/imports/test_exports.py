"""Three shapes of real exports, with their dirt: the views say what a computation over the files says that
shares nothing with the import."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.streams.imports import exports
from tests.streams.imports.log_in_memory import LogInMemory


def _rows(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def _day(text: str) -> date:
    return datetime.strptime(text, "%d/%m/%Y").date() if "/" in text else date.fromisoformat(text)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_qualified_leads_and_their_wins(tmp_path: Path, seed: int) -> None:
    leads_file, deals_file = exports.qualified_leads(tmp_path, seed)
    log = LogInMemory()

    out = log.take(exports.QUALIFIED_LEADS, leads_file, deals_file)

    said = defaultdict(set)
    nameless = []
    for row in _rows(leads_file):
        lead = row["mql_id"].strip()
        content = (_day(row["first_contact_date"]), row["landing_page_id"], row["origin"])
        said[lead].add(content) if lead else nameless.append(content)
    sound = {lead: next(iter(found)) for lead, found in said.items() if len(found) == 1}
    by_month = Counter(f"{day:%Y-%m}" for day, *_ in [*sound.values(), *nameless])
    assert (
        dict(log.ask("select strftime(first_seen_at, '%Y-%m'), count(*) from funnel.lead group by 1"))
        == by_month
    )
    assert out.failed["LeadCaptured"] == sum(
        len(said[row["mql_id"].strip()]) > 1 for row in _rows(leads_file) if row["mql_id"].strip()
    )
    assert out.stand_ins["LeadCaptured: stand-in for lead_id"] == len(nameless) > 0

    money: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    won = set()
    for row in _rows(deals_file, ";"):
        if row["mql_id"] in ("mql-bad", "mql-odd"):
            continue
        at = datetime.fromisoformat(row["won_date"]).replace(tzinfo=ZoneInfo("America/Sao_Paulo"))
        amount = Decimal(row["declared_monthly_revenue"].replace(".", "").replace(",", "."))
        money[row["currency"], f"{at.astimezone(UTC):%Y-%m}"] += amount
        won.add(row["mql_id"])
    found = log.ask(
        "select currency, strftime(won_at at time zone 'UTC', '%Y-%m'), sum(amount)"
        " from funnel.win group by all"
    )
    assert {(currency, month): amount for currency, month, amount in found} == money
    assert log.ask("select count(*), count(distinct lead_id) from funnel.win") == [(len(won), len(won))]
    [(captured, converted)] = log.ask(
        "select count(*), count(*) filter (lead_id in (select lead_id from funnel.win)) from funnel.lead"
    )
    assert (captured, converted) == (len(sound) + len(nameless), len(won & sound.keys()))
    failed = [(row.event_type, row.column) for row in out.failed_rows if row.file == "closed_deals.csv"]
    assert ("OpportunityWon", "won_date") in failed
    assert ("OpportunityWon", "declared_monthly_revenue") in failed


@pytest.mark.parametrize("seed", [1, 2])
def test_leads_deals_and_daily_spend_by_channel(tmp_path: Path, seed: int) -> None:
    leads_file, deals_file, spend_file = exports.leads_deals_spend(tmp_path, seed)
    log = LogInMemory()

    out = log.take(exports.SPEND, leads_file, deals_file, spend_file)

    assert not out.failed.total()
    spent: dict[str, Decimal] = defaultdict(Decimal)
    for row in _rows(spend_file):
        spent[row["channel"].lower().replace(" ", "_")] += Decimal(row["spend"])
    assert dict(log.ask("select campaign_id, booked_cost from funnel.campaign_cost")) == spent
    outcomes = Counter(row["status"] for row in _rows(deals_file))
    names = {"won": "Closed Won", "lost": "Closed Lost", "open": "Open"}
    found = dict(log.ask("select status, count(*) from funnel.deal group by 1"))
    assert {names[status]: count for status, count in found.items()} == outcomes
    by_channel: dict[str, Decimal] = defaultdict(Decimal)
    channel_of = {row["lead_id"]: row["channel"].lower().replace(" ", "_") for row in _rows(leads_file)}
    for row in _rows(deals_file):
        if row["status"] == "Closed Won":
            by_channel[channel_of[row["lead_id"]]] += Decimal(row["amount"].replace("$", "").replace(",", ""))
    found = log.ask(
        "select channel, sum(amount) from funnel.win join facts.lead_captured using (lead_id) group by 1"
    )
    assert dict(found) == by_channel


@pytest.mark.parametrize("seed", [1, 2])
def test_opportunities_with_agents_products_and_accounts(tmp_path: Path, seed: int) -> None:
    files = exports.opportunities(tmp_path, seed)
    log = LogInMemory()

    out = log.take(exports.OPPORTUNITIES, *files)

    rows = _rows(files[0])
    assert not out.failed.total()
    undated = sum(not row["engage_date"] for row in rows)
    assert out.stand_ins["OpportunityOpened: skipped, without engage_date"] == undated > 0
    expected = Counter(
        {"Won": "won", "Lost": "lost", "Engaging": "open"}[r["deal_stage"]] for r in rows if r["engage_date"]
    )
    assert dict(log.ask("select status, count(*) from funnel.deal group by 1")) == expected
    by_quarter: dict[str, int] = defaultdict(int)
    for row in rows:
        if row["deal_stage"] == "Won":
            closed = date.fromisoformat(row["close_date"])
            by_quarter[f"{closed.year}-Q{(closed.month + 2) // 3}"] += int(row["close_value"])
    assert dict(log.ask("select period, sum(amount)::bigint from funnel.win group by 1")) == by_quarter
    companies = {row["account"] for row in rows if row["account"] and row["engage_date"]}
    nameless = sum(not row["account"] and row["engage_date"] != "" for row in rows)
    [(customers,)] = log.ask("select count(distinct customer_id) from funnel.deal")
    assert customers == len(companies) + nameless, "a deal without a company is a customer of its own"
    products = Counter(r["product"].replace("GTXPro", "GTX Pro") for r in rows if r["engage_date"])
    found = log.ask(
        "select map_from_entries(attributes)['product'], count(*) from facts.opportunity_opened group by 1"
    )
    assert dict(found) == products
