"""Every view says what the oracle says of the same log, to the last row."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from projections.playbook import read_playbook
from streams.simulator import simulate
from tests import oracle
from tests.given import as_bytes, given
from warehouse.warehouse import Warehouse

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT")
MONEY = re.compile(r"-?\d+\.\d+")
PLAYBOOK = oracle.Playbook()
# Faults of views, each with what is wrong.
COUNTS_WHAT_CAME_LATER = {"feedback_loop": "offered_again counts offers that happened after as_of"}
Story = tuple[Warehouse, oracle.Log, datetime]


@pytest.fixture(scope="module", params=[7, 20260301], ids=["one story", "another story"])
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("story")
    as_of = simulate(request.param, 1_500, folder).as_of
    lines = (folder / "events.jsonl").read_text().splitlines()
    warehouse = Warehouse.open(None, read_playbook())
    given(warehouse, as_bytes(json.loads(line) for line in lines), cuts=range(0, len(lines), 4_001))
    return warehouse, oracle.Log.from_file(folder / "events.jsonl"), as_of


@pytest.mark.parametrize("view", oracle.KEYS)
def test_the_view_says_what_the_oracle_says(story: Story, view: str) -> None:
    _compare(story, view, timedelta(0))


@pytest.mark.parametrize("view", oracle.KEYS)
def test_it_does_so_for_an_instant_within_the_log(
    story: Story, view: str, request: pytest.FixtureRequest
) -> None:
    if view in COUNTS_WHAT_CAME_LATER:
        reason = COUNTS_WHAT_CAME_LATER[view]
        request.applymarker(pytest.mark.xfail(raises=AssertionError, strict=True, reason=reason))
    _compare(story, view, timedelta(days=45))


def _compare(story: Story, view: str, before_the_end: timedelta) -> None:
    warehouse, log, ends_at = story
    as_of = ends_at - before_the_end
    warehouse.pin_as_of(as_of)
    expected = oracle.rows(view, log, PLAYBOOK, as_of)
    columns = list(expected[0])
    found = warehouse.connection.execute(f"select {', '.join(columns)} from funnel.{view}").fetchall()

    by_view = _by_key(view, [dict(zip(columns, row, strict=True)) for row in found])
    by_oracle = _by_key(view, expected)

    assert len(by_view) == len(found) and len(by_oracle) == len(expected)
    assert by_view.keys() == by_oracle.keys()
    wrong = {key: (by_view[key], row) for key, row in by_oracle.items() if by_view[key] != row}
    assert not wrong, f"{len(wrong)} rows differ, such as {next(iter(wrong.values()))}"


def _by_key(view: str, rows: list[dict[str, Any]]) -> dict[tuple[str, ...], dict[str, Any]]:
    key = oracle.KEYS[view]
    return {tuple(str(_plain(row[c])) for c in key): {c: _plain(v) for c, v in row.items()} for row in rows}


def _plain(value: Any) -> Any:
    """One form for both sides. Money is text in the oracle, and so are days and instants."""
    if isinstance(value, str) and INSTANT.match(value):
        return datetime.fromisoformat(value)
    if isinstance(value, str) and MONEY.fullmatch(value):
        return Decimal(value)
    if isinstance(value, float):
        return round(value, 9)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return str(value) if isinstance(value, date) and not isinstance(value, datetime) else value
