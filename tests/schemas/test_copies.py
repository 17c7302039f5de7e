"""Copies are counted; an id that stands for two things is refused, with the line of the first."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.copies import Copies
from schemas.validation import ContractViolation, read_event

LEAD = {"type": "LeadCaptured", "occurred_at": "2026-03-02T09:00:00Z", "source": "crm", "lead_id": "lead-1"}


def noted(*events: dict[str, Any]) -> int:
    copies = Copies()
    for line, event in enumerate(events, start=1):
        copies.note(*read_event(event), line)
    return copies.count


def test_equal_lines_are_copies_however_they_are_written() -> None:
    elsewhere = {**LEAD, "occurred_at": "2026-03-02T10:00:00+01:00", "recorded_at": "2026-03-04T09:00:00Z"}
    assert noted(LEAD, {**LEAD, "lead_id": "lead-2"}, LEAD, elsewhere) == 2
    assert noted({**LEAD, "event_id": "e"}, {**LEAD, "event_id": "e"}) == 1


def test_another_type_or_another_id_is_no_copy() -> None:
    profiled = {**LEAD, "type": "LeadProfiled"}
    assert noted(LEAD, profiled, {**LEAD, "event_id": "e"}, {**profiled, "event_id": "e"}) == 0


def test_two_contents_under_one_id_are_refused_with_the_first_line() -> None:
    with pytest.raises(ContractViolation) as caught:
        noted({**LEAD, "event_id": "e"}, LEAD, {**LEAD, "event_id": "e", "channel": "event"})
    assert caught.value.field == "event_id"
    assert '"e" stands for something else on line 1' in caught.value.why
