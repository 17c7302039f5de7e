"""The simulator's own business time, held against a table made by hand."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from schemas.errors import BatonError
from streams.simulator.clock import HOUR, MINUTE, Calendar, iso, microseconds_of
from tests.oracle.business_time import open_time

BERLIN = Calendar("Europe/Berlin", ["Mon-Fri 09:00-18:00"], ["2026-01-01"])


def berlin(text: str) -> int:
    return microseconds_of(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")))


@pytest.mark.parametrize(
    ("offered", "due"),
    [
        pytest.param("2026-01-10T15:00", "2026-01-12T11:00", id="Saturday 15:00 is due Monday 11:00"),
        pytest.param("2026-01-11T23:00", "2026-01-12T11:00", id="Sunday 23:00 is due Monday 11:00"),
        pytest.param("2026-01-09T19:00", "2026-01-12T11:00", id="Friday 19:00 is due Monday 11:00"),
        pytest.param("2026-01-09T17:00", "2026-01-12T10:00", id="Friday 17:00 is due Monday 10:00"),
        pytest.param("2026-01-09T16:00", "2026-01-09T18:00", id="the last open instant is in time"),
        pytest.param("2026-01-09T18:00", "2026-01-12T11:00", id="closing time is closed"),
        pytest.param("2025-12-31T17:00", "2026-01-02T10:00", id="a holiday is closed"),
        pytest.param("2026-03-27T17:00", "2026-03-30T10:00", id="the clocks change over the weekend"),
    ],
)
def test_two_open_hours_after_an_offer(offered: str, due: str) -> None:
    due_at = BERLIN.after(berlin(offered), 2 * HOUR)

    assert iso(due_at) == iso(berlin(due))
    assert open_time(BERLIN, berlin(offered), due_at) == 2 * HOUR


def test_an_instant_is_written_to_the_microsecond() -> None:
    instant = microseconds_of(datetime.fromisoformat("2026-03-02T10:04:05.000007+01:00"))

    assert iso(instant) == "2026-03-02T09:04:05.000007Z"


def test_a_calendar_that_never_opens_says_so() -> None:
    never = Calendar("Europe/Berlin", ["Mon 09:00-09:00"])

    with pytest.raises(BatonError, match="too little open time"):
        never.after(berlin("2026-01-05T09:00"), MINUTE)
