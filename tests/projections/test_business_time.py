"""Business time as the views say it: deadlines and open minutes, over weekends, holidays, changed clocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from projections.business_time import open_time, read_windows
from projections.playbook import Playbook, parse_playbook
from streams.simulator import clock
from tests.given import as_bytes, given
from tests.laws.records import effort
from warehouse.warehouse import Warehouse

Hours = tuple[str, Sequence[str], Sequence[str]]  # zone, windows, holidays

CALENDARS: Mapping[str, Hours] = {
    "berlin": ("Europe/Berlin", ["Mon-Fri 09:00-18:00"], ["2026-01-01", "2026-05-01"]),
    "new_york": ("America/New_York", ["Mon-Fri 09:00-18:00"], []),
    "lunch": ("Asia/Kolkata", ["Mon-Fri 14:00-18:30", "Mon-Fri 09:30-13:00"], []),
    "nights": ("Europe/Berlin", ["Mon-Sun 00:00-06:00"], []),
    "us_nights": ("America/New_York", ["Mon-Sun 00:00-06:00"], []),
    "always": ("Europe/Berlin", ["Mon-Sun 00:00-24:00"], []),
    "touching": ("Europe/Berlin", ["Mon 09:00-12:00", "Mon 12:00-15:00"], []),
    "overlapping": ("Europe/Berlin", ["Mon 09:00-13:00", "Mon 12:00-15:00", "Mon 10:00-11:00"], []),
    "over_the_week": ("Europe/Berlin", ["Sat-Mon 10:00-11:00"], []),
    "skipped": ("Europe/Berlin", ["Sun 02:00-03:00", "Sun 10:00-11:00"], []),
    "inside_skipped": ("Europe/Berlin", ["Sun 02:15-02:45", "Sun 10:00-11:00"], []),
}


def playbook_of(calendars: Mapping[str, Hours], within: str = "2 hours") -> Playbook:
    """A playbook in which each calendar is worked by one person of the same name."""
    blocks = ['[playbook]\nname = "clocks"\nwindow = "month"']
    for name, (zone, windows, holidays) in calendars.items():
        blocks.append(
            f'[[calendar]]\nid = "{name}"\nzone = "{zone}"\n'
            f"open = {list(windows)}\nholidays = {list(holidays)}"
        )
    first = next(iter(calendars))
    for team, side in (("marketing", "marketing"), ("sales", "sales")):
        blocks.append(f'[[team]]\nid = "{team}"\nside = "{side}"\ncalendar = "{first}"')
    blocks += [f'[[member]]\nteam = "sales"\ncalendar = "{name}"\nids = ["{name}"]' for name in calendars]
    blocks += ['[[stage]]\nid = "offered"\nentered_by = "HandoffOffered"']
    blocks += ['[[stage]]\nid = "accepted"\nentered_by = "HandoffAccepted"']
    blocks += [
        '[[sla]]\nid = "answer"\nowed_by = "receiver"\nfrom_team = "marketing"\nto_team = "sales"\n'
        f'within = "{within}"\nclock = "business"'
    ]
    return parse_playbook("\n\n".join(blocks))


def offered(handoff: str, owner: str, at: datetime) -> Mapping[str, Any]:
    return {
        "type": "HandoffOffered",
        "event_id": f"offer of {handoff}",
        "source": "test",
        "occurred_at": at.isoformat(),
        "recorded_at": at.isoformat(),
        "handoff_id": handoff,
        "lead_id": "lead",
        "from_team": "marketing",
        "to_team": "sales",
        "owner": owner,
        "reason": "qualified",
    }


def accepted(handoff: str, owner: str, at: datetime) -> Mapping[str, Any]:
    return {
        "type": "HandoffAccepted",
        "event_id": f"answer to {handoff}",
        "source": "test",
        "occurred_at": at.isoformat(),
        "recorded_at": at.isoformat(),
        "handoff_id": handoff,
        "lead_id": "lead",
        "owner": owner,
    }


def told(warehouse: Warehouse, handoff: str) -> tuple[datetime, float]:
    """(when the answer is due, SLA minutes used until the answer) of a handoff, from the public view."""
    row = warehouse.connection.execute(
        "select answer_due_at, answer_minutes_used from funnel.handoff where handoff_id = ?", [handoff]
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def local(calendar: str, text: str) -> datetime:
    """An instant: in the calendar's own zone unless the text names another offset."""
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=ZoneInfo(CALENDARS[calendar][0]))


