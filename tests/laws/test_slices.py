"""The values of a dimension add up to all, and the slice all is what the view without slices says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import duckdb
import pytest
from hypothesis import given as for_all

from projections.dimensions import DIMENSIONS
from projections.periods import WINDOW_UNITS
from projections.playbook import DEFAULT_PLAYBOOK, parse_playbook
from projections.projection import views
from tests.given import emptied, given, in_memory
from tests.laws.records import effort
from tests.laws.small_funnels import MOMENTS, Emitted, funnels
from warehouse.warehouse import Warehouse

SLICED = {view.name: view for view in views() if view.is_sliced and view.name != "lead_slice"}
# Days in a zone that is not UTC, and weeks that begin on a day of their own.
PLAYBOOK = parse_playbook(
    DEFAULT_PLAYBOOK.read_text(encoding="utf-8")
    .replace('zone = "UTC"', 'zone = "America/New_York"')
    .replace('week_begins = "monday"', 'week_begins = "sunday"')
    .replace("at_least = 250", "at_least = 20")
)
# The columns that count.
COUNTS = {
    "funnel_stage_slice": (
        "entered", "inferred", "advanced", "advanced_within_7_days", "advanced_within_14_days",
        "advanced_within_30_days", "advanced_within_90_days", "lost", "returned", "elsewhere", "still_there",
        "advanced_in_period", "clock_suspect",
    ),
    "handoff_pair_slice": ("offered", "n", "clock_suspect", "sla_judged", "sla_due", "sla_past_due"),
    "black_hole_slice": ("handoffs",),
    "feedback_loop_slice": (
        "returned", "acknowledged", "acknowledged_in_time", "past_due", "nurture", "fix_data", "reroute",
        "disqualify", "other_disposition", "offered_again", "converted_after", "n",
    ),
    "definition_quality_slice": (
        "qualified", "answered", "unanswered", "accepted", "returned", "won", "lost", "still_open",
        "won_before", "wins", "wins_qualified", "unpriced",
    ),
    "stage_time_slice": ("settled", "still_there", "skipped", "clock_suspect"),
    "win_rate_slice": (
        "opened", "won", "lost", "still_open", "won_in_period", "lost_in_period", "unpriced",
        "unpriced_in_period", "n",
    ),
    "pipeline_velocity_slice": ("open_deals", "unpriced", "n"),
    "speed_to_lead": (
        "signals", "attempted", "within_5_minutes", "within_15_minutes", "within_60_minutes", "reached",
        "waiting", "clock_suspect",
    ),
    "sla_kept": ("owed", "met", "missed", "open", "lapsed", "moot", "past_due", "clock_suspect"),
}  # fmt: skip
# What the slice all counts, in the windows of each unit, and the same counted one by one.
BY_HAND = {
    "funnel_stage_slice": (
        ("stage", "sum(entered)", "sum(still_there)"),
        "select stage, count(*), count(*) filter (where outcome = 'still_there')"
        " from funnel.lead_stage group by stage",
    ),
    "handoff_pair_slice": (
        ("from_team", "to_team", "sum(offered)"),
        "select from_team, to_team, count(*) from funnel.handoff_latency group by all",
    ),
    "black_hole_slice": (
        ("state", "sum(handoffs)"),
        "select state, count(*) from funnel.handoff group by all",
    ),
    "feedback_loop_slice": (
        ("reason_code", "sum(returned)"),
        "select return_reason, count(*) from funnel.handoff_history where returned_at is not null"
        " group by all",
    ),
    "definition_quality_slice": (
        ("sum(qualified)", "sum(wins)"),
        "select count(*) filter (where is_qualified), count(won_at) from funnel.lead_outcome"
        " having count(*) > 0",
    ),
    "stage_time_slice": (
        ("stage", "sum(settled + still_there + skipped + clock_suspect)"),
        "select stage, count(*) from funnel.lead_stage where stage <> 'won' group by all",
    ),
    "win_rate_slice": (
        ("sum(opened)", "sum(won_in_period + lost_in_period)"),
        "select count(*), count(closed_at) from funnel.deal where status <> 'credit' having count(*) > 0",
    ),
    "speed_to_lead": (
        ("sum(signals)", "sum(signals - clock_suspect)"),
        "select count(distinct (lead_id, signal_at)), count(distinct (lead_id, signal_at)) - count(distinct"
        " (lead_id, signal_at)) filter (where least(first_attempt_at, reached_at) < signal_at)"
        " from funnel.handoff_latency where signal_at is not null having count(*) > 0",
    ),
    "sla_kept": (
        ("sla", "owed_by", "sum(owed)", "sum(past_due)"),
        "select sla, owed_by, count(*), count(*) filter (where is_past_due and not is_clock_suspect)"
        " from funnel.obligation group by all",
    ),
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Warehouse]:
    with in_memory(PLAYBOOK) as warehouse:
        yield warehouse


def test_every_sliced_view_is_held_by_the_laws() -> None:
    assert COUNTS.keys() == SLICED.keys() and BY_HAND.keys() == SLICED.keys() - {"pipeline_velocity_slice"}
    for name, counts in COUNTS.items():
        assert set(counts) <= {column.name for column in SLICED[name].columns}


def test_the_dimensions_are_the_columns_of_a_lead(shared: Warehouse) -> None:
    described = shared.connection.execute("describe funnel.lead_dimension").fetchall()
    listed = shared.connection.execute("from playbook.dimension").fetchall()

    assert ["all", *(row[0] for row in described[1:])] == [name for (name,) in listed] == [*DIMENSIONS]


def looked_at(warehouse: Warehouse, emitted: list[Emitted], as_of: datetime) -> duckdb.DuckDBPyConnection:
    """A warehouse that holds just this, read at `as_of`. Many views read the same here: read models pay."""
    given(emptied(warehouse), [event.value for event in emitted])
    warehouse.pin_as_of(as_of)
    return warehouse.connection


@effort(10)
@for_all(emitted=funnels(), as_of=MOMENTS)
def test_the_values_of_every_dimension_add_up_to_all(
    shared: Warehouse, emitted: list[Emitted], as_of: datetime
) -> None:
    connection = looked_at(shared, emitted, as_of)
    for name, counts in COUNTS.items():
        view = SLICED[name]
        apart = [column for column in view.key if column not in ("dimension", "value")]
        sums = ", ".join(f"sum({count})::bigint" for count in counts)
        found: dict[str, list[object]] = {dimension: [] for dimension in DIMENSIONS}
        for dimension, *row in connection.execute(
            f"select {', '.join(['dimension', *apart, sums])} from funnel.{name} group by all order by all"
        ).fetchall():
            found[dimension].append(row)

        for dimension, rows in found.items():
            assert rows == found["all"], f"{name}: {dimension}"
        if "window_unit" in view.key:
            assert {row[0] for row in found["all"]} in (set(), {*WINDOW_UNITS}), name  # type: ignore[index]
        assert connection.execute(
            f"select count(*) from funnel.{name} where dimension is null or value is null"
        ).fetchall() == [(0,)]


@effort(10)
@for_all(emitted=funnels(), as_of=MOMENTS)
def test_in_windows_of_any_unit_everything_counts_once(
    shared: Warehouse, emitted: list[Emitted], as_of: datetime
) -> None:
    connection = looked_at(shared, emitted, as_of)
    for name, (counts, by_hand) in BY_HAND.items():
        counted = connection.execute(f"from ({by_hand}) order by all").fetchall()
        found: dict[str, list[object]] = {unit: [] for unit in WINDOW_UNITS}
        for unit, *row in connection.execute(
            f"select window_unit, {', '.join(counts)} from funnel.{name} where dimension = 'all'"
            " group by all order by all"
        ).fetchall():
            found[unit].append(tuple(row))
        for unit, rows in found.items():
            assert rows == counted, f"{name} by {unit}"
        outside = connection.execute(
            f"select count(*) from funnel.{name} where dimension = 'all' and window_start is distinct from"
            " window_of(window_start, window_unit, (select week_begins from playbook.version),"
            " (select fiscal_year_begins from playbook.version))"
        ).fetchall()
        assert outside == [(0,)], "a window starts on the first day of its unit"


@effort(10)
@for_all(emitted=funnels(), as_of=MOMENTS)
def test_a_lead_has_one_value_in_every_dimension(
    shared: Warehouse, emitted: list[Emitted], as_of: datetime
) -> None:
    connection = looked_at(shared, emitted, as_of)
    leads = connection.execute("select lead_id from funnel.lead order by lead_id").fetchall()
    of_lead = connection.execute(
        "select lead_id, list(dimension order by dimension) from funnel.lead_slice where value is not null"
        " group by lead_id order by lead_id"
    ).fetchall()

    assert of_lead == [(lead_id, sorted(DIMENSIONS[1:])) for (lead_id,) in leads]
