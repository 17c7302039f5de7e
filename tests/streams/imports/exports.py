"""Exports with the dirt of real ones, in three shapes, from a seed; and a mapping for each."""

from __future__ import annotations

import csv
import io
import random
from datetime import date, timedelta
from pathlib import Path

FIRST_DAY = date(2026, 1, 1)

QUALIFIED_LEADS = """
[mapping]
source = "marketplace"
zone = "America/Sao_Paulo"

[file.qualified_leads]
match = "*qualified_leads*.csv"
key = "mql_id"
missing_key = "stand_in"

[file.closed_deals]
match = "*closed_deals*.csv"
delimiter = ";"
key = "mql_id"

[[event]]
type = "LeadCaptured"
from = "qualified_leads"
[event.set]
lead_id = { value = "{mql_id}", missing = "stand_in" }
occurred_on = { value = "{first_contact_date}", formats = ["%Y-%m-%d", "%d/%m/%Y"] }
channel = { value = "{origin}", default = "unknown" }
attributes.landing_page = "{landing_page_id}"

[[event]]
type = "OpportunityOpened"
from = "closed_deals"
join = { qualified_leads = "{mql_id}" }
when = { value = "{qualified_leads.first_contact_date}", is_blank = false }
[event.set]
opportunity_id = "deal-{mql_id}"
lead_id = "{mql_id}"
account_id = "{seller_id}"
occurred_on = { value = "{qualified_leads.first_contact_date}", formats = ["%Y-%m-%d", "%d/%m/%Y"] }
attributes.segment = "{business_segment}"

[[event]]
type = "OpportunityWon"
from = "closed_deals"
[event.set]
opportunity_id = "deal-{mql_id}"
lead_id = "{mql_id}"
account_id = "{seller_id}"
owner = "{sr_id}"
occurred_at = { value = "{won_date}", formats = ["%Y-%m-%d %H:%M:%S"] }
amount = { value = "{declared_monthly_revenue}", decimal = ",", thousands = "." }
currency = "{currency}"
"""

SPEND = """
[mapping]
source = "ads"

[file.leads]
key = "lead_id"

[file.deals]
key = "deal_id"

[file.spend]
key = ["day", "channel"]

[[event]]
type = "LeadCaptured"
from = "leads"
[event.set]
lead_id = "{lead_id}"
occurred_on = { value = "{created}", formats = ["%m/%d/%Y"] }
channel = { value = "{channel}", case = "snake" }
campaign_id = { value = "{channel}", case = "snake" }

[[event]]
type = "OpportunityOpened"
from = "deals"
[event.set]
opportunity_id = "{deal_id}"
lead_id = "{lead_id}"
occurred_on = { value = "{created}", formats = ["%m/%d/%Y"] }
amount = { value = "{amount}", strip = ["$"], thousands = "," }
currency = "USD"

[[event]]
type = "OpportunityWon"
from = "deals"
when = { value = "{status}", in = ["Closed Won"] }
[event.set]
opportunity_id = "{deal_id}"
lead_id = "{lead_id}"
occurred_on = { value = "{closed}", formats = ["%m/%d/%Y"] }
amount = { value = "{amount}", strip = ["$"], thousands = "," }
currency = "USD"

[[event]]
type = "OpportunityLost"
from = "deals"
when = { value = "{status}", in = ["Closed Lost"] }
[event.set]
opportunity_id = "{deal_id}"
lead_id = "{lead_id}"
occurred_on = { value = "{closed}", formats = ["%m/%d/%Y"] }

[[event]]
type = "CampaignCostBooked"
from = "spend"
[event.set]
campaign_id = { value = "{channel}", case = "snake" }
occurred_on = "{day}"
booked_on = "{day}"
amount = "{spend}"
currency = "{currency}"
"""