@pytest.fixture(scope="module")
def company() -> Iterator[Warehouse]:
    """One warehouse for all tables below; every case is a handoff of its own."""
    with Warehouse.open(None, playbook_of(CALENDARS)) as warehouse:
        yield warehouse


@pytest.mark.parametrize(
    ("calendar", "offered_at", "due_at"),
    [
        pytest.param("berlin", "2026-01-10T15:00", "2026-01-12T11:00", id="Saturday 15:00, due Monday 11:00"),
        pytest.param("berlin", "2026-01-11T23:00", "2026-01-12T11:00", id="Sunday 23:00, due Monday 11:00"),
        pytest.param("berlin", "2026-01-09T19:00", "2026-01-12T11:00", id="Friday 19:00, due Monday 11:00"),
        pytest.param("berlin", "2026-01-09T17:00", "2026-01-12T10:00", id="Friday 17:00, due Monday 10:00"),
        pytest.param("berlin", "2026-01-09T16:00", "2026-01-09T18:00", id="the last open instant is in time"),
        pytest.param("berlin", "2026-01-09T18:00", "2026-01-12T11:00", id="closing time is closed"),
        pytest.param("berlin", "2026-01-12T09:00", "2026-01-12T11:00", id="opening time is open"),
        pytest.param("berlin", "2026-01-12T08:59:59.999999", "2026-01-12T11:00", id="1 us before opening"),
        pytest.param(
            "berlin", "2026-01-09T16:00:00.000001", "2026-01-12T09:00:00.000001", id="1 us too late for today"
        ),
        pytest.param("berlin", "2025-12-31T17:00", "2026-01-02T10:00", id="a holiday on a weekday"),
        pytest.param("berlin", "2026-04-30T17:30", "2026-05-04T10:30", id="a holiday before a weekend"),
        pytest.param("berlin", "2026-05-01T12:00", "2026-05-04T11:00", id="offered on a holiday"),
        pytest.param("berlin", "2026-03-27T17:00", "2026-03-30T10:00", id="Berlin springs forward"),
        pytest.param("berlin", "2026-10-23T17:00", "2026-10-26T10:00", id="Berlin falls back"),
        pytest.param("new_york", "2026-03-06T17:00", "2026-03-09T10:00", id="New York springs forward"),
        pytest.param("new_york", "2026-10-30T17:00", "2026-11-02T10:00", id="New York falls back"),
        pytest.param("nights", "2026-03-29T01:00", "2026-03-29T04:00", id="the hour Berlin skips is no time"),
        pytest.param(
            "nights", "2026-10-25T01:00", "2026-10-25T02:00+01:00", id="the hour Berlin lives twice"
        ),
        pytest.param("us_nights", "2026-03-08T01:00", "2026-03-08T04:00", id="the hour New York skips"),
        pytest.param(
            "us_nights", "2026-11-01T00:30", "2026-11-01T01:30-05:00", id="the hour New York lives twice"
        ),
        pytest.param("lunch", "2026-01-05T12:30", "2026-01-05T15:30", id="lunch is not working time"),
        pytest.param("lunch", "2026-01-05T11:00", "2026-01-05T13:00", id="due when lunch begins"),
        pytest.param("lunch", "2026-01-05T13:20", "2026-01-05T16:00", id="offered at lunch"),
        pytest.param("touching", "2026-01-05T11:00", "2026-01-05T13:00", id="windows that touch"),
        pytest.param("overlapping", "2026-01-05T12:00", "2026-01-05T14:00", id="windows that overlap"),
        pytest.param("over_the_week", "2026-01-04T10:30", "2026-01-10T10:30", id="Sat-Mon is three days"),
        pytest.param("skipped", "2026-03-29T00:00", "2026-04-05T03:00", id="a window in the skipped hour"),
        pytest.param("always", "2026-01-01T23:00", "2026-01-02T01:00", id="24:00 and 00:00 are one instant"),
    ],
)
def test_an_answer_owed_within_two_open_hours(
    company: Warehouse, calendar: str, offered_at: str, due_at: str
) -> None:
    handoff = f"due {calendar} {offered_at}"

    given(company, as_bytes([offered(handoff, calendar, local(calendar, offered_at))]))

    assert told(company, handoff)[0] == local(calendar, due_at).astimezone(UTC)


