"""Words that the playbook does not know are a warning with the one that was probably meant."""

from __future__ import annotations

from typing import Any

import pytest

from projections.playbook import DEFAULT_PLAYBOOK, parse_playbook, read_playbook
from projections.unfamiliar import unfamiliar
from schemas.validation import read_event

OFFER = {
    "type": "HandoffOffered",
    "occurred_at": "2026-03-02T09:00:00Z",
    "source": "crm",
    "handoff_id": "handoff-1",
    "lead_id": "lead-1",
    "from_team": "marketing",
    "to_team": "sales_development",
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
SIGNED = {
    "type": "PlaybookSigned",
    "occurred_at": "2026-03-02T09:00:00Z",
    "source": "baton",
    "playbook_version": "v",
    "team": "board",
    "key_id": "k",
    "signature": "s",
}


@pytest.mark.parametrize(
    ("event", "change", "told"),
    [
        (OFFER, {}, []),
        (OFFER, {"to_team": "sales_developmnt"}, [("to_team", "did you mean sales_development?")]),
        (OFFER, {"to_team": "partner_desk"}, [("to_team", "outside it counts as handed elsewhere")]),
        (OFFER, {"from_team": "finance"}, [("from_team", "there are customer_success, marketing")]),
        (GOAL, {}, []),
        (GOAL, {"metric": "revnue"}, [("metric", "did you mean revenue?")]),
        (GOAL, {"owner_team": "Sales"}, [("owner_team", "did you mean sales?")]),
        (SIGNED, {}, []),
    ],
)
def test_what_the_playbook_does_not_know(
    event: dict[str, Any], change: dict[str, Any], told: list[tuple[str, str]]
) -> None:
    found = list(unfamiliar(*read_event({**event, **change}), read_playbook()))

    assert [field for field, _ in found] == [field for field, _ in told]
    assert all(part in why for (_, why), (_, part) in zip(found, told, strict=True))


ATTRIBUTES = """
[[attribute]]
name = "product"
of = "deal"
values = ["basic", "plus"]

[[attribute]]
name = "utm_source"
of = "touch"

[[attribute]]
name = "landing_page"
of = "lead"
"""
CAPTURED = {"type": "LeadCaptured", "occurred_at": OFFER["occurred_at"], "source": "web", "lead_id": "lead-1"}
OPENED = {**CAPTURED, "type": "OpportunityOpened", "opportunity_id": "opp-1"}


@pytest.mark.parametrize(
    ("event", "attributes", "told"),
    [
        (CAPTURED, {"landing_page": "/pricing"}, []),
        (CAPTURED, {"landing_pge": "/pricing"}, [("attributes", "did you mean landing_page?")]),
        (OFFER, {"utm_source": "google"}, [("attributes", "is not an attribute of a lead in the playbook")]),
        (OPENED, {"product": "plus"}, []),
        (OPENED, {"product": "pluss"}, [("attributes.product", "did you mean plus?")]),
        (OPENED, {"product": ""}, []),
    ],
)
def test_attributes_that_the_playbook_does_not_declare(
    event: dict[str, Any], attributes: dict[str, str], told: list[tuple[str, str]]
) -> None:
    playbook = parse_playbook(DEFAULT_PLAYBOOK.read_text() + ATTRIBUTES)
    found = list(unfamiliar(*read_event({**event, "attributes": attributes}), playbook))

    assert [name for name, _ in found] == [name for name, _ in told]
    assert all(part in why for (_, why), (_, part) in zip(found, told, strict=True))


def test_a_playbook_that_declares_no_attribute_says_so() -> None:
    said = read_event({**CAPTURED, "attributes": {"product": "plus"}})

    assert [why for _, why in unfamiliar(*said, read_playbook())] == [
        '"product" is not declared: the playbook has no [[attribute]] of a lead'
    ]
