"""An event is what the contract says, or it is refused with its field and the reason."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from unittest.mock import ANY

import pytest

from schemas.catalogue import CATALOGUE
from schemas.codec import decode, encode
from schemas.errors import ExitCode
from schemas.limits import LONGEST_TEXT, WIDEST_MONEY
from schemas.validation import ContractViolation, event_identity, read_event
from schemas.vocabulary import CURRENCIES

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
OFFER = {
    "type": "HandoffOffered",
    "event_id": "offer-1",
    "occurred_at": "2026-03-02T09:00:00Z",
    "recorded_at": "2026-03-02T09:00:01Z",
    "source": "hubspot",
    "handoff_id": "handoff-1",
    "lead_id": "lead-1",
    "from_team": "marketing",
    "to_team": "sales_development",
}
WIN = {
    "type": "OpportunityWon",
    "occurred_at": "2026-03-02T09:00:00Z",
    "source": "salesforce",
    "opportunity_id": "deal-1",
    "account_id": "account-1",
    "amount": "1200.50",
    "currency": "EUR",
}
PROFILE = {
    "type": "LeadProfiled",
    "occurred_at": "2026-03-02T09:00:00Z",
    "source": "hubspot",
    "lead_id": "lead-1",
}
TOUCH = {
    "type": "TouchRecorded",
    "occurred_at": "2026-03-02T09:00:00Z",
    "source": "marketo",
    "lead_id": "lead-1",
    "team": "marketing",
    "channel": "web",
    "activity": "visit",
    "is_inbound": True,
    "is_automated": False,
}
PLAN = {
    "type": "CampaignPlanned",
    "occurred_at": "2026-03-02T09:00:00Z",
    "source": "marketo",
    "campaign_id": "spring",
    "name": "Spring",
    "channel": "web",
    "starts_on": "2026-03-02",
}
STAGE = {
    "type": "OpportunityStageEntered",
    "occurred_at": "2026-03-02T09:00:00Z",
    "source": "salesforce",
    "opportunity_id": "deal-1",
    "stage": "proposal",
}
GOAL = {
    "type": "GoalSet",
    "occurred_at": "2026-03-02T09:00:00Z",
    "source": "plan",
    "goal_id": "goal-1",
    "period": "2026-Q1",
    "owner_team": "sales",
    "metric": "revenue",
    "amount": "1000",
    "currency": "EUR",
}
PERCENT = {"probability_unit": "percent"}
DAY = {"occurred_at": None, "occurred_on": "2026-03-02"}


def test_an_event_becomes_a_record_with_every_field() -> None:
    event, record = read_event(OFFER)

    assert event is CATALOGUE.event_types["HandoffOffered"]
    assert list(record) == [field["name"] for field in event.fields]
    assert record["occurred_at"] == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    assert record["owner"] is None


REFUSED: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    ("an unknown event", OFFER, {"type": "HandofOffered"}, "type", "did you mean HandoffOffered?"),
    ("an event like no other", OFFER, {"type": "xyz"}, "type", "there are AccountsMerged"),
    ("an event without type", OFFER, {"type": None}, "type", "missing"),
    ("a type that is no name", OFFER, {"type": ["HandoffOffered"]}, "type", "is not an event"),
    ("an unknown field", OFFER, {"lead": "x"}, "lead", "did you mean lead_id?"),
    ("an unknown field full of tricks", OFFER, {"\x1b" + "x" * 99: 1}, f"\\u001b{'x' * 59}...", "is not"),
    ("an unknown field that is null", OFFER, {"leadid": None}, "leadid", "did you mean lead_id?"),
    ("a required field as null", OFFER, {"lead_id": None}, "lead_id", "null but required"),
    ("an empty id", OFFER, {"lead_id": ""}, "lead_id", "empty"),
    ("a blank id", OFFER, {"lead_id": " \t"}, "lead_id", "empty"),
    ("an empty optional id", OFFER, {"account_id": ""}, "account_id", "left out when unknown"),
    ("an empty source", OFFER, {"source": ""}, "source", "empty"),
    ("an empty event id", OFFER, {"event_id": ""}, "event_id", "empty"),
    ("a number as text", OFFER, {"from_team": 7}, "from_team", "expected text, got the number 7"),
    ("an object as text", OFFER, {"from_team": {"a": 1}}, "from_team", "events are flat"),
    ("a list as text", OFFER, {"from_team": ["a"]}, "from_team", "events are flat"),
    ("text with NUL", OFFER, {"from_team": "a\0b"}, "from_team", "NUL"),
    ("half a surrogate pair", OFFER, {"from_team": "\ud800"}, "from_team", "surrogate"),
    ("text too long", OFFER, {"reason": "x" * (LONGEST_TEXT + 1)}, "reason", "32,769 bytes"),
    ("text too long in UTF-8", OFFER, {"reason": "é" * (LONGEST_TEXT // 2 + 1)}, "reason", "32,770 bytes"),
    ("an instant without zone", OFFER, {"occurred_at": "2026-03-02T09:00:00"}, "occurred_at", "has no zone"),
    ("a naive datetime", OFFER, {"occurred_at": datetime(2026, 3, 2)}, "occurred_at", "has no zone"),
    ("a day as instant", OFFER, {"occurred_at": "2026-03-02"}, "occurred_at", "not an ISO-8601 instant"),
    ("a number as instant", OFFER, {"occurred_at": 1772442000000}, "occurred_at", "expected an ISO-8601"),
    ("no such day", OFFER, {"occurred_at": "2026-02-30T09:00:00Z"}, "occurred_at", "not an ISO-8601 instant"),
    ("no instant at all", OFFER, {"occurred_at": "2026-03-02Tx" * 9}, "occurred_at", 'Tx..." is not'),
    ("too early", OFFER, {"occurred_at": "1999-12-31T23:59:59Z"}, "occurred_at", "not between 2000 and 2100"),
    ("too late", OFFER, {"occurred_at": "2100-01-01T00:00:00Z"}, "occurred_at", "not between 2000 and 2100"),
    ("year one, ahead", OFFER, {"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at", "not between"),
    ("year 9999, behind", OFFER, {"occurred_at": "9999-12-31T23:59:59-14:00"}, "occurred_at", "not between"),
    ("below a minimum", OFFER, {"data_completeness": -0.1}, "data_completeness", "below the minimum, 0"),
    ("not a number", OFFER, {"data_completeness": float("nan")}, "data_completeness", "not a finite"),
    ("infinity", OFFER, {"data_completeness": float("inf")}, "data_completeness", "not a finite"),
    ("text as number", OFFER, {"data_completeness": "0.5"}, "data_completeness", "expected a number"),
    ("a flag as number", OFFER, {"data_completeness": True}, "data_completeness", "got true"),
    ("an inexact whole", OFFER, {"data_completeness": 2**53 + 1}, "data_completeness", "held exactly"),
    ("text as flag", TOUCH, {"is_inbound": "true"}, "is_inbound", "expected true or false"),
    ("one as flag", TOUCH, {"is_inbound": 1}, "is_inbound", "expected true or false"),
    ("a fraction as count", PROFILE, {"employees": 1.5}, "employees", "expected a whole number"),
    ("a float as count", PROFILE, {"employees": 5.0}, "employees", "expected a whole number"),
    ("a flag as count", PROFILE, {"employees": True}, "employees", "got true"),
    ("a count too large", PROFILE, {"employees": 2**31}, "employees", "what 32 bits hold"),
    ("a huge count", PROFILE, {"employees": 10**5000}, "employees", "what 32 bits hold"),
    ("a huge number as text", PROFILE, {"country": 10**5000}, "country", "a very large number"),
    ("a negative count", PROFILE, {"employees": -1}, "employees", "below the minimum, 0"),
    ("money as float", WIN, {"amount": 1200.5}, "amount", "money is decimal"),
    ("money as flag", WIN, {"amount": True}, "amount", "expected a decimal"),
    ("five decimals", WIN, {"amount": "1.00001"}, "amount", "book a sum of such amounts"),
    ("five decimals, as Decimal", WIN, {"amount": Decimal("1.00001")}, "amount", "decimals"),
    ("fifteen digits", WIN, {"amount": "123456789012345"}, "amount", "not a decimal with at most"),
    ("fifteen digits, as int", WIN, {"amount": WIDEST_MONEY}, "amount", "more than 14 digits"),
    ("an exponent", WIN, {"amount": "1e3"}, "amount", "not a decimal with at most"),
    ("money not finite", WIN, {"amount": Decimal("NaN")}, "amount", "is no amount"),
    ("other digits", WIN, {"amount": "١٢"}, "amount", "not a decimal with at most"),
    ("negative money", GOAL, {"amount": "-0.01"}, "amount", "below the minimum, 0"),
    ("an instant as day", PLAN, {"starts_on": "2026-03-02T00:00:00Z"}, "starts_on", "is not a day"),
    ("a compact day", PLAN, {"starts_on": "20260302"}, "starts_on", "is not a day"),
    ("a datetime as day", PLAN, {"starts_on": NOW}, "starts_on", "expected a day"),
    ("a day too early", PLAN, {"starts_on": "1999-12-31"}, "starts_on", "not between"),
    ("a currency in small letters", WIN, {"currency": "eur"}, "currency", "did you mean EUR?"),
    ("the sign of a currency", WIN, {"currency": "€"}, "currency", "did you mean EUR?"),
    ("a currency nobody has", WIN, {"currency": "XYZ"}, "currency", "no currency of ISO 4217"),
    ("a currency in a wide form", WIN, {"currency": "ＥＵＲ"}, "currency", "no currency of ISO 4217"),
    ("no currency", GOAL, {"currency": ""}, "currency", "as in EUR"),
    ("an amount beside an empty currency", WIN, {"currency": ""}, "currency", "leave both out"),
    ("an amount alone", WIN, {"currency": None}, "currency", "null but required"),
    ("a currency alone", WIN, {"amount": None}, "amount", "null but required"),
    ("an amount that is not known", WIN, {"is_amount_known": False}, "is_amount_known", "there is an amount"),
    ("an optional amount alone", PLAN, {"amount": "1"}, "currency", "missing beside the amount"),
    ("an optional currency alone", PLAN, {"currency": "EUR"}, "amount", "missing beside the currency"),
    ("a probability above 1", STAGE, {"probability": 10}, "probability", '"probability_unit": "percent"'),
    ("a percentage above 100", STAGE, {**PERCENT, "probability": 150}, "probability", "from 0 to 100"),
    ("a percentage below 0", STAGE, {**PERCENT, "probability": -1}, "probability", "from 0 to 100"),
    (
        "a percentage that is text",
        STAGE,
        {**PERCENT, "probability": "10"},
        "probability",
        "expected a number",
    ),
    ("another unit", STAGE, {"probability_unit": "percnt"}, "probability_unit", "did you mean percent?"),
    ("a unit that is none", STAGE, {"probability_unit": None}, "probability_unit", "null is not a unit"),
    ("a unit of another event", OFFER, PERCENT, "probability_unit", "is not a field of HandoffOffered"),
    ("a hidden character inside", OFFER, {"lead_id": "lead\u200b1"}, "lead_id", "U+200B"),
    ("a no-break space inside", OFFER, {"source": "sales\u00a0force"}, "source", "U+00A0"),
    ("nothing but what is hidden", OFFER, {"lead_id": "\ufeff\u200b "}, "lead_id", "empty"),
    ("a day and an instant", WIN, {"occurred_on": "2026-03-02"}, "occurred_on", "stands beside occurred_at"),
    ("a day that is none", WIN, {**DAY, "occurred_on": "02.03.2026"}, "occurred_on", "is not a day"),
    ("a day that is null", WIN, {**DAY, "occurred_on": None}, "occurred_on", "expected a day"),
    ("a day that is an instant", WIN, {**DAY, "is_day_only": False}, "occurred_on", "is_day_only says false"),
    ("a day of a moment", OFFER, {**DAY}, "occurred_at", "null but required"),
    ("a day with a time", WIN, {"is_day_only": True}, "is_day_only", "write occurred_on"),
    ("attributes as text", PROFILE, {"attributes": "product=x"}, "attributes", "expected an object"),
    (
        "a name in capitals",
        PROFILE,
        {"attributes": {"Product Name": "x"}},
        "attributes",
        "mean product_name?",
    ),
    ("a long name", PROFILE, {"attributes": {"x" * 65: "x"}}, "attributes", "at most 64"),
    ("an attribute in itself", PROFILE, {"attributes": {"a": {"b": 1}}}, "attributes", "a: expected text"),
    ("a name twice", PROFILE, {"attributes": [{"name": "a", "value": "x"}] * 2}, "attributes", "twice"),
    ("a period in other words", GOAL, {"period": "Q1 2026"}, "period", "did you mean 2026-Q1?"),
    ("a short fiscal year", GOAL, {"period": "FY26-Q1"}, "period", "did you mean FY2026-Q1?"),
    ("a fifth quarter", GOAL, {"period": "2026-Q5"}, "period", "is no period"),
    ("a thirteenth month", GOAL, {"period": "2026-13"}, "period", "is no period"),
    ("a period without a year", GOAL, {"period": "next"}, "period", "is no period"),
    ("another scope", GOAL, {"scope": "compny"}, "scope", "did you mean company?"),
]


@pytest.mark.parametrize(
    ("event", "change", "field", "why"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_the_contract_refuses(
    event: dict[str, Any], change: dict[str, Any], field: str, why: str
) -> None:
    with pytest.raises(ContractViolation) as caught:
        read_event({**event, **change})

    assert caught.value.field == field
    assert why in caught.value.why
    assert caught.value.exit_code is ExitCode.DATA_PROBLEMS


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ContractViolation) as caught:
        read_event({name: value for name, value in OFFER.items() if name != "lead_id"})
    assert (caught.value.field, caught.value.why) == ("lead_id", "is missing and required")


@pytest.mark.parametrize("thing", [[], "event", 7, None, [OFFER]])
def test_only_an_object_is_an_event(thing: Any) -> None:
    with pytest.raises(ContractViolation, match="breaks the contract"):
        read_event(thing)


TAKEN = [
    (OFFER, "occurred_at", "2026-03-02T10:00:00+01:00", datetime(2026, 3, 2, 9, tzinfo=UTC)),
    (OFFER, "occurred_at", "2026-03-02 09:00:00Z", datetime(2026, 3, 2, 9, tzinfo=UTC)),
    (OFFER, "occurred_at", "2026-03-02T09:00:00.0000019Z", datetime(2026, 3, 2, 9, 0, 0, 1, tzinfo=UTC)),
    (OFFER, "occurred_at", NOW.astimezone(timezone(timedelta(hours=9))), NOW),
    (OFFER, "data_completeness", 1, 1.0),
    (OFFER, "reason", "x" * LONGEST_TEXT, "x" * LONGEST_TEXT),
    (OFFER, "reason", "", ""),
    (PLAN, "starts_on", date(2026, 3, 2), date(2026, 3, 2)),
    (WIN, "amount", 1200, Decimal(1200)),
    (WIN, "amount", "99999999999999.9999", Decimal("99999999999999.9999")),
    (WIN, "amount", Decimal("1.50000"), Decimal("1.5")),
    (WIN, "amount", "1.500000000", Decimal("1.5")),
    (WIN, "amount", "-20.00", Decimal(-20)),
    (WIN, "account_id", "", ""),
    (WIN, "currency", "HRK", "HRK"),
    (WIN, "account_id", " acme\u00a0\u200b", "acme"),
    (OFFER, "lead_id", "\tlead 1 ", "lead 1"),
    (OFFER, "source", "\ufeffhubspot", "hubspot"),
    (STAGE, "probability", 1, 1.0),
    (GOAL, "period", "2026", "2026"),
    (GOAL, "period", "2026-12", "2026-12"),
    (GOAL, "period", "FY2026", "FY2026"),
    (GOAL, "period", "FY2026-Q4", "FY2026-Q4"),
    (GOAL, "metric", "new_logos", "new_logos"),
    (GOAL, "scope", "team", "team"),
]


@pytest.mark.parametrize(("event", "field", "given_value", "read_value"), TAKEN)
def test_what_the_contract_takes(
    event: dict[str, Any], field: str, given_value: Any, read_value: Any
) -> None:
    event_type, record = read_event({**event, field: given_value})

    assert record[field] == read_value
    assert type(record[field]) is type(read_value)
    batch = decode([encode(event_type, record)], CATALOGUE)
    assert batch.frames[event_type.name][field].to_list() == [read_value]


def test_what_a_source_does_not_know_is_empty() -> None:
    said = {name: value for name, value in WIN.items() if name != "account_id"}
    assert read_event(said)[1]["account_id"] == ""
    assert read_event({**TOUCH, "channel": None})[1]["channel"] == ""


def test_a_win_without_amount_is_one_whose_amount_is_not_known() -> None:
    said = {name: value for name, value in WIN.items() if name not in ("amount", "currency")}

    event_type, record = read_event({**said, "amount": None})

    assert (record["amount"], record["currency"], record["is_amount_known"]) == (0, "", False)
    assert read_event({"type": "OpportunityWon", **record}) == (event_type, record)
    assert read_event({**WIN, "amount": 0})[1]["is_amount_known"] is True
    assert read_event(said)[1]["event_id"] != read_event({**WIN, "amount": 0})[1]["event_id"]


def test_a_day_stands_for_its_first_instant() -> None:
    by_day = read_event({**WIN, **DAY})[1]

    assert (by_day["occurred_at"], by_day["is_day_only"]) == (datetime(2026, 3, 2, tzinfo=UTC), True)
    at_midnight = read_event({**WIN, "occurred_at": "2026-03-02T00:00:00Z"})[1]
    assert at_midnight["is_day_only"] is False and at_midnight["event_id"] != by_day["event_id"]


@pytest.mark.parametrize(("percent", "share"), [(10, 0.1), (33.3, 0.333), (100, 1.0), (0, 0.0), (0.5, 0.005)])
def test_a_percentage_is_read_as_a_share(percent: float, share: float) -> None:
    record = read_event({**STAGE, **PERCENT, "probability": percent})[1]
    assert record["probability"] == share
    assert record["event_id"] == read_event({**STAGE, "probability": share})[1]["event_id"]
    assert read_event({**STAGE, "probability_unit": "share", "probability": share})[1] == {
        **record,
        "recorded_at": ANY,
    }


def test_attributes_are_read_from_an_object() -> None:
    said = {
        "utm_source": "mail",
        "product": "basic",
        "seats": 12,
        "price": 9.5,
        "is_trial": True,
        "none": None,
    }
    record = read_event({**PROFILE, "attributes": said})[1]
    assert {item["name"]: item["value"] for item in record["attributes"]} == {
        "is_trial": "true",
        "price": "9.5",
        "product": "basic",
        "seats": "12",
        "utm_source": "mail",
    }
    backwards = dict(reversed(said.items()))
    assert read_event({**PROFILE, "attributes": backwards})[1]["event_id"] == record["event_id"]


def test_every_currency_of_the_list_is_taken() -> None:
    assert {"EUR", "USD", "JPY", "CLF", "HRK"} <= CURRENCIES and not {"XYZ", "XXX", "XAU"} & CURRENCIES
    assert all(len(code) == 3 and code.isupper() and code.isascii() for code in CURRENCIES)


# --- what Baton fills in --------------------------------------------------------------------------


def test_the_clock_fills_recorded_at() -> None:
    assert read_event(WIN, clock=lambda: NOW)[1]["recorded_at"] == NOW
    assert read_event(OFFER, clock=lambda: NOW)[1]["recorded_at"] != NOW


SAME_FACTS = [
    {"occurred_at": "2026-03-02T10:00:00+01:00"},
    {"occurred_at": datetime(2026, 3, 2, 9, tzinfo=UTC)},
    {"amount": "1200.5000"},
    {"amount": Decimal("1200.5")},
    {"recorded_at": "2026-05-05T05:05:05Z"},
    {"owner": None},
    {"is_amount_known": True},
    {"is_day_only": False},
    {"account_id": " account-1\u200b"},
]


@pytest.mark.parametrize("change", SAME_FACTS)
def test_the_same_facts_get_the_same_id(change: dict[str, Any]) -> None:
    backwards = dict(reversed({**WIN, **change}.items()))
    assert read_event(backwards)[1]["event_id"] == read_event(WIN)[1]["event_id"]


def test_other_facts_get_another_id() -> None:
    ids = {
        read_event({**WIN, **change})[1]["event_id"]
        for change in ({}, {"amount": "1200.51"}, {"source": "hubspot"}, {"owner": "ana"})
    }
    assert len(ids) == 4


def test_the_id_of_an_event_never_changes() -> None:
    """Given once to a publisher's file, it must come out the same in every later release."""
    assert read_event(WIN)[1]["event_id"] == "f2bc03b2-21f7-5452-88d5-2e88b9731ada"


def test_the_id_is_made_from_what_is_said_only() -> None:
    event, record = read_event(OFFER)
    assert event_identity(event, {**record, "event_id": "other", "recorded_at": NOW}) == event_identity(
        event, record
    )
