"""The simulator knows the truth of its story; the views must say the same, to the last row."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from projections.playbook import read_playbook
from streams.simulator import simulate
from streams.simulator.truths import KEYS
from tests.given import as_bytes, given
from warehouse.warehouse import Warehouse

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT")
MONEY = re.compile(r"-?\d+\.\d+")


@pytest.fixture(scope="module", params=[7, 20260301], ids=["one story", "another story"])
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Warehouse, Path]:
    folder = tmp_path_factory.mktemp("story")
    simulate(request.param, 1_500, folder)
    lines = (folder / "events.jsonl").read_text().splitlines()
    warehouse = Warehouse.open(None, read_playbook())
    given(warehouse, as_bytes(json.loads(line) for line in lines), cuts=range(0, len(lines), 4_001))
    warehouse.pin_as_of(datetime.fromisoformat(json.loads((folder / "truth.json").read_text())["as_of"]))
    return warehouse, folder


@pytest.mark.parametrize("view", KEYS)
def test_the_view_says_what_happened(story: tuple[Warehouse, Path], view: str) -> None:
    warehouse, folder = story
    truth = [json.loads(line) for line in (folder / "truth" / f"{view}.jsonl").read_text().splitlines()]
    columns = list(truth[0])
    found = warehouse.connection.execute(f"select {', '.join(columns)} from funnel.{view}").fetchall()

    said = _by_key(view, [dict(zip(columns, row, strict=True)) for row in found])
    true = _by_key(view, truth)

    assert len(said) == len(found) and len(true) == len(truth)
    assert said.keys() == true.keys()
    wrong = {key: (said[key], true[key]) for key in true if said[key] != true[key]}
    assert not wrong, f"{len(wrong)} rows differ, such as {next(iter(wrong.values()))}"


def _by_key(view: str, rows: list[dict[str, Any]]) -> dict[tuple[str, ...], dict[str, Any]]:
    return {tuple(str(row[c]) for c in KEYS[view]): {c: _plain(v) for c, v in row.items()} for row in rows}


def _plain(value: Any) -> Any:
    """One form for both sides. Money is text in the truth, and so are days and instants."""
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
