"""Late events and merges revise the funnel and the verdicts: by exactly this much."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from projections.playbook import DEFAULT_PLAYBOOK, parse_playbook, read_playbook
from tests.given import as_bytes, given, in_memory, view
from warehouse.playbook_tables import InForce, store_playbooks
from warehouse.warehouse import Warehouse

AS_OF = datetime(2026, 5, 1, 12, tzinfo=UTC)
GOOD = {"industry": "software", "country": "DE", "employees": 20, "fit_score": 20}
TOUCH = {"team": "marketing", "channel": "web", "is_inbound": True, "is_automated": False}
OFFER = {"from_team": "marketing", "to_team": "sales_development"}


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    with in_memory(read_playbook()) as opened:
        yield opened


def on(time: str, type_: str, **fields: Any) -> dict[str, Any]:
    """An event of 2026: on("03-02 09:00", ...) is March 2nd, 09:00 UTC."""
    day, _, clock = time.partition(" ")
    return {"type": type_, "occurred_at": f"2026-{day}T{clock}:00Z", "source": "test", **fields}


def captured(time: str, lead_id: str, **fields: Any) -> dict[str, Any]:
    return on(time, "LeadCaptured", lead_id=lead_id, channel="web_form", **fields)


def demo(time: str, lead_id: str) -> dict[str, Any]:
    return on(time, "TouchRecorded", lead_id=lead_id, activity="demo_requested", **TOUCH)


def offered(time: str, lead_id: str, handoff_id: str, **fields: Any) -> dict[str, Any]:
    return on(time, "HandoffOffered", lead_id=lead_id, handoff_id=handoff_id, **{**OFFER, **fields})


def funnel(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """stage, month, entered, inferred, advanced, returned, elsewhere, still there."""
    columns = (
        "stage",
        "month(window_start)",
        *("entered", "inferred", "advanced", "returned", "elsewhere", "still_there"),
    )
    return view(warehouse, "funnel_stage", columns, AS_OF)


def test_a_stage_entered_in_the_past_revises_the_months_it_lies_in(warehouse: Warehouse) -> None:
    given(warehouse, as_bytes([captured("03-02 09:00", "a"), captured("03-03 09:00", "b")]))
    assert funnel(warehouse) == [("captured", 3, 2, 0, 0, 0, 0, 2)]

    # In April it becomes known that a was captured in February, and offered then.
    given(warehouse, as_bytes([captured("02-26 09:00", "a"), offered("02-27 09:00", "a", "h1")]))

    assert funnel(warehouse) == [
        ("captured", 2, 1, 0, 1, 0, 0, 0),
        ("captured", 3, 1, 0, 0, 0, 0, 1),
        ("engaged", 2, 1, 1, 1, 0, 0, 0),
        ("offered", 2, 1, 0, 0, 0, 0, 1),
    ]


def test_an_offer_before_the_capture_is_flagged_and_moves_no_month(warehouse: Warehouse) -> None:
    given(warehouse, as_bytes([captured("03-02 09:00", "a"), offered("02-27 09:00", "a", "h1")]))

    assert funnel(warehouse) == [
        ("captured", 3, 1, 0, 1, 0, 0, 0),
        ("engaged", 3, 1, 1, 1, 0, 0, 0),
        ("offered", 3, 1, 0, 0, 0, 0, 1),
    ]
    columns = ("stage", "is_clock_suspect")
    flags = dict(view(warehouse, "lead_stage", columns, AS_OF))
    assert flags == {"captured": False, "engaged": False, "offered": True}


def test_a_merge_makes_two_leads_of_the_funnel_one(warehouse: Warehouse) -> None:
    told = [
        captured("03-02 09:00", "a"),
        demo("03-03 09:00", "a"),
        captured("02-10 09:00", "b"),
        offered("03-04 09:00", "b", "h1"),
        on("03-05 09:00", "HandoffReturned", lead_id="b", handoff_id="h1", reason_code="not_icp"),
    ]
    given(warehouse, as_bytes(told))
    assert funnel(warehouse) == [
        ("captured", 2, 1, 0, 1, 0, 0, 0),
        ("captured", 3, 1, 0, 1, 0, 0, 0),
        ("engaged", 3, 2, 1, 1, 0, 0, 1),
        ("offered", 3, 1, 0, 0, 1, 0, 0),
    ]

    given(warehouse, as_bytes([on("04-01 09:00", "LeadsMerged", lead_id="a", merged_lead_id="b")]))

    assert funnel(warehouse) == [
        ("captured", 2, 1, 0, 1, 0, 0, 0),
        ("captured", 3, 0, 0, 0, 0, 0, 0),  # nobody entered it then, and one advanced from it
        ("engaged", 3, 1, 0, 1, 0, 0, 0),
        ("offered", 3, 1, 0, 0, 1, 0, 0),
    ]
    assert view(warehouse, "handoff", ("handoff_id", "lead_id"), AS_OF) == [("h1", "a")]
    assert len(view(warehouse, "lead_journey", ("lead_id", "position"), AS_OF)) == 6
    before_the_merge = datetime(2026, 3, 31, tzinfo=UTC)
    assert view(warehouse, "lead_identity", ("lead_id",), before_the_merge) == []
    assert view(warehouse, "handoff", ("lead_id",), before_the_merge) == [("b",)]


def test_contact_with_one_belongs_to_the_handoff_of_the_other(warehouse: Warehouse) -> None:
    attempt = {"handoff_id": None, "channel": "phone", "is_automated": False}
    told = [
        demo("03-02 09:00", "a"),
        offered("03-02 10:00", "b", "h1"),
        on("03-02 11:00", "ContactAttempted", lead_id="a", owner="sdr-anna", **attempt),
    ]
    columns = ("lead_id", "attempts", "signal_at is not null")
    given(warehouse, as_bytes(told))
    assert view(warehouse, "handoff_latency", columns, AS_OF) == [("b", 0, False)]

    given(warehouse, as_bytes([on("03-09 09:00", "LeadsMerged", lead_id="a", merged_lead_id="b")]))

    assert view(warehouse, "handoff_latency", columns, AS_OF) == [("a", 1, True)]


def test_a_lead_handed_to_a_partner_is_elsewhere_until_it_comes_back(warehouse: Warehouse) -> None:
    given(warehouse, as_bytes([offered("03-02 10:00", "a", "h1"), demo("03-01 10:00", "a")]))
    given(warehouse, as_bytes([offered("03-03 10:00", "a", "h2", to_team="partner_desk")]))
    assert funnel(warehouse)[-1] == ("offered", 3, 1, 0, 0, 0, 1, 0)

    given(warehouse, as_bytes([offered("03-04 10:00", "a", "h3")]))

    assert funnel(warehouse)[-1] == ("offered", 3, 1, 0, 0, 0, 0, 1)


VERDICT = ("lead_id", "segment", "qualified_at::date::varchar", "criteria_met", "playbook_version[:6]")


def test_two_leads_can_be_qualified_only_together(warehouse: Warehouse) -> None:
    version = read_playbook().version[:6]
    told = [
        captured("03-02 09:00", "a", region="emea"),
        on("03-02 10:00", "LeadProfiled", lead_id="a", **GOOD),
        captured("03-05 09:00", "b", region="apac"),
        demo("03-06 09:00", "b"),
    ]
    given(warehouse, as_bytes(told))
    assert view(warehouse, "qualification", VERDICT, AS_OF) == [
        ("a", "emea", None, 4, version),
        ("b", "apac", None, 0, version),  # the demo is more than 30 days ago
    ]

    given(warehouse, as_bytes([on("04-01 09:00", "LeadsMerged", lead_id="b", merged_lead_id="a")]))

    assert view(warehouse, "qualification", VERDICT, AS_OF) == [("b", "emea", "2026-03-06", 5, version)]


def test_a_late_profile_moves_the_verdict_back(warehouse: Warehouse) -> None:
    told = [demo("03-02 09:00", "a"), on("03-20 10:00", "LeadProfiled", lead_id="a", **GOOD)]
    given(warehouse, as_bytes(told))
    assert view(warehouse, "qualification", ("qualified_at::date::varchar",), AS_OF) == [("2026-03-20",)]

    given(warehouse, as_bytes([on("03-01 10:00", "LeadProfiled", lead_id="a", **GOOD)]))
    assert view(warehouse, "qualification", ("qualified_at::date::varchar",), AS_OF) == [("2026-03-02",)]


def test_a_verdict_keeps_its_version_and_a_new_version_may_qualify_who_was_not(warehouse: Warehouse) -> None:
    first = read_playbook()
    easier = parse_playbook(DEFAULT_PLAYBOOK.read_text().replace("at_least = 20", "at_least = 10"))
    change = datetime(2026, 3, 10, tzinfo=UTC)
    store_playbooks(warehouse.connection, [InForce(first, None, change), InForce(easier, change, None, True)])
    given(
        warehouse,
        as_bytes(
            [
                on("03-02 09:00", "LeadProfiled", lead_id="early", **GOOD),
                demo("03-02 10:00", "early"),
                on("03-02 09:00", "LeadProfiled", lead_id="low", **{**GOOD, "fit_score": 15}),
                demo("03-02 10:00", "low"),
                on("03-02 09:00", "LeadProfiled", lead_id="never", **{**GOOD, "fit_score": 9}),
            ]
        ),
    )

    assert view(warehouse, "qualification", VERDICT, AS_OF) == [
        ("early", "unknown", "2026-03-02", 5, first.version[:6]),
        ("low", "unknown", "2026-03-10", 5, easier.version[:6]),
        ("never", "unknown", None, 3, easier.version[:6]),
    ]
    # Looked at before the change, the later version does not exist yet.
    before = change - timedelta(days=1)
    assert ("low", "unknown", None, 4, first.version[:6]) in view(warehouse, "qualification", VERDICT, before)
