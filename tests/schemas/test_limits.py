"""Values that no source can mean, at their very edges; the publisher refuses them by the same limits."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas.catalogue import CATALOGUE
from schemas.codec import ROW, decode, encode
from schemas.limits import EARLIEST, LATEST, LONGEST_TEXT, impossible
from schemas.validation import ContractViolation, read_event

MICROSECOND = timedelta(microseconds=1)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ENVELOPE = {"event_id": "e", "occurred_at": NOON, "recorded_at": NOON, "source": "crm"}
RECORDS: dict[str, dict[str, Any]] = {
    "OpportunityRevised": {"opportunity_id": "o", "lead_id": None, "amount": None, "currency": None},
    "LeadProfiled": {"lead_id": "l", "account_id": None, "job_role": None, "industry": None, "country": None},
    "OpportunityStageEntered": {"opportunity_id": "o", "lead_id": None, "stage": "s", "probability": None},
    "PlaybookProposed": {"playbook_version": "v", "text": "t", "proposed_by": "p"},
}
RECORDS["OpportunityRevised"] |= {"closes_on": None, "is_day_only": False}
RECORDS["OpportunityStageEntered"] |= {"is_day_only": False}
RECORDS["LeadProfiled"] |= {"employees": None, "fit_score": None, "attributes": []}

CASES = [
    # event, field, value, is it possible?
    ("OpportunityRevised", "occurred_at", EARLIEST, True),
    ("OpportunityRevised", "occurred_at", EARLIEST - MICROSECOND, False),
    ("OpportunityRevised", "recorded_at", LATEST - MICROSECOND, True),
    ("OpportunityRevised", "recorded_at", LATEST, False),
    ("OpportunityRevised", "closes_on", EARLIEST.date(), True),
    ("OpportunityRevised", "closes_on", date(1999, 12, 31), False),
    ("OpportunityRevised", "closes_on", date(2099, 12, 31), True),
    ("OpportunityRevised", "closes_on", LATEST.date(), False),
    ("OpportunityRevised", "amount", Decimal("0.0000"), True),
    ("OpportunityRevised", "amount", Decimal("-0.0001"), False),
    ("OpportunityRevised", "amount", Decimal("99999999999999.9999"), True),
    ("OpportunityRevised", "lead_id", "", False),
    ("OpportunityRevised", "lead_id", " ", False),
    ("OpportunityRevised", "source", "", False),
    ("LeadProfiled", "job_role", "", True),
    ("LeadProfiled", "job_role", "x" * LONGEST_TEXT, True),
    ("LeadProfiled", "job_role", "x" * (LONGEST_TEXT + 1), False),
    ("LeadProfiled", "job_role", "ü" * (LONGEST_TEXT // 2 + 1), False),
    ("LeadProfiled", "job_role", "a\0b", False),
    ("LeadProfiled", "job_role", "\u202eevil", True),
    ("LeadProfiled", "employees", 0, True),
    ("LeadProfiled", "employees", -1, False),
    ("OpportunityStageEntered", "probability", 0.0, True),
    ("OpportunityStageEntered", "probability", 1.0, True),
    ("OpportunityStageEntered", "probability", 1.01, False),
    ("OpportunityStageEntered", "probability", float("nan"), False),
    ("OpportunityStageEntered", "probability", float("inf"), False),
    ("PlaybookProposed", "playbook_version", " ", False),
    ("LeadProfiled", "attributes", [{"name": "product", "value": ""}], True),
    ("LeadProfiled", "attributes", [{"name": "p" * 64, "value": "x" * LONGEST_TEXT}], True),
    ("LeadProfiled", "attributes", [{"name": "p" * 65, "value": ""}], False),
    ("LeadProfiled", "attributes", [{"name": "Product", "value": ""}], False),
    ("LeadProfiled", "attributes", [{"name": "", "value": ""}], False),
    ("LeadProfiled", "attributes", [{"name": "product", "value": v} for v in "ab"], False),
    ("LeadProfiled", "attributes", [{"name": "product", "value": "x" * (LONGEST_TEXT + 1)}], False),
    ("LeadProfiled", "attributes", [{"name": "product", "value": "a\0b"}], False),
]


@pytest.mark.parametrize(
    ("name", "field", "value", "is_possible"),
    CASES,
    ids=[f"{n} {f} {str(v)[:24]!r} {'may be' if ok else 'may not be'}" for n, f, v, ok in CASES],
)
def test_a_value_is_refused_from_its_limit_on(name: str, field: str, value: Any, is_possible: bool) -> None:
    event = CATALOGUE.event_types[name]
    usual = {**ENVELOPE, **RECORDS[name]}
    batch = decode([encode(event, usual), encode(event, {**usual, field: value})], CATALOGUE)

    assert [failure.row for failure in batch.failures] == ([] if is_possible else [1])
    assert all(f.stage == "validate" and f.reason.startswith(field) for f in batch.failures)
    assert batch.frames[name][ROW].to_list() == ([0, 1] if is_possible else [0])


@pytest.mark.parametrize(
    ("name", "field", "value", "is_possible"),
    CASES,
    ids=[f"{n} {f} {str(v)[:24]!r} {'may be' if ok else 'may not be'}" for n, f, v, ok in CASES],
)
def test_the_publisher_draws_the_same_limit(name: str, field: str, value: Any, is_possible: bool) -> None:
    """What the publisher lets through, the sink takes; or an event would be acknowledged and then fail."""
    said = {k: v for k, v in {**ENVELOPE, **RECORDS[name], field: value}.items() if v is not None}
    if field == "amount":
        said["currency"] = "EUR"
    if is_possible:
        assert read_event({"type": name, **said})[0].name == name
    else:
        with pytest.raises(ContractViolation):
            read_event({"type": name, **said})


def test_money_too_wide_for_its_type_is_seen_before_it_is_stored() -> None:
    event = CATALOGUE.event_types["OpportunityRevised"]
    wide = pl.Series("amount", [Decimal(10) ** 14, Decimal(10) ** 14 - 1], pl.Decimal(38, 4))
    usual = {**ENVELOPE, **RECORDS["OpportunityRevised"]}
    frame = decode([encode(event, usual)] * 2, CATALOGUE).frames["OpportunityRevised"].with_columns(wide)

    kept, refused = impossible(frame, event.newest, ROW)

    assert refused == [(0, "amount has more digits than money has")] and kept[ROW].to_list() == [1]


def test_a_record_with_several_faults_names_the_first() -> None:
    event = CATALOGUE.event_types["OpportunityRevised"]
    record = {
        **ENVELOPE,
        **RECORDS["OpportunityRevised"],
        "event_id": "",
        "source": "",
        "amount": Decimal(-1),
    }

    failures = decode([encode(event, record)], CATALOGUE).failures

    assert [(f.stage, f.reason, f.event_type) for f in failures] == [
        ("validate", "event_id is empty", "OpportunityRevised")
    ]
