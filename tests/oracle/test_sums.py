"""The oracle's numbers add up: parts to their whole, and one number to another."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

import pytest

from streams.simulator import stories
from tests import oracle
from tests.oracle.black_hole import STATES
from tests.oracle.log import instant_of


class Story:
    """A simulated funnel and its numbers at the end of it."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = list(stories(20260301, 1200))
        self._log, self._playbook = oracle.Log.from_events(self.events), oracle.Playbook()

    def rows(self, view: str) -> list[oracle.Row]:
        return oracle.rows(view, self._log, self._playbook, datetime.fromisoformat("2026-05-05T14:00Z"))


@pytest.fixture(scope="module")
def story() -> Story:
    return Story()


def test_the_black_hole_adds_up_to_the_offers(story: Story) -> None:
    offered = {e["handoff_id"] for e in story.events if e["type"] == "HandoffOffered"}
    black_hole = story.rows("black_hole")
    states = Counter(row["state"] for row in story.rows("handoff"))

    assert [row["state"] for row in black_hole] == list(STATES)
    assert sum(row["handoffs"] for row in black_hole) == len(offered)
    assert all(row["handoffs"] == states[row["state"]] for row in black_hole)
    assert {row["handoff_id"] for row in story.rows("handoff_latency")} == offered


def test_entered_is_advanced_and_lost_and_returned_and_still_there(story: Story) -> None:
    stages = story.rows("funnel_stage")
    by_stage: dict[str, Counter[str]] = defaultdict(Counter)
    for row in stages:
        assert row["entered"] == sum(
            row[name] for name in ("advanced", "lost", "returned", "elsewhere", "still_there")
        )
        by_stage[row["stage"]].update(
            {name: row[name] for name in ("entered", "advanced", "advanced_in_period")}
        )

    totals = list(by_stage.values())
    assert len(totals) == 7
    for stage, following in zip(totals, totals[1:], strict=False):
        assert stage["advanced"] == stage["advanced_in_period"] == following["entered"]


def test_segments_add_up(story: Story) -> None:
    for row in story.rows("handoff_latency"):
        begin = row["signal_at"] or row["offered_at"]
        end = row["offered_at"]
        if row["answered_at"] and not row["is_clock_suspect"]:
            touched = [at for at in (row["first_attempt_at"], row["reached_at"]) if at]
            end = max(row["answered_at"], min(touched, default=row["answered_at"]), row["reached_at"] or "")
        parts = sum(v for name, v in row.items() if name.startswith("segment_") and v is not None)
        assert parts == pytest.approx((instant_of(end) - instant_of(begin)) / 60000000.0, abs=1e-6)
