"""The oracle's count of open time, held against a table made by hand."""

from __future__ import annotations

import pytest

from streams.simulator.clock import MINUTE, Calendar
from tests.oracle.business_time import open_time
from tests.oracle.log import instant_of

BERLIN = Calendar("Europe/Berlin", ["Mon-Fri 09:00-18:00"], ["2026-01-01"])
KOLKATA = Calendar("Asia/Kolkata", ["Mon-Fri 14:00-18:30", "Mon-Fri 09:30-13:00"])
NIGHTS = Calendar("Europe/Berlin", ["Sat-Sun 00:00-06:00", "Sun 05:00-24:00"])


@pytest.mark.parametrize(
    ("calendar", "start", "end", "open_minutes"),
    [
        pytest.param(BERLIN, "2026-01-05T09:30+01:00", "2026-01-05T10:00+01:00", 30, id="within a window"),
        pytest.param(BERLIN, "2026-01-09T17:00+01:00", "2026-01-12T10:00+01:00", 120, id="over a weekend"),
        pytest.param(
            BERLIN, "2026-01-12T10:00+01:00", "2026-01-09T17:00+01:00", -120, id="backwards is negative"
        ),
        pytest.param(BERLIN, "2026-01-10T10:00+01:00", "2026-01-11T10:00+01:00", 0, id="all closed"),
        pytest.param(
            KOLKATA, "2026-01-05T12:30+05:30", "2026-01-05T14:30+05:30", 60, id="over a lunch break"
        ),
        pytest.param(
            KOLKATA, "2026-01-05T00:00Z", "2026-01-06T00:00Z", 480, id="a day in a zone with half hours"
        ),
        pytest.param(
            NIGHTS, "2026-03-28T22:00Z", "2026-03-29T10:00Z", 11 * 60, id="the night that lacks an hour"
        ),
        pytest.param(NIGHTS, "2026-10-24T12:00Z", "2026-10-26T12:00Z", 25 * 60, id="the day of 25 hours"),
    ],
)
def test_open_time_between_two_instants(calendar: Calendar, start: str, end: str, open_minutes: int) -> None:
    assert open_time(calendar, instant_of(start), instant_of(end)) == open_minutes * MINUTE
