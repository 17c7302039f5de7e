"""What must be true of every verdict on a lead, of the definition behind it, and of every merge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from projections.playbook import DEFAULT_PLAYBOOK, parse_playbook, read_playbook
from tests.given import as_bytes, asked_anew, emptied, given, in_memory
from tests.laws.records import effort
from tests.oracle import Log
from warehouse.playbook_tables import InForce, store_playbooks
from warehouse.warehouse import Warehouse

Event = dict[str, Any]
BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CHANGE = BEGIN + timedelta(days=40)
AS_OF = BEGIN + timedelta(days=100)
# The second version wants a champion, and two signs of interest.
STRICTER = (
    DEFAULT_PLAYBOOK.read_text()
    .replace('roles = ["champion", "economic_buyer"]\ncount = 1\nis_required = false', 'roles = ["champion"]')
    .replace('"email_clicked"]\ncount = 1', '"email_clicked"]\ncount = 2')
)
DAYS = st.sampled_from([0, 0, 1, 5, 10, 29, 30, 31, 39, 40, 41, 60, 80, 100])
GOOD: Mapping[str, Any] = {"industry": "software", "country": "DE", "employees": 20, "fit_score": 20}


@pytest.fixture(scope="module")
def shared() -> Iterator[Warehouse]:
    with in_memory(read_playbook()) as warehouse:
        first, second = read_playbook(), parse_playbook(STRICTER)
        assert sum(c.is_required for c in second.definition.criteria) == 6
        store_playbooks(
            warehouse.connection, [InForce(first, None, CHANGE), InForce(second, CHANGE, None, True)]
        )
        yield warehouse


def profiles() -> st.SearchStrategy[Event]:
    values = {
        "industry": st.sampled_from([None, "software", "software", "retail"]),
        "country": st.sampled_from([None, "DE", "DE", "XX"]),
        "employees": st.sampled_from([None, 20, 20, 19]),
        "fit_score": st.sampled_from([None, 20, 20, 19]),
    }
    return st.one_of(st.just(dict(GOOD)), st.fixed_dictionaries(values)).map(
        lambda said: {"type": "LeadProfiled", **said}
    )


TOUCH = {"type": "TouchRecorded", "team": "marketing", "channel": "web"}
HANDED = {"from_team": "marketing", "to_team": "sales_development"}
OTHERS: list[Event] = [
    {"type": "LeadCaptured", "channel": "web_form", "region": "emea", "account_id": "account-1"},
    {"type": "LeadCaptured", "channel": "web_form", "region": "apac"},
    {**TOUCH, "activity": "demo_requested", "is_inbound": True, "is_automated": False},
    {**TOUCH, "activity": "form_submitted", "is_inbound": True, "is_automated": False},
    {**TOUCH, "activity": "page_viewed", "is_inbound": True, "is_automated": False},
    {**TOUCH, "activity": "demo_requested", "is_inbound": True, "is_automated": True},
    {"type": "HandoffOffered", "handoff_id": "handoff-1", "account_id": "account-2", **HANDED},
    {"type": "HandoffOffered", "handoff_id": "handoff-2", **HANDED},
    {"type": "HandoffAccepted", "handoff_id": "handoff-1", "owner": "sdr-anna"},
    {"type": "HandoffAccepted", "handoff_id": "handoff-2", "owner": "sdr-anna"},
    {"type": "HandoffReturned", "handoff_id": "handoff-1", "reason_code": "not_icp"},
    {"type": "OpportunityOpened", "opportunity_id": "deal-1", "account_id": "account-1"},
    {"type": "OpportunityOpened", "opportunity_id": "deal-2", "account_id": "account-1"},
    {"type": "OpportunityLost", "opportunity_id": "deal-1", "account_id": "a", "reason_code": "price"},
]
WON = {"type": "OpportunityWon", "account_id": "account-1", "amount": "10.10"}
OTHERS += [
    {**WON, "opportunity_id": deal, "currency": currency}
    for deal, currency in (("deal-1", "EUR"), ("deal-2", "USD"), ("deal-2", "CHF"))
]
PEOPLE: list[Event] = [
    {"type": "BuyingGroupMemberIdentified", "account_id": account, "contact_id": contact, "role": role}
    for account in ("account-1", "account-2")
    for contact, role in (("c-1", "champion"), ("c-2", "economic_buyer"), ("c-3", "user"))
]


# How a lead usually goes: profiled, interested, known, handed over, answered, sold to.
USUAL: list[st.SearchStrategy[Event]] = [
    st.sampled_from(OTHERS[:2]),
    st.just({"type": "LeadProfiled", **GOOD}),
    st.sampled_from(OTHERS[2:4]),
    st.sampled_from(OTHERS[2:4]),
    st.sampled_from(PEOPLE),
    st.just(OTHERS[6]),
    st.sampled_from([OTHERS[8], OTHERS[10]]),
    st.just(OTHERS[11]),
    st.sampled_from([OTHERS[13], OTHERS[14]]),
]


@st.composite
def lives(draw: st.DrawFn) -> list[Event]:
    """Two leads, profiled, touched, handed over, sold to, now and then merged; ids are their order."""
    emitted: list[Event] = []
    any_event = st.one_of(profiles(), st.sampled_from(OTHERS), st.sampled_from(PEOPLE))
    for lead in ("lead-1", "lead-2"):
        day = draw(st.sampled_from([0, 0, 30, 41]))
        own: list[Event] = []
        for usual in USUAL:
            if draw(st.integers(0, 4)):
                day += draw(st.sampled_from([0, 0, 1, 7]))
                own.append({**draw(usual), "occurred_at": day})
        own += [{**event, "occurred_at": draw(DAYS)} for event in draw(st.lists(any_event, max_size=4))]
        for event in own:
            # One deal and one handoff belong to one lead.
            ids = {key: f"{event[key]}-{lead}" for key in ("handoff_id", "opportunity_id") if key in event}
            emitted.append({**event, **ids, "lead_id": lead})
    if draw(st.integers(0, 4)) == 0:
        emitted.append(
            {"type": "LeadsMerged", "lead_id": "lead-1", "merged_lead_id": "lead-2", "occurred_at": 50}
        )
    for number, event in enumerate(emitted):
        event["event_id"] = f"e{number:03d}"
        event["source"] = "given"
        event["occurred_at"] = (BEGIN + timedelta(days=event["occurred_at"])).isoformat()
    return emitted


def rows(warehouse: Warehouse, emitted: list[Event], view: str) -> list[dict[str, Any]]:
    given(emptied(warehouse), as_bytes(emitted))
    return shown(warehouse, view)


def shown(warehouse: Warehouse, view: str) -> list[dict[str, Any]]:
    found = asked_anew(warehouse, AS_OF, f"select * from funnel.{view}")
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@effort(15)
@for_all(emitted=lives())
def test_a_lead_is_qualified_when_all_required_criteria_hold_and_not_before(
    shared: Warehouse, emitted: list[Event]
) -> None:
    for verdict in rows(shared, emitted, "qualification"):
        required = [c for c in verdict["criteria"] if c["is_required"]]
        assert verdict["criteria_required"] == len(required) > 0
        assert verdict["criteria_met"] == sum(c["is_met"] for c in required)
        assert verdict["is_qualified"] == all(c["is_met"] for c in required)
        assert verdict["is_qualified"] == (verdict["qualified_at"] is not None)
        if verdict["is_qualified"]:
            decided = [c["decided_at"] for c in required]
            # It begins with what decided last, or with a version that asks for less, or when the lead begins.
            assert max(decided) <= verdict["qualified_at"]
            is_second = len(required) == 6
            assert is_second == (verdict["qualified_at"] >= CHANGE)
        else:
            assert len(required) == 6, "who is not qualified is held against the version in force now"


@effort(10)
@for_all(emitted=lives(), days=st.sampled_from([0, 1, 30, 90]))
def test_what_changes_after_the_verdict_does_not_undo_it(
    shared: Warehouse, emitted: list[Event], days: int
) -> None:
    before = {row["lead_id"]: row for row in rows(shared, emitted, "qualification") if row["is_qualified"]}
    later = [
        {
            "type": "LeadProfiled",
            "event_id": f"later-{lead_id}",
            "source": "given",
            "lead_id": lead_id,
            "industry": "retail",
            "employees": 1,
            "occurred_at": (row["qualified_at"] + timedelta(days=days, microseconds=1)).isoformat(),
        }
        for lead_id, row in before.items()
    ]
    given(shared, as_bytes(later))
    after = {row["lead_id"]: row for row in shown(shared, "qualification")}

    assert {lead_id: after[lead_id] for lead_id in before} == before


@effort(10)
@for_all(emitted=lives())
def test_the_counts_of_a_definition_add_up(shared: Warehouse, emitted: list[Event]) -> None:
    verdicts = rows(shared, emitted, "qualification")
    quality = shown(shared, "definition_quality")

    for row in quality:
        assert row["qualified"] == row["answered"] + row["unanswered"]
        assert row["answered"] == row["accepted"] + row["returned"]
        assert row["qualified"] == row["won"] + row["lost"] + row["still_open"] + row["won_before"]
        assert row["wins_qualified"] == row["won"]
        assert row["n"] == min(row["answered"], row["won"] + row["lost"], row["wins"])
        assert (row["missed_value"] > 0 or row["unpriced"] > 0) == (row["wins"] > row["wins_qualified"])
    whole = [row for row in quality if row["segment"] == "all"]
    parts = [row for row in quality if row["segment"] != "all"]
    for name in ("qualified", "answered", "accepted", "lost", "wins", "missed_value", "unpriced"):
        assert sum(row[name] for row in whole) == sum(row[name] for row in parts)
    for version in {row["playbook_version"] for row in verdicts}:
        named = sum(v["is_qualified"] and v["playbook_version"] == version for v in verdicts)
        assert named == sum(row["qualified"] for row in whole if row["playbook_version"] == version)


@st.composite
def merges(draw: st.DrawFn) -> list[Event]:
    lead = st.sampled_from([f"lead-{number}" for number in range(6)])
    said = st.tuples(lead, lead, st.integers(0, 3), st.sampled_from(["merged", "merged", "unmerged"]))
    return [
        {
            "type": f"Leads{what.title()}",
            "event_id": f"e{number}",
            "source": "given",
            "lead_id": stays,
            f"{what}_lead_id": goes,
            "occurred_at": (BEGIN + timedelta(days=day)).isoformat(),
        }
        for number, (stays, goes, day, what) in enumerate(draw(st.lists(said, min_size=1, max_size=9)))
    ]


@effort(25)
@for_all(emitted=merges())
def test_every_merged_lead_lives_on_as_one_that_was_not_merged(
    shared: Warehouse, emitted: list[Event]
) -> None:
    found = {row["lead_id"]: row["surviving_lead_id"] for row in rows(shared, emitted, "lead_identity")}

    assert not found.keys() & set(found.values())
    # The oracle breaks each circle and then follows the merges; the view walks along all ways at once.
    merged = Log.from_events(emitted).merged["lead"]
    assert found == {lead_id: survivor for lead_id, (survivor, _) in merged.items()}