OPPORTUNITIES = """
[mapping]
source = "crm"

[file.sales_pipeline]
key = "opportunity_id"
[file.accounts]
key = "account"
[file.products]
key = "product"
[file.sales_teams]
key = "sales_agent"

[lookup.products]
GTXPro = "GTX Pro"

[lookup.stages]
Prospecting = "prospecting"
Engaging = "discovery"

[[event]]
type = "OpportunityOpened"
from = "sales_pipeline"
join.sales_teams = "{sales_agent}"
join.products = { value = "{product}", lookup = "products", otherwise = "{product}" }
[event.set]
opportunity_id = "{opportunity_id}"
account_id = "{account}"
owner = "{sales_agent}"
occurred_on = { value = "{engage_date}", missing = "skip" }
attributes.product = { value = "{product}", lookup = "products", otherwise = "{product}" }
attributes.series = "{products.series}"
attributes.manager = "{sales_teams.manager}"

[[event]]
type = "OpportunityStageEntered"
from = "sales_pipeline"
when = { value = "{deal_stage}", in = ["Prospecting", "Engaging"] }
id = ["{opportunity_id}", "{deal_stage}"]
[event.set]
opportunity_id = "{opportunity_id}"
stage = { value = "{deal_stage}", lookup = "stages" }
occurred_on = { value = "{engage_date}", missing = "skip" }

[[event]]
type = "OpportunityWon"
from = "sales_pipeline"
when = { value = "{deal_stage}", is = "Won" }
[event.set]
opportunity_id = "{opportunity_id}"
account_id = "{account}"
owner = "{sales_agent}"
occurred_on = "{close_date}"
amount = "{close_value}"
currency = "USD"

[[event]]
type = "OpportunityLost"
from = "sales_pipeline"
when = { value = "{deal_stage}", is = "Lost" }
[event.set]
opportunity_id = "{opportunity_id}"
account_id = "{account}"
occurred_on = "{close_date}"
"""


