"""Every view says what the oracle says of the same log, to the last row."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from projections.playbook import read_playbook
from streams.simulator import simulate
from tests import oracle
from tests.given import as_bytes, given, in_memory
from tests.oracle.comparison import compare
from warehouse.warehouse import Warehouse

PLAYBOOK = oracle.Playbook()
# Views of events that the simulator does not write; tests/cases holds them against the oracle.
NOT_IN_A_STORY = ("lead_attribute", "deal_attribute")
Story = tuple[Warehouse, oracle.Log, datetime]


@pytest.fixture(scope="module", params=[7, 20260301], ids=["one story", "another story"])
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("story")
    as_of = simulate(request.param, 1_500, folder).as_of
    lines = (folder / "events.jsonl").read_text().splitlines()
    warehouse = in_memory(read_playbook())
    given(warehouse, as_bytes(json.loads(line) for line in lines), cuts=range(0, len(lines), 4_001))
    return warehouse, oracle.Log.from_file(folder / "events.jsonl"), as_of


@pytest.mark.parametrize("view", oracle.KEYS)
def test_the_view_says_what_the_oracle_says(story: Story, view: str) -> None:
    _compare(story, view, timedelta(0))


@pytest.mark.parametrize("view", oracle.KEYS)
def test_it_does_so_for_an_instant_within_the_log(story: Story, view: str) -> None:
    _compare(story, view, timedelta(days=45))


def _compare(story: Story, view: str, before_the_end: timedelta) -> None:
    warehouse, log, ends_at = story
    as_of = ends_at - before_the_end
    warehouse.pin_as_of(as_of)
    expected = oracle.rows(view, log, PLAYBOOK, as_of)

    found = compare(warehouse.connection.execute, view, oracle.KEYS[view], expected)

    assert expected or view in NOT_IN_A_STORY
    assert not found.differences, f"{len(found.differences)} rows differ, such as {found.differences[0]}"
