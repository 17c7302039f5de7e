"""The oracle itself, held against cases made by hand: a lead's handoffs, its funnel and its deals.

Sales Development is in Berlin, Mon-Fri 09-18; 2026-03-02 is a Monday and Berlin is one hour ahead of UTC.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests import oracle
from tests.oracle.handoff_events import Handoff, handoffs
from tests.oracle.log import Log, instant_of

PLAYBOOK = oracle.Playbook()
AS_OF = datetime.fromisoformat("2026-03-09T12:00Z")
# What an event states when a case does not care.
DEFAULTS: dict[str, dict[str, Any]] = {
    "HandoffOffered": {
        "handoff_id": "h1",
        "from_team": "marketing",
        "to_team": "sales_development",
        "owner": "sdr-anna",
    },
    "HandoffReassigned": {"handoff_id": "h1", "to_owner": "sdr-anna"},
    "HandoffAccepted": {"handoff_id": "h1", "owner": "sdr-anna"},
    "HandoffReturned": {"handoff_id": "h1", "owner": "sdr-anna", "reason_code": "not_icp"},
    "FeedbackAcknowledged": {"handoff_id": "h1", "disposition": "nurture"},
    "ContactAttempted": {"is_automated": False},
    "BuyerReached": {},
    "LeadCaptured": {},
    "TouchRecorded": {"is_inbound": True, "is_automated": False},
    "OpportunityOpened": {
        "opportunity_id": "o1",
        "account_id": "a1",
        "owner": "ae-kim",
    },
    "OpportunityStageEntered": {"opportunity_id": "o1"},
    "OpportunityRevised": {"opportunity_id": "o1"},
    "OpportunityWon": {"opportunity_id": "o1", "amount": "900.00", "currency": "EUR"},
    "OpportunityLost": {"opportunity_id": "o1", "reason_code": "price"},
}
Case = tuple[str, str, dict[str, Any]]


def on(time: str, type_: str, **fields: Any) -> Case:
    """An event of March 2026: on("2 09:00", ...) is March 2nd, 09:00 UTC."""
    day, _, clock = time.partition(" ")
    return f"2026-03-{int(day):02d}T{clock}Z", type_, fields


def log_of(*cases: Case) -> Log:
    """Each event is recorded two minutes after it occurred; ids sort in the order of the cases."""
    return Log.from_events(
        {
            "type": type_,
            "event_id": f"e{number:03d}",
            "occurred_at": at,
            "recorded_at": (datetime.fromisoformat(at) + timedelta(minutes=2)).isoformat(),
            "lead_id": "lead",
            **DEFAULTS[type_],
            **fields,
        }
        for number, (at, type_, fields) in enumerate(cases)
    )


def rows(view: str, log: Log) -> list[dict[str, Any]]:
    return oracle.rows(view, log, PLAYBOOK, AS_OF)


def handoff(log: Log) -> Handoff:
    return handoffs(log)["h1"]


OFFER = on("2 09:00", "HandoffOffered")
ASSIGNED = on("2 09:01", "HandoffReassigned")
ACCEPTED = on("2 10:00", "HandoffAccepted")
RETURNED = on("2 11:00", "HandoffReturned")
DEAL = on("4 09:00", "OpportunityOpened")


@pytest.mark.parametrize(
    ("state", "cases"),
    [
        pytest.param("not_arrived", [OFFER], id="nobody ever saw it"),
        pytest.param("past_due", [OFFER, ASSIGNED], id="unanswered and too late"),
        pytest.param(
            "past_due", [OFFER, on("3 09:00", "ContactAttempted", is_automated=True)], id="only a robot"
        ),
        pytest.param(
            "waiting",
            [on("9 11:40", "HandoffOffered"), on("9 11:41", "HandoffReassigned")],
            id="unanswered for 20 of 120 minutes",
        ),
        pytest.param(
            "at_risk",
            [on("9 10:30", "HandoffOffered"), on("9 10:31", "HandoffReassigned")],
            id="unanswered for 90 of 120 minutes",
        ),
        pytest.param(
            "waiting",
            [on("2 09:00", "HandoffOffered", to_team="partner_desk"), ASSIGNED],
            id="a pair without an SLA waits for ever",
        ),
        pytest.param("accepted_untouched", [OFFER, ACCEPTED], id="accepted, then nothing"),
        pytest.param(
            "accepted_untouched",
            [OFFER, ACCEPTED, on("3 09:00", "ContactAttempted", is_automated=True)],
            id="a robot's attempt is no work",
        ),
        pytest.param("being_worked", [OFFER, ACCEPTED, on("3 09:00", "BuyerReached")], id="reached"),
        pytest.param(
            "being_worked",
            [OFFER, RETURNED, on("3 09:00", "ContactAttempted"), on("3 10:00", "HandoffAccepted")],
            id="returned, then taken after all",
        ),
        pytest.param("returned_unacknowledged", [OFFER, ACCEPTED, RETURNED], id="accepted, then returned"),
        pytest.param(
            "returned_acknowledged",
            [OFFER, RETURNED, on("3 09:00", "FeedbackAcknowledged")],
            id="returned, and Marketing answered",
        ),
        pytest.param(
            "returned_acknowledged",
            [
                OFFER,
                RETURNED,
                on("3 09:00", "FeedbackAcknowledged"),
                on("4 09:00", "FeedbackAcknowledged", disposition="disqualify"),
            ],
            id="the earliest acknowledgement counts",
        ),
        pytest.param(
            "lost",
            [OFFER, RETURNED, on("3 09:00", "FeedbackAcknowledged", disposition="disqualify")],
            id="disqualified",
        ),
        pytest.param(
            "recycled",
            [OFFER, RETURNED, on("5 09:00", "HandoffOffered", handoff_id="h2", previous_handoff_id="h1")],
            id="offered again",
        ),
        pytest.param("converted", [OFFER, RETURNED, DEAL], id="a deal outranks a return"),
        pytest.param(
            "lost", [OFFER, ACCEPTED, DEAL, on("5 09:00", "OpportunityLost")], id="its only deal is lost"
        ),
        pytest.param(
            "converted",
            [
                OFFER,
                DEAL,
                on("4 10:00", "OpportunityOpened", opportunity_id="o2"),
                on("5 09:00", "OpportunityLost"),
            ],
            id="one of its deals is still open",
        ),
        pytest.param(
            "converted",
            [OFFER, DEAL, on("5 09:00", "OpportunityLost"), on("6 09:00", "OpportunityWon")],
            id="lost first, won in the end",
        ),
        pytest.param(
            "not_arrived",
            [OFFER, on("4 09:00", "OpportunityOpened", lead_id=None)],
            id="a deal that names neither handoff nor lead belongs to nobody",
        ),
    ],
)
def test_a_handoff_is_in_exactly_one_state(state: str, cases: list[Case]) -> None:
    states = {row["handoff_id"]: row["state"] for row in rows("handoff", log_of(*cases))}

    assert states["h1"] == state


@pytest.mark.parametrize(
    ("attempt", "belongs_to"),
    [
        pytest.param(on("4 09:00", "ContactAttempted"), "h1", id="the latest offered by then"),
        pytest.param(on("5 09:00", "ContactAttempted"), "h3", id="of two in one instant the larger id"),
        pytest.param(on("6 09:00", "ContactAttempted", handoff_id="h1"), "h1", id="the one it names"),
        pytest.param(
            on("1 09:00", "ContactAttempted", handoff_id="h2"), "h2", id="the one it names, even too early"
        ),
        pytest.param(on("1 09:00", "ContactAttempted"), None, id="none before the first offer"),
        pytest.param(
            on("6 09:00", "ContactAttempted", handoff_id="h9"), None, id="none, for an unknown handoff"
        ),
    ],
)
def test_contact_belongs_to_a_handoff(attempt: Case, belongs_to: str | None) -> None:
    later = [on("5 09:00", "HandoffOffered", handoff_id=handoff_id) for handoff_id in ("h3", "h2")]

    found = handoffs(log_of(OFFER, *later, attempt))

    assert [h for h in found if found[h].human_attempts] == ([belongs_to] if belongs_to else [])


@pytest.mark.parametrize(
    ("owner", "cases"),
    [
        pytest.param("sdr-anna", [], id="whom it was offered to"),
        pytest.param(
            "sdr-boris",
            [on("2 09:05", "HandoffReassigned", to_owner="sdr-boris"), ASSIGNED],
            id="last assigned",
        ),
        pytest.param(
            "sdr-clara", [ASSIGNED, on("2 10:00", "HandoffAccepted", owner="sdr-clara")], id="who answered"
        ),
        pytest.param(
            "sdr-clara",
            [
                on("2 10:00", "HandoffAccepted", owner="sdr-clara"),
                on("2 10:00", "HandoffAccepted", owner="sdr-dan"),
            ],
            id="of two answers in one instant the smaller event id",
        ),
        pytest.param(
            "sdr-anna",
            [ASSIGNED, on("2 10:00", "HandoffReturned", owner=None)],
            id="an answer without a name",
        ),
    ],
)
def test_the_owner(owner: str, cases: list[Case]) -> None:
    assert handoff(log_of(OFFER, *cases)).owner == owner


def slas(*cases: Case) -> dict[str, dict[str, Any]]:
    return {row["sla"]: row for row in rows("handoff_sla", log_of(*cases))}


def test_a_clock_runs_only_once_it_has_started() -> None:
    assert set(slas(OFFER)) == {"answer"}
    assert set(slas(OFFER, ACCEPTED)) == {"answer", "first_attempt", "attempts"}
    assert set(slas(OFFER, RETURNED)) == {"answer", "acknowledge_return"}


def test_an_sla_met_late_stays_due_but_is_not_past_due() -> None:
    answer = slas(on("6 16:30", "HandoffOffered"), on("9 10:01", "HandoffAccepted"))["answer"]

    assert answer["due_at"] == "2026-03-09T09:30:00.000000Z"
    assert answer["used_minutes"] == 151.0
    assert (answer["is_met"], answer["is_due"], answer["is_past_due"]) == (False, True, False)


def test_five_attempts_or_a_talk_meet_the_attempts_sla() -> None:
    tries = [on(f"3 {hour}:00", "ContactAttempted") for hour in (10, 11, 12, 13, 14, 15)]
    reached = on("3 12:30", "BuyerReached")

    assert slas(OFFER, ACCEPTED, *tries[:4])["attempts"]["met_at"] is None
    assert slas(OFFER, ACCEPTED, *tries)["attempts"]["met_at"] == "2026-03-03T14:00:00.000000Z"
    assert slas(OFFER, ACCEPTED, *tries, reached)["attempts"]["met_at"] == "2026-03-03T12:30:00.000000Z"


def test_an_attempt_before_the_acceptance_uses_no_time() -> None:
    first = slas(OFFER, on("2 09:40", "ContactAttempted"), ACCEPTED)["first_attempt"]

    assert first["used_minutes"] == 0.0 and first["is_met"]


def test_a_handoff_whose_clocks_disagree_is_kept_and_not_judged() -> None:
    answer = slas(OFFER, on("2 08:50", "HandoffAccepted"))["answer"]

    assert answer["is_clock_suspect"] and answer["used_minutes"] == -10.0
    assert not (answer["is_met"] or answer["is_due"] or answer["is_past_due"] or answer["is_at_risk"])


def test_marketing_owes_the_acknowledgement_by_its_own_calendar() -> None:
    in_new_york = on("2 20:00", "HandoffReturned", owner="sdr-dan")

    owed = slas(OFFER, in_new_york)["acknowledge_return"]

    assert (owed["owed_by"], owed["due_at"]) == ("marketing", "2026-03-03T16:00:00.000000Z")


def test_segments_add_up_to_the_way_from_the_signal_to_the_talk() -> None:
    log = log_of(
        on("6 16:00", "TouchRecorded"),
        on("6 16:10", "TouchRecorded", is_automated=True),
        on("6 16:30", "HandoffOffered"),
        on("9 08:15", "HandoffAccepted"),
        on("9 09:00", "ContactAttempted"),
        on("9 09:10", "BuyerReached"),
    )

    (latency,) = rows("handoff_latency", log)
    segments = {name: value for name, value in latency.items() if name.startswith("segment_")}

    assert segments == {
        "segment_integration": 2.0,
        "segment_routing": 28.0,
        "segment_answer": 45.0,
        "segment_attempt": 45.0,
        "segment_off_hours": 63 * 60.0 - 45 + 45,
        "segment_paused": None,
        "segment_buyer": 10.0,
    }
    whole = (instant_of("2026-03-09T09:10Z") - instant_of("2026-03-06T16:00Z")) / 60000000.0
    assert sum(minutes or 0.0 for minutes in segments.values()) == whole == latency["total_minutes"]


def funnel(*cases: Case) -> dict[str, dict[str, Any]]:
    return {row["stage"]: row for row in rows("funnel_stage", log_of(*cases))}


def test_a_skipped_stage_is_entered_with_the_next_one_and_marked() -> None:
    stages = funnel(on("2 08:00", "LeadCaptured"), OFFER, on("3 09:00", "BuyerReached"))

    assert {name: row["inferred"] for name, row in stages.items()} == {
        "captured": 0,
        "engaged": 1,
        "offered": 0,
        "accepted": 1,
        "reached": 0,
    }
    assert stages["reached"]["still_there"] == 1 and stages["offered"]["cohort_rate"] == 1.0


@pytest.mark.parametrize(
    ("outcome", "cases"),
    [
        pytest.param("still_there", [], id="nothing since"),
        pytest.param("returned", [RETURNED], id="returned"),
        pytest.param(
            "lost",
            [RETURNED, on("2 11:00", "FeedbackAcknowledged", disposition="disqualify")],
            id="returned and disqualified in one instant is lost",
        ),
        pytest.param(
            "still_there", [RETURNED, on("5 09:00", "HandoffOffered", handoff_id="h2")], id="offered again"
        ),
        pytest.param(
            "elsewhere",
            [RETURNED, on("5 09:00", "HandoffOffered", handoff_id="h2", to_team="partner_desk")],
            id="handed to a partner",
        ),
        pytest.param(
            "returned",
            [
                on("5 09:00", "HandoffOffered", handoff_id="h2", to_team="partner_desk"),
                on("6 09:00", "HandoffReturned", handoff_id="h2"),
            ],
            id="the partner gave it back",
        ),
        pytest.param(
            "returned", [on("2 09:00", "HandoffReturned")], id="returned in the instant of the offer"
        ),
    ],
)
def test_what_became_of_a_lead_at_its_furthest_stage(outcome: str, cases: list[Case]) -> None:
    assert funnel(OFFER, *cases)["offered"][outcome] == 1


def test_a_deal_is_worth_what_was_stated_last() -> None:
    log = log_of(
        on(
            "4 09:00",
            "OpportunityOpened",
            stage="discovery",
            amount="500.00",
            currency="EUR",
            closes_on="2026-04-01",
        ),
        on("6 09:00", "OpportunityRevised", closes_on="2026-05-01"),
        on("5 09:00", "OpportunityRevised", amount="750.50", currency="EUR"),
        on("6 09:00", "OpportunityStageEntered", stage="proposal"),
        on("7 09:00", "OpportunityLost"),
    )

    (deal,) = rows("opportunity", log)

    assert (deal["stage"], deal["amount"], deal["closes_on"]) == ("proposal", "750.50", "2026-05-01")
    assert (deal["status"], deal["lost_reason"]) == ("lost", "price")
