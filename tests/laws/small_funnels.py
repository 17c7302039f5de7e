"""Small funnels for the laws: a few leads, handoffs and deals, plausible or not.

Ties in time, answers before offers, returns after acceptances, events of handoffs nobody offered, the
same id with different content, repeated openings, days on which clocks change: all of it is
common here, because all of it is in the log of a real company.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from schemas.catalogue import CATALOGUE
from schemas.codec import encode
from tests.laws.records import records

BIRTHS = st.sampled_from(
    [
        datetime(2026, 3, 27, 16, 59, 59, 999_999, tzinfo=UTC),  # Friday, 1 us before Berlin closes
        datetime(2026, 3, 29, 1, 0, tzinfo=UTC),  # Berlin's clocks go forward
        datetime(2026, 3, 30, 7, 0, tzinfo=UTC),  # Monday, Berlin opens an hour earlier in UTC
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),  # the hour that Berlin lives twice
        datetime(2026, 11, 1, 6, 0, tzinfo=UTC),  # New York's clocks go back
        datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC),  # before a holiday, a month's and a year's end
        datetime(2028, 2, 29, 12, 0, tzinfo=UTC),  # a leap day
    ]
)
DELAYS = st.sampled_from(
    [
        timedelta(0),
        timedelta(microseconds=1),
        timedelta(minutes=5),
        timedelta(minutes=59, seconds=59),
        timedelta(hours=2),
        timedelta(hours=26),
        timedelta(days=3),
        timedelta(days=90),
    ]
)
MOMENTS = st.builds(
    lambda birth, delay, sign: birth + sign * delay, BIRTHS, DELAYS, st.sampled_from([1, 1, 1, -1])
)

LEADS = st.sampled_from(["lead-1", "lead-2", "lead-3"])
HANDOFFS = st.sampled_from(["handoff-1", "handoff-2", "handoff-3", "handoff-4", "never-offered"])
ACCOUNTS = st.sampled_from(["account-1", "account-2"])
DEALS = st.sampled_from(["deal-1", "deal-2"])
PEOPLE = st.sampled_from(["sdr-anna", "sdr-dan", "sdr-farid", "ae-jack", "a-stranger"])

POOLS: dict[str, st.SearchStrategy[Any]] = {
    "event_id": st.integers(0, 10**6).map(lambda number: f"event-{number}"),
    "occurred_at": MOMENTS,
    "recorded_at": MOMENTS,
    "source": st.sampled_from(["hubspot", "salesforce"]),
    "lead_id": LEADS,
    "merged_lead_id": LEADS,
    "merged_account_id": ACCOUNTS,
    "merged_opportunity_id": DEALS,
    "subscription_id": st.sampled_from(["plan-1", "plan-2"]),
    "unmerged_lead_id": LEADS,
    "region": st.sampled_from(["emea", "apac"]),
    "industry": st.sampled_from(["software", "retail"]),
    "country": st.sampled_from(["DE", "FR"]),
    "employees": st.sampled_from([0, 20, 400]),
    "fit_score": st.sampled_from([10, 20, 90]),
    "job_role": st.sampled_from(["champion", "user"]),
    "role": st.sampled_from(["champion", "user"]),
    "contact_id": st.sampled_from(["contact-1", "contact-2"]),
    "activity": st.sampled_from(["demo_requested", "page_viewed"]),
    "account_id": ACCOUNTS,
    "handoff_id": HANDOFFS,
    "previous_handoff_id": HANDOFFS,
    "opportunity_id": DEALS,
    "owner": PEOPLE,
    "from_owner": PEOPLE,
    "to_owner": PEOPLE,
    "from_team": st.sampled_from(["marketing", "sales_development", "sales", "nobody"]),
    "to_team": st.sampled_from(["sales_development", "sales", "customer_success", "nobody"]),
    "disposition": st.sampled_from(["nurture", "disqualify"]),
    "reason_code": st.sampled_from(["no_budget", "bad_data"]),
    "stage": st.sampled_from(["discovery", "proposal"]),
    "amount": st.sampled_from([Decimal("0.0000"), Decimal("1200.5000"), Decimal("99999999999999.9999")]),
    "currency": st.sampled_from(["EUR", "USD"]),
    "probability": st.sampled_from([0.0, 0.1, 1.0]),
    "data_completeness": st.sampled_from([0.0, 0.5, 1.0]),
    "channel": st.just("email"),
    "note": st.just("said so"),
}

LIVED = (
    "LeadCaptured",
    "LeadProfiled",
    "TouchRecorded",
    "LeadsMerged",
    "LeadsUnmerged",
    "BuyingGroupMemberIdentified",
    "HandoffOffered",
    "HandoffAccepted",
    "HandoffReturned",
    "HandoffReassigned",
    "HandoffPaused",
    "HandoffResumed",
    "FeedbackAcknowledged",
    "ContactAttempted",
    "BuyerReached",
    "OpportunityOpened",
    "OpportunityStageEntered",
    "OpportunityRevised",
    "OpportunityWon",
    "OpportunityLost",
)
# How a handoff usually goes; a life is a part of this, in this order.
USUAL = (
    "LeadCaptured",
    "LeadProfiled",
    "TouchRecorded",
    "HandoffOffered",
    "HandoffReassigned",
    "HandoffAccepted",
    "ContactAttempted",
    "ContactAttempted",
    "BuyerReached",
    "HandoffReturned",
    "FeedbackAcknowledged",
    "OpportunityOpened",
    "OpportunityStageEntered",
    "OpportunityWon",
)


@dataclass(frozen=True)
class Emitted:
    """One event as it is emitted: its type and its record."""

    type: str
    record: dict[str, Any]

    @property
    def value(self) -> bytes:
        """The event as it travels through Kafka."""
        return encode(CATALOGUE.event_types[self.type], self.record)


def _any_event(name: str) -> st.SearchStrategy[Emitted]:
    return st.builds(Emitted, st.just(name), records(CATALOGUE.event_types[name], POOLS))


def events_of(*names: str) -> st.SearchStrategy[Emitted]:
    """Any event of these types."""
    return st.sampled_from(names).flatmap(_any_event)


EVENTS = events_of(*LIVED)


@st.composite
def _life(draw: st.DrawFn) -> list[Emitted]:
    """One lead, handed over once, in the usual order; what happens, and when, differs."""
    same = {"lead_id": draw(LEADS), "handoff_id": draw(HANDOFFS), "opportunity_id": draw(DEALS)}
    at = draw(BIRTHS)
    life = []
    for name in USUAL:
        if not draw(st.booleans()):
            continue
        at += draw(DELAYS)
        emitted = draw(_any_event(name))
        said = {field: value for field, value in same.items() if field in emitted.record}
        late = draw(st.sampled_from([timedelta(0), timedelta(seconds=1), timedelta(days=90)]))
        life.append(Emitted(name, {**emitted.record, **said, "occurred_at": at, "recorded_at": at + late}))
    return life


@st.composite
def funnels(draw: st.DrawFn) -> list[Emitted]:
    """Distinct events, at least one; some event ids are emitted again with different content."""
    emitted = [event for life in draw(st.lists(_life(), max_size=2)) for event in life]
    emitted += draw(st.lists(EVENTS, min_size=0 if emitted else 1, max_size=8))
    return emitted + draw(emitted_again(emitted, most=2))


@st.composite
def emitted_again(draw: st.DrawFn, emitted: list[Emitted], most: int) -> list[Emitted]:
    """Some of the events with different content under the same id."""
    again = []
    for index in draw(st.lists(st.integers(0, len(emitted) - 1), max_size=most)):
        other = draw(_any_event(emitted[index].type))
        again.append(Emitted(other.type, {**other.record, "event_id": emitted[index].record["event_id"]}))
    return again


@st.composite
def arrivals(draw: st.DrawFn, emitted: list[Emitted]) -> tuple[list[bytes], list[int]]:
    """The same events as Kafka may bring them: any order, some several times, cut into batches anywhere."""
    values = [event.value for event in emitted]
    values += draw(st.lists(st.sampled_from(values), max_size=6))
    cuts = draw(st.lists(st.integers(0, len(values)), max_size=4))
    return draw(st.permutations(values)), cuts
