"""What brought the money: every win is shared out to the cent among what came before it, however odd."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from projections.playbook import read_playbook
from tests.given import as_bytes, asked_anew, emptied, given, in_memory
from tests.laws.records import effort
from warehouse.warehouse import Warehouse

MODELS = {"first", "last", "linear", "position", "w"}
BEGAN = datetime(2026, 3, 30, 9, tzinfo=UTC)
AS_OF = datetime(2026, 12, 31, tzinfo=UTC)
ONE = timedelta(microseconds=1)
SESSION = timedelta(minutes=30)
STEPS = st.sampled_from(
    [timedelta(0), ONE, timedelta(minutes=12), SESSION - ONE, SESSION, timedelta(days=4), timedelta(days=70)]
)
AMOUNTS = st.sampled_from(["0.00", "0.01", "0.07", "100.00", "33333.33", "99999999999999.9999"])
CURRENCIES = st.sampled_from(["EUR", "EUR", "USD", "CHF"])  # nobody named a rate for CHF
LEADS = {"lead-1": "account-1", "lead-2": "account-1", "lead-3": "account-2"}

Event = dict[str, Any]
COLUMNS = (
    "opportunity_id, model, session_id, position, touched_at, team, channel, campaign_id, credit, amount,"
    " booked, won_at, is_attributed"
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Warehouse]:
    with in_memory(read_playbook()) as warehouse:
        yield warehouse


def rows(warehouse: Warehouse, values: Sequence[bytes], select: str) -> list[tuple[Any, ...]]:
    """What the query says of just these events, sorted."""
    given(emptied(warehouse), values)
    return sorted(asked_anew(warehouse, AS_OF, select).fetchall(), key=repr)


def touched(at: datetime, event_id: str, lead_id: str, **said: Any) -> Event:
    return {
        "type": "TouchRecorded", "event_id": event_id, "occurred_at": at.isoformat(), "source": "hubspot",
        "lead_id": lead_id, "team": "marketing", "channel": "web", "activity": "page_viewed",
        "is_inbound": True, "is_automated": False, **said,
    }  # fmt: skip


@st.composite
def stories(draw: st.DrawFn) -> list[Event]:
    """Visits of two accounts by several leads, calls and talks among them, and deals won along the way."""
    at = BEGAN
    emitted: list[Event] = []

    def tell(type_: str, **said: Any) -> None:
        emitted.append(
            {"type": type_, "event_id": f"event-{len(emitted):02d}", "occurred_at": at.isoformat(),
             "source": "crm", **said}
        )  # fmt: skip

    for lead_id, account_id in LEADS.items():
        if draw(st.booleans()):
            said = {"account_id": account_id} if draw(st.booleans()) else {}
            tell("LeadCaptured", lead_id=lead_id, channel="web_form", **said)
    for _ in range(draw(st.integers(1, 12))):
        at += draw(STEPS)
        lead_id = draw(st.sampled_from(sorted(LEADS)))
        account_id = LEADS[lead_id]
        deal = {"opportunity_id": draw(st.sampled_from([f"deal-{account_id}-1", f"deal-{account_id}-2"]))}
        what = draw(st.sampled_from("touch touch touch robot reached call open win win lose".split()))
        if what in ("touch", "robot"):
            said = {"account_id": account_id} if draw(st.booleans()) else {}
            team = draw(st.sampled_from(["marketing", "sales"]))
            campaign = draw(st.sampled_from(["campaign-1", "campaign-2"]))
            emitted.append(
                touched(at, f"event-{len(emitted):02d}", lead_id, team=team, campaign_id=campaign, **said)
                | {"is_automated": what == "robot"}
            )
        elif what == "reached":
            tell("BuyerReached", lead_id=lead_id, channel="phone")
        elif what == "call":
            tell("CallHeld", call_id="call-1", is_marketing_present=draw(st.booleans()), **deal)
        elif what == "open":
            tell("OpportunityOpened", lead_id=lead_id, account_id=account_id, **deal)
        elif what == "win":
            money = {"amount": draw(AMOUNTS), "currency": draw(CURRENCIES)}
            tell("OpportunityWon", account_id=account_id, lead_id=lead_id, **deal, **money)
        else:
            tell("OpportunityLost", reason_code="price", **deal)
    return emitted


@effort(12)
@for_all(emitted=stories())
def test_credit_sums_to_one_and_money_to_what_was_booked_to_the_cent(
    shared: Warehouse, emitted: list[Event]
) -> None:
    found = rows(shared, as_bytes(emitted), f"select {COLUMNS} from funnel.attribution")
    wins = asked_anew(shared, AS_OF, "select opportunity_id, period, booked from funnel.win").fetchall()
    teams = asked_anew(shared, AS_OF, "select model, period, amount, credit from funnel.attribution_team")

    credit: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    amount: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for deal, model, _, _, touched_at, *_, share, part, booked, won_at, is_attributed in found:
        assert is_attributed == (touched_at is not None)
        assert touched_at is None or touched_at <= won_at, "no credit after the event"
        assert 0 <= share <= 1 and (part is None) == (booked is None)
        credit[deal, model] += share
        amount[deal, model] += part or 0
    assert credit == {(deal, model): Decimal(1) for deal, _, _ in wins for model in MODELS}
    assert amount == {(deal, model): booked or 0 for deal, _, booked in wins for model in MODELS}

    of_teams: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for model, period, part, share in teams.fetchall():
        of_teams[model, period][0] += part
        of_teams[model, period][1] += share
    for (_, period), (part, share) in of_teams.items():
        assert part == sum(booked or 0 for _, of, booked in wins if of == period)
        assert share == sum(of == period for _, of, _ in wins)


@effort(10)
@for_all(data=st.data(), emitted=stories())
def test_a_second_contact_in_the_same_session_changes_nothing(
    shared: Warehouse, data: st.DataObject, emitted: list[Event]
) -> None:
    touches = [event for event in emitted if event["type"] == "TouchRecorded" and not event["is_automated"]]
    select = f"select {COLUMNS} from funnel.attribution"
    before = rows(shared, as_bytes(emitted), select)
    if not touches:
        return
    met = data.draw(st.sampled_from(touches), label="met by a second contact")
    colleague = touched(
        datetime.fromisoformat(met["occurred_at"]),
        "later-id",
        "lead-of-a-colleague",
        account_id=met.get("account_id") or LEADS[met["lead_id"]],
        contact_id="a-colleague",
        team="sales",
    )
    # The first touch may name no account: then it belongs to its lead's, if any event names it.
    known = met.get("account_id") or any(
        event.get("lead_id") == met["lead_id"] and event.get("account_id")
        for event in emitted
        if event["type"] in ("LeadCaptured", "OpportunityOpened")
    )
    assert not known or rows(shared, as_bytes([*emitted, colleague]), select) == before


@effort(6)
@for_all(data=st.data(), emitted=stories())
def test_what_comes_after_the_last_win_and_in_which_order_changes_nothing(
    shared: Warehouse, data: st.DataObject, emitted: list[Event]
) -> None:
    views = ("attribution", "attribution_team", "campaign_outcome", "unit_economics")
    selects = [f"select * from funnel.{view}" for view in views]
    at_once = [rows(shared, as_bytes(emitted), select) for select in selects]

    values = as_bytes(emitted)
    values += data.draw(st.lists(st.sampled_from(values), max_size=5), label="emitted again")
    after = max(datetime.fromisoformat(event["occurred_at"]) for event in emitted) + ONE
    late = [touched(after, "too-late", "lead-1", account_id="account-1", team="sales")]
    mixed = data.draw(st.permutations(values), label="order")
    as_it_came = [rows(shared, [*mixed, *as_bytes(late)], select) for select in selects]

    assert as_it_came == at_once