@pytest.mark.parametrize(
    ("calendar", "start", "end", "open_minutes"),
    [
        pytest.param("berlin", "2026-01-05T09:30", "2026-01-05T10:00", 30, id="within a window"),
        pytest.param("berlin", "2026-01-09T17:00", "2026-01-12T10:00", 120, id="over a weekend"),
        pytest.param("berlin", "2026-01-12T10:00", "2026-01-09T17:00", -120, id="backwards is negative"),
        pytest.param("berlin", "2026-01-11T10:00", "2026-01-10T10:00", 0, id="backwards while closed"),
        pytest.param("berlin", "2026-01-10T10:00", "2026-01-11T10:00", 0, id="both instants closed"),
        pytest.param("berlin", "2026-01-09T20:00", "2026-01-12T08:00", 0, id="from closed to closed"),
        pytest.param("berlin", "2026-01-09T07:00", "2026-01-09T23:00", 540, id="a whole day from outside"),
        pytest.param("berlin", "2025-12-31T09:00", "2026-01-02T18:00", 1080, id="a holiday between"),
        pytest.param("berlin", "2026-01-05T09:30", "2026-01-05T09:30", 0, id="no time at all"),
        pytest.param("berlin", "2026-01-05T08:59:30", "2026-01-05T09:00:30", 0.5, id="half a minute"),
        pytest.param("lunch", "2026-01-05T12:30", "2026-01-05T14:30", 60, id="over lunch"),
        pytest.param("lunch", "2026-01-05T14:30", "2026-01-05T12:30", -60, id="over lunch, backwards"),
        pytest.param("lunch", "2026-01-05T00:00Z", "2026-01-06T00:00Z", 480, id="a zone with half hours"),
        pytest.param("always", "2026-03-29T00:00", "2026-03-30T00:00", 23 * 60, id="Berlin's short day"),
        pytest.param("always", "2026-10-25T00:00", "2026-10-26T00:00", 25 * 60, id="Berlin's long day"),
        pytest.param("nights", "2026-03-28T12:00", "2026-03-29T12:00", 300, id="Berlin's short night"),
        pytest.param("nights", "2026-10-24T12:00", "2026-10-25T12:00", 420, id="Berlin's long night"),
        pytest.param("us_nights", "2026-03-07T12:00", "2026-03-08T12:00", 300, id="New York's short night"),
        pytest.param("us_nights", "2026-10-31T12:00", "2026-11-01T12:00", 420, id="New York's long night"),
        pytest.param(
            "nights", "2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00", 60, id="the same wall time twice"
        ),
        pytest.param("berlin", "2026-03-27T09:00", "2026-03-30T18:00", 1080, id="days around a change"),
        pytest.param("touching", "2026-01-05T00:00", "2026-01-06T00:00", 360, id="touching windows"),
        pytest.param("overlapping", "2026-01-05T00:00", "2026-01-06T00:00", 360, id="overlaps count once"),
        pytest.param("skipped", "2026-03-28T00:00", "2026-03-30T00:00", 60, id="the skipped hour is nothing"),
        pytest.param(
            "inside_skipped", "2026-03-29T03:15", "2026-03-29T03:45", 30, id="wall times skipped come later"
        ),
        pytest.param("skipped", "2026-10-24T00:00", "2026-10-26T00:00", 180, id="the repeated hour is two"),
        pytest.param("always", "2000-01-03T00:00", "2000-01-04T00:00", 1440, id="the contract's first days"),
        pytest.param("berlin", "2099-12-30T09:00", "2099-12-30T18:00", 540, id="the contract's last days"),
    ],
)
def test_open_minutes_between_two_instants(
    company: Warehouse, calendar: str, start: str, end: str, open_minutes: float
) -> None:
    handoff = f"used {calendar} {start} {end}"
    offer = offered(handoff, calendar, local(calendar, start))
    answer = accepted(handoff, calendar, local(calendar, end))

    given(company, as_bytes([offer, answer]))

    assert told(company, handoff)[1] == open_minutes


@pytest.mark.parametrize("calendar", CALENDARS)
def test_open_intervals_lie_apart_and_their_running_total_is_right(calendar: str) -> None:
    playbook = playbook_of({calendar: CALENDARS[calendar]})

    table = open_time(playbook.calendars[0]).to_pylist()

    total = timedelta(0)
    for row, following in zip(table, table[1:], strict=False):
        assert timedelta(microseconds=row["open_us_before"]) == total
        total += row["closes_at"] - row["opens_at"]
        assert row["closes_at"] < following["opens_at"] < following["closes_at"]


