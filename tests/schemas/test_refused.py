"""A refused row of an import is a failed event with its own reason; what only looks like one is not."""

from __future__ import annotations

import pytest

from schemas.catalogue import CATALOGUE
from schemas.codec import LONGEST_REASON, decode
from schemas.refused import read_refused, refused_value

SAID = {
    "stage": "import",
    "reason": 'leads.csv:3: day "x" is not a day',
    "event_type": "LeadCaptured",
    "row": "1,x",
}


def test_a_refused_row_fails_with_its_reason_and_the_event_it_would_have_been() -> None:
    value = refused_value(SAID)
    [failure] = decode([value], CATALOGUE).failures
    assert (failure.stage, failure.reason, failure.event_type) == ("import", SAID["reason"], "LeadCaptured")
    assert read_refused(value) == SAID


@pytest.mark.parametrize(
    "value",
    [
        b'{"baton_refused"',
        b'{"baton_refused":[]}',
        b'{"baton_refused":{"reason":"x"}}',
        b'{"baton_refused":{"stage":1,"reason":"x","event_type":""}}',
        b'{"baton_refused":' + b"[" * 100_000,
        b'{"baton_refused":"\xff"}',
        b'{"type": "LeadCaptured"}',
    ],
)
def test_what_only_looks_like_one_fails_as_any_other_value(value: bytes) -> None:
    [failure] = decode([value], CATALOGUE).failures
    assert failure.stage == "frame" and failure.event_type is None


def test_what_a_stranger_wrote_into_one_is_bounded() -> None:
    odd = refused_value({**SAID, "reason": "\ud800" * 1000, "event_type": "x" * 1000})
    [failure] = decode([odd], CATALOGUE).failures
    assert failure.event_type is None
    assert len(failure.reason) <= 6 * LONGEST_REASON and failure.reason.isprintable()