def written(path: Path, rows: list[list[str]], *, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    """The rows as a CSV file."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def _decimal_comma(cents: int) -> str:
    whole, part = divmod(cents, 100)
    return f"{whole:,}".replace(",", ".") + f",{part:02d}"


def qualified_leads(folder: Path, seed: int, count: int = 400) -> tuple[Path, Path]:
    """Leads and closed deals in two files: two ways to write a day, a byte order mark, line ends within
    quotes,
    copies, ids that are missing, contradict themselves or have blanks around them, deals without a lead,
    decimal
    commas, a currency in each row."""
    chance = random.Random(seed)
    leads, deals = [], []
    for number in range(count):
        day = FIRST_DAY + timedelta(chance.randrange(180))
        written_day = day.isoformat() if chance.random() < 0.6 else f"{day:%d/%m/%Y}"
        lead = f"mql{seed}-{number}"
        page = f'page "{number % 7}"\nvariant {number % 3}' if number % 11 == 0 else f"page {number % 7}"
        origin = chance.choice(["paid_search", "organic_search", "social", "", "unknown"])
        shown = "" if number % 29 == 5 else f" {lead} " if number % 31 == 0 else lead
        leads.append([shown, written_day, page, origin])
        if number % 37 == 0:
            leads.append(leads[-1][:])
        if number % 41 == 7:
            leads.append([lead, (day + timedelta(1)).isoformat(), page, origin])
        if chance.random() < 0.2 and shown:
            won_on = day + timedelta(chance.randrange(-2, 90))
            at = f"{won_on} {chance.randrange(24):02d}:{chance.randrange(60):02d}:00"
            money = _decimal_comma(chance.randrange(100, 90_000_00))
            deals.append(
                [lead, f"seller{number % 50}", "sdr1", f"sr{number % 5}", at,
                 chance.choice(["pet", "car", ""]), money, chance.choice(["BRL", "EUR", "USD"])]
            )  # fmt: skip
    deals.append(["nobody", "seller-x", "sdr1", "sr1", "2026-03-01 10:00:00", "pet", "1,00", "BRL"])
    deals.append(["mql-bad", "seller-y", "sdr1", "sr1", "2026-02-30 10:00:00", "pet", "1,00", "BRL"])
    deals.append(["mql-odd", "seller-z", "sdr1", "sr1", "2026-02-20 10:00:00", "pet", "12.34", "BRL"])
    chance.shuffle(leads)
    chance.shuffle(deals)
    head = ["mql_id", "first_contact_date", "landing_page_id", "origin"]
    deal_head = ["mql_id", "seller_id", "sdr_id", "sr_id", "won_date", "business_segment",
                 "declared_monthly_revenue", "currency"]  # fmt: skip
    return (
        written(folder / "qualified_leads.csv", [head, *leads], encoding="utf-8-sig"),
        written(folder / "closed_deals.csv", [deal_head, *deals], delimiter=";"),
    )


def leads_deals_spend(folder: Path, seed: int, count: int = 300) -> tuple[Path, Path, Path]:
    """Leads, deals and what was spent on each channel, day by day: American days, dollars with thousands."""
    chance = random.Random(seed)
    channels = ["Paid Search", "LinkedIn Ads", "Events"]
    leads, deals, spend = [], [], []
    for number in range(count):
        day = FIRST_DAY + timedelta(chance.randrange(120))
        leads.append([f"L{number}", f"{day:%m/%d/%Y}", chance.choice(channels)])
        if chance.random() < 0.4:
            closed = day + timedelta(chance.randrange(1, 60))
            status = chance.choice(["Closed Won", "Closed Lost", "Open"])
            amount = f"${chance.randrange(1000, 99_999_99) / 100:,.2f}"
            shown = "" if status == "Open" else f"{closed:%m/%d/%Y}"
            deals.append([f"D{number}", f"L{number}", f"{day:%m/%d/%Y}", shown, status, amount])
    for ahead in range(120):
        for channel in channels:
            day = FIRST_DAY + timedelta(ahead)
            spend.append([day.isoformat(), channel, f"{chance.randrange(500_00) / 100:.2f}", "EUR"])
    for rows in (leads, deals, spend):
        chance.shuffle(rows)
    return (
        written(folder / "leads.csv", [["lead_id", "created", "channel"], *leads]),
        written(
            folder / "deals.csv", [["deal_id", "lead_id", "created", "closed", "status", "amount"], *deals]
        ),
        written(folder / "spend.csv", [["day", "channel", "spend", "currency"], *spend]),
    )


def opportunities(folder: Path, seed: int, count: int = 500) -> tuple[Path, ...]:
    """A list of deals with agents, products and accounts: 16 % without a company, 6 % without a day."""
    chance = random.Random(seed)
    products = ["GTX Basic", "GTX Pro", "MG Special"]
    agents = [f"Agent {n}" for n in range(9)]
    deals = []
    for number in range(count):
        engaged = FIRST_DAY + timedelta(chance.randrange(200))
        closed = engaged + timedelta(chance.randrange(1, 140))
        stage = chance.choices(["Prospecting", "Engaging", "Won", "Lost"], [6, 18, 48, 28])[0]
        value = (
            ""
            if stage in ("Prospecting", "Engaging")
            else "0"
            if stage == "Lost"
            else str(chance.randrange(30, 30_000))
        )
        product = chance.choice(products)
        deals.append(
            [
                f"OPP{number:05d}",
                chance.choice(agents),
                "GTXPro" if product == "GTX Pro" and chance.random() < 0.7 else product,
                "" if chance.random() < 0.16 else f"Company {number % 60}",
                stage,
                "" if stage == "Prospecting" else engaged.isoformat(),
                "" if stage in ("Prospecting", "Engaging") else closed.isoformat(),
                value,
            ]
        )
    chance.shuffle(deals)
    head = [
        "opportunity_id",
        "sales_agent",
        "product",
        "account",
        "deal_stage",
        "engage_date",
        "close_date",
        "close_value",
    ]
    return (
        written(folder / "sales_pipeline.csv", [head, *deals]),
        written(
            folder / "accounts.csv", [["account", "sector"], *[[f"Company {n}", "retail"] for n in range(60)]]
        ),
        written(folder / "products.csv", [["product", "series"], *[[p, p.split()[0]] for p in products]]),
        written(
            folder / "sales_teams.csv",
            [["sales_agent", "manager"], *[[a, f"M{i % 3}"] for i, a in enumerate(agents)]],
        ),
    )