@pytest.mark.parametrize(
    ("windows", "why"),
    [
        pytest.param([], "a calendar needs open", id="none at all"),
        pytest.param(["Mon-Fri"], "write it like", id="no hours"),
        pytest.param(["Mon-Fri 9:00-18:00"], "write it like", id="one digit"),
        pytest.param(["Mo-Fr 09:00-18:00"], "write it like", id="unknown days"),
        pytest.param(["Mon 22:00-06:00"], "write nights as two windows", id="over midnight"),
        pytest.param(["Mon 09:00-09:00"], "closes before it opens", id="never open"),
        pytest.param(["Mon 09:00-25:00"], "25:00 is no time of day", id="25 o'clock"),
        pytest.param(["Mon 24:00-24:00"], "24:00 is no time of day", id="opens at 24:00"),
    ],
)
def test_windows_that_cannot_be_read_say_why(windows: list[str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_windows(windows)


ZONES = st.sampled_from(
    [
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kolkata",
        "Australia/Lord_Howe",  # half an hour of DST
        "America/Santiago",  # clocks change at midnight
        "Pacific/Kiritimati",  # 14 hours ahead of UTC
        "Pacific/Marquesas",  # nine and a half behind
    ]
)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SPANS = st.tuples(st.sampled_from(DAYS), st.sampled_from(DAYS)).map("-".join) | st.sampled_from(DAYS)


@st.composite
def windows(draw: st.DrawFn) -> str:
    opens = draw(st.integers(0, 95))
    closes = draw(st.integers(opens + 1, 96))
    hours = "-".join(f"{quarter // 4:02d}:{quarter % 4 * 15:02d}" for quarter in (opens, closes))
    return f"{draw(SPANS)} {hours}"


# Days on which the clocks of one of the zones change, and ordinary ones.
AROUND = [
    datetime(2026, 3, 29, tzinfo=UTC),
    datetime(2026, 10, 25, tzinfo=UTC),
    datetime(2026, 3, 8, tzinfo=UTC),
    datetime(2026, 11, 1, tzinfo=UTC),
    datetime(2026, 4, 5, tzinfo=UTC),
    datetime(2026, 9, 6, tzinfo=UTC),
    datetime(2025, 12, 31, tzinfo=UTC),
    datetime(2028, 2, 29, tzinfo=UTC),
]
INSTANTS = st.builds(
    lambda day, offset: day + timedelta(microseconds=offset),
    st.sampled_from(AROUND),
    st.integers(-3 * 96, 3 * 96).map(lambda quarter: quarter * 15 * clock.MINUTE)
    | st.integers(-3 * clock.DAY, 3 * clock.DAY),
)
HOLIDAYS = st.lists(st.sampled_from([f"{day:%Y-%m-%d}" for day in AROUND]), max_size=3, unique=True)
CALENDAR = st.tuples(ZONES, st.lists(windows(), min_size=1, max_size=4), HOLIDAYS)


@effort(6)
@for_all(
    hours=st.lists(CALENDAR, min_size=3, max_size=3),
    allowed_minutes=st.integers(1, 3000),
    pairs=st.lists(st.tuples(INSTANTS, INSTANTS), min_size=15, max_size=15),
)
def test_the_views_count_as_the_simulator_counts(
    hours: list[Hours], allowed_minutes: int, pairs: list[tuple[datetime, datetime]]
) -> None:
    calendars = {f"calendar-{number}": each for number, each in enumerate(hours)}
    cases = {f"{name} {i}": (name, *pair) for name in calendars for i, pair in enumerate(pairs)}
    events = [offered(handoff, name, start) for handoff, (name, start, _) in cases.items()]
    events += [accepted(handoff, name, end) for handoff, (name, _, end) in cases.items()]

    with Warehouse.open(None, playbook_of(calendars, f"{allowed_minutes} minutes")) as warehouse:
        given(warehouse, as_bytes(events))
        said = {
            handoff: (clock.microseconds_of(due_at), used)
            for handoff, due_at, used in warehouse.connection.execute(
                "select handoff_id, answer_due_at, answer_minutes_used from funnel.handoff"
            ).fetchall()
        }

    simulated = {name: clock.Calendar(*each) for name, each in calendars.items()}
    for handoff, (name, start, end) in cases.items():
        begin, finish = clock.microseconds_of(start), clock.microseconds_of(end)
        due = simulated[name].after(begin, allowed_minutes * clock.MINUTE)
        used = clock.minutes(simulated[name].between(begin, finish))
        assert said[handoff] == (due, used), (handoff, calendars[name], start, end)
