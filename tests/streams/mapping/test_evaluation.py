"""One record and one field at a time: what a text becomes, or why it is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from schemas.catalogue import CATALOGUE
from schemas.codec import decode, encode
from schemas.json_form import json_form
from schemas.validation import EventReader
from streams.mapping.evaluation import Evaluation
from streams.mapping.reader import parse_mapping
from streams.mapping.records import as_frame

MAPPING = """
[mapping]
source = "crm"
zone = "Europe/Berlin"
[file.rows]
key = "id"
[lookup.words]
Old = "new"
[[event]]
type = "{type}"
from = "rows"
{more}
[event.set]
{key}
{moment}
{field}
"""
KEYS = {
    "OpportunityWon": 'opportunity_id = "{id}"',
    "OpportunityStageEntered": 'opportunity_id = "{id}"\nstage = "x"',
    "TouchRecorded": 'lead_id = "{id}"\nteam = "marketing"\nactivity = "x"\nis_automated = false',
    "LeadProfiled": 'lead_id = "{id}"',
    "LeadCaptured": 'lead_id = "{id}"',
}


def _mapped(
    event: str, field: str, record: dict[str, Any], more: str = ""
) -> tuple[dict[str, Any] | None, str]:
    """(the event's record, why it failed)."""
    moment = "" if "occurred" in field else 'occurred_at = "2026-01-01T00:00:00Z"'
    text = MAPPING.replace("{type}", event).replace("{key}", KEYS[event]).replace("{more}", more)
    rules = parse_mapping(text.replace("{moment}", moment).replace("{field}", field))
    evaluation = Evaluation(rules)
    rows = evaluation.rows(
        rules.files["rows"], as_frame([{"id": "1", **record}], rules.own_columns_of("rows"))
    )
    mapped = evaluation.events(rules.events[0], rows)
    assert mapped.events.height + mapped.faults.height + mapped.not_meant == 1
    made = mapped.events.drop("_row", "_key").to_dicts()
    return (made[0] if made else None), "".join(mapped.faults["reason"].to_list())


@pytest.mark.parametrize(
    ("how", "text", "amount"),
    [
        ("", "1200.50", "1200.50"),
        ("", "+7", "7"),
        ("", "-7.0000000", "-7"),
        ('decimal = ","', "1200,5", "1200.5"),
        ('decimal = ",", thousands = "."', "1.234.567,89", "1234567.89"),
        ('decimal = ",", thousands = "."', "1234,5", "1234.5"),
        ('thousands = ","', "1,234", "1234"),
        ('thousands = " "', "1 234.5", "1234.5"),
        ('thousands = "\'"', "1'234.5", "1234.5"),
        ('strip = ["R$"]', "R$ 12.5", "12.5"),
        ('strip = ["€"], decimal = ","', "12,5 €", "12.5"),
        ("", "", None),
        ("", "N/A", None),
        ("", "12,5", "is not an amount"),
        ('decimal = ",", thousands = "."', "12.34", "is not an amount"),
        ('decimal = ",", thousands = "."', "1.23,4", "is not an amount"),
        ("", "1e3", "is not an amount"),
        ("", "1.23456", "more than 4 decimals"),
        ("", "123456789012345", "is not an amount"),
        ("", "NaN", "is not an amount"),
    ],
)
def test_money(how: str, text: str, amount: str | None) -> None:
    value = f'{{ value = "{{x}}"{", " + how if how else ""} }}'
    made, why = _mapped("OpportunityWon", f'amount = {value}\ncurrency = "EUR"', {"x": text})
    if amount is None:
        assert made is not None and (made["amount"], made["is_amount_known"], made["currency"]) == (
            0,
            False,
            "",
        )
    elif amount[-1].isdigit() and " " not in amount:
        assert made is not None and made["amount"] == Decimal(amount) and made["currency"] == "EUR"
    else:
        assert amount in why


@pytest.mark.parametrize(
    ("how", "text", "outcome"),
    [
        ("", "2026-03-02T10:00:00Z", datetime(2026, 3, 2, 10, tzinfo=UTC)),
        ("", "2026-03-02 10:00", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("", "2026-07-02T10:00:00+0530", datetime(2026, 7, 2, 4, 30, tzinfo=UTC)),
        ("", "2026-07-02T10:00:00.5", datetime(2026, 7, 2, 8, 0, 0, 500_000, tzinfo=UTC)),
        ('zone = "America/New_York"', "2026-03-02 10:00", datetime(2026, 3, 2, 15, tzinfo=UTC)),
        ('time = "09:30"', "2026-03-02", datetime(2026, 3, 2, 8, 30, tzinfo=UTC)),
        ('formats = ["%d.%m.%Y %H:%M", "iso"]', "02.03.2026 10:00", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ('formats = ["%d.%m.%Y %H:%M", "iso"]', "2026-03-02T10:00:00Z", datetime(2026, 3, 2, 10, tzinfo=UTC)),
        ('formats = ["%m/%d/%Y %I:%M %p"]', "03/02/2026 01:05 PM", datetime(2026, 3, 2, 12, 5, tzinfo=UTC)),
        ('formats = ["unix_ms"]', "1767225600000", datetime(2026, 1, 1, tzinfo=UTC)),
        ('twice = "later"', "2026-10-25 02:30", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ('twice = "earlier"', "2026-10-25 02:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("", "2026-10-25 02:30", "comes twice in Europe/Berlin"),
        ("", "2026-03-29 02:30", "does not exist in Europe/Berlin"),
        ("", "2026-03-02", "is a day without a time"),
        ("", "2026-02-30T10:00:00Z", "is not an instant that exists"),
        ("", "soon", "is not an instant that exists, written as iso"),
        ("", "31.01.2026 10:30", "is not written as iso, but as %d.%m.%Y %H:%M; give `formats`"),
        ("", "", "is missing"),
        ("", "1812-03-02T10:00:00Z", "occurred_at is not between 2000 and 2100"),
    ],
)
def test_instants(how: str, text: str, outcome: datetime | str) -> None:
    value = f'{{ value = "{{x}}"{", " + how if how else ""} }}'
    made, why = _mapped("LeadProfiled", f"occurred_at = {value}", {"x": text})
    if isinstance(outcome, str):
        assert made is None and outcome in why
    else:
        assert made is not None, why
        assert made["occurred_at"] == outcome


@pytest.mark.parametrize(
    ("formats", "text", "day"),
    [
        ('["iso"]', "2026-03-02", date(2026, 3, 2)),
        ('["iso"]', "2026-03-02 23:59:00", date(2026, 3, 2)),
        ('["%d/%m/%Y"]', "02/03/2026", date(2026, 3, 2)),
        ('["%d/%m/%Y", "%Y-%m-%d"]', "2026-03-02", date(2026, 3, 2)),
        ('["%b %d, %Y"]', "Mar 02, 2026", date(2026, 3, 2)),
        ('["%d/%m/%Y"]', "31/02/2026", None),
    ],
)
def test_days(formats: str, text: str, day: date | None) -> None:
    made, why = _mapped(
        "LeadCaptured", f'occurred_on = {{ value = "{{x}}", formats = {formats} }}', {"x": text}
    )
    if day is None:
        assert made is None and "is not a day that exists" in why
    else:
        assert made is not None and made["occurred_at"].date() == day and made["is_day_only"]


def test_a_day_in_another_format_exists() -> None:
    _, why = _mapped("LeadCaptured", 'occurred_on = "{x}"', {"x": "03/04/2026"})
    assert "is not written as iso, but as %d/%m/%Y or %m/%d/%Y; give `formats`" in why


@pytest.mark.parametrize(
    ("event", "field", "record", "name", "outcome"),
    [
        (
            "OpportunityStageEntered",
            'probability = { value = "{x}", percent = true }',
            {"x": "33.3 %"},
            "probability",
            0.333,
        ),
        ("OpportunityStageEntered", 'probability = "{x}"', {"x": "0.5"}, "probability", 0.5),
        (
            "OpportunityStageEntered",
            'probability = "{x}"',
            {"x": "50"},
            "probability",
            "probability is above 1",
        ),
        (
            "TouchRecorded",
            'is_inbound = { value = "{x}", yes = ["in"], no = ["out"] }',
            {"x": "IN"},
            "is_inbound",
            True,
        ),
        ("TouchRecorded", 'is_inbound = "{x}"', {"x": "maybe"}, "is_inbound", "neither of `yes` nor of `no`"),
        ("LeadProfiled", 'employees = { value = "{x}", thousands = "," }', {"x": "1,200"}, "employees", 1200),
        ("LeadProfiled", 'employees = "{x}"', {"x": "12.5"}, "employees", "is not a whole number"),
        ("LeadProfiled", 'employees = "{x}"', {"x": "-3"}, "employees", "employees is below 0"),
        ("LeadCaptured", 'channel = { value = "{x}", lookup = "words" }', {"x": "Old"}, "channel", "new"),
        (
            "LeadCaptured",
            'channel = { value = "{x}", lookup = "words" }',
            {"x": "odd"},
            "channel",
            "is not in [lookup.words]",
        ),
        (
            "LeadCaptured",
            'channel = { value = "{x}", lookup = "words", otherwise = "{x}!" }',
            {"x": "odd"},
            "channel",
            "odd!",
        ),
        (
            "LeadCaptured",
            'channel = { value = "{x}", case = "snake" }',
            {"x": " Paid — Search "},
            "channel",
            "paid_search",
        ),
        ("LeadCaptured", 'channel = ["{x}", "{y}", "none"]', {"x": "", "y": "b"}, "channel", "b"),
        ("LeadCaptured", 'channel = { value = "{x}", default = "none" }', {"x": ""}, "channel", "none"),
        ("LeadCaptured", 'channel = "{x}"', {"x": None}, "channel", ""),
        ("LeadCaptured", 'region = "{x}"', {"x": "null"}, "region", None),
        ("LeadCaptured", 'account_id = "acc-{x}"', {"x": ""}, "account_id", None),
        ("LeadCaptured", 'account_id = "{x}"', {"x": "\u200b acme \u00a0"}, "account_id", "acme"),
        (
            "LeadCaptured",
            'account_id = "{x}"',
            {"x": "ac\u200bme"},
            "account_id",
            "holds an invisible character",
        ),
        (
            "LeadCaptured",
            'account_id = { value = "{x}", missing = "stand_in" }',
            {"x": ""},
            "account_id",
            "without-account_id-rows-1",
        ),
        (
            "LeadCaptured",
            'account_id = { value = "{x}", missing = "refuse" }',
            {"x": ""},
            "account_id",
            "is missing",
        ),
        ("LeadCaptured", 'region = "{x}"', {"x": "a\0b"}, "region", "holds a NUL character"),
        ("LeadCaptured", 'region = "{x}"', {"x": "é" * 20_000}, "region", "is longer than 32768 bytes"),
        ("LeadCaptured", 'region = "{contact.region}"', {"contact": {"region": "emea"}}, "region", "emea"),
        (
            "OpportunityWon",
            'amount = "1"\ncurrency = "{x}"',
            {"x": "EURO"},
            "currency",
            "no currency of ISO 4217",
        ),
        (
            "OpportunityWon",
            'amount = "1"\ncurrency = "{x}"',
            {"x": ""},
            "currency",
            "is missing beside the amount",
        ),
    ],
)
def test_a_field(event: str, field: str, record: dict[str, Any], name: str, outcome: Any) -> None:
    if event == "TouchRecorded" and "is_inbound" not in field:
        field += "\nis_inbound = true"
    made, why = _mapped(event, field, record)
    if made is None:
        assert isinstance(outcome, str) and outcome in why
    else:
        assert made[name] == outcome


@pytest.mark.parametrize(
    ("condition", "text", "is_met"),
    [
        ('{ value = "{x}", is = "Won" }', " Won ", True),
        ('{ value = "{x}", is = "won" }', "Won", False),
        ('{ value = "{x}", is = "won", case = "lower" }', "Won", True),
        ('{ value = "{x}", in = ["a", "b"] }', "b", True),
        ('{ value = "{x}", not_in = ["a", "b"] }', "c", True),
        ('{ value = "{x}", not_in = ["a", "b"] }', "", False),
        ('{ value = "{x}", is_blank = true }', "n/a", True),
        ('{ value = "{x}", matches = "^a.c$" }', "abc", True),
        ('{ value = "{x}", at_least = 5, at_most = 7 }', "7.00", True),
        ('{ value = "{x}", at_least = 5 }', "4.99", False),
        ('{ value = "{x}", at_least = 5 }', "", False),
        ('{ value = "{x}", at_least = 5 }', "much", None),
        ('{ any = [{ value = "{x}", is = "a" }, { value = "{x}", is_blank = true }] }', "", True),
        ('[{ value = "{x}", is_blank = false }, { value = "{x}", is = "a" }]', "b", False),
    ],
)
def test_conditions(condition: str, text: str, is_met: bool | None) -> None:
    made, why = _mapped("LeadCaptured", "", {"x": text}, more=f"when = {condition}")
    assert (made is not None) == bool(is_met)
    assert ("asks for a number" in why) == (is_met is None)


@pytest.mark.parametrize(
    ("zone", "outcome"),
    [
        ("America/New_York", datetime(2026, 3, 2, 15, tzinfo=UTC)),
        ("Asia/Kolkata", datetime(2026, 3, 2, 4, 30, tzinfo=UTC)),
        ("Berlin", "has no zone"),
        ("", "has no zone"),
    ],
)
def test_a_row_may_have_a_zone_of_its_own(zone: str, outcome: datetime | str) -> None:
    field = 'occurred_at = { value = "{x}", zone = "{tz}" }'
    made, why = _mapped("LeadProfiled", field, {"x": "2026-03-02 10:00", "tz": zone})
    if isinstance(outcome, str):
        assert made is None and outcome in why
    else:
        assert made is not None and made["occurred_at"] == outcome


def test_what_is_mapped_is_what_the_contract_reads() -> None:
    """The record of an event equals what `baton publish` makes of its JSON, and decodes to itself."""
    field = 'occurred_on = "{day}"\namount = "{x}"\ncurrency = "EUR"\nlead_id = "{lead}"'
    made, why = _mapped("OpportunityWon", field, {"day": "2026-03-02", "x": "12.5", "lead": "a|b"})
    assert made is not None, why
    event = CATALOGUE.event_types["OpportunityWon"]
    assert EventReader().read(json_form(event, made)) == (event, made)
    decoded = decode([encode(event, made)], CATALOGUE).frames["OpportunityWon"].drop("_row").to_dicts()
    assert decoded == [made]
