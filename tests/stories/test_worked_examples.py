"""Every page of docs/numbers is a sum done by hand, and the views must say the same."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from projections.playbook import parse_playbook
from projections.projection import views
from tests.given import as_bytes, given, in_memory

FOLDER = Path(__file__).parents[2] / "docs" / "numbers"
PLAYBOOK = FOLDER / "playbook.toml"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
# Views that hold no number of their own, only rows as they came.
WITHOUT_ARITHMETIC = {
    "failed_events", "freshness", "alert", "lead_journey", "deal_event",
    "handoff_event", "handoff_offer", "handoff_contact_event", "handoff_contact", "handoff_history",
    "handoff_governed", "handoff_period", "obligation_episode", "obligation_deadline", "obligation_clock",
    "lead_offer_period", "sla_clock", "condition_period", "lead_stage", "lead_criterion",
    "stage_entry", "pass_end", "handoff_live_period",
    "lead_account", "buyer_touch", "campaign_lead", "coverage_day",
}  # fmt: skip

TABLE = re.compile(r"\*\*`funnel\.(\w+)`\*\*(?: where `([^`\n]+)`|[^\n]*)\n\n((?:\|.*\n)+)")


@dataclass(frozen=True)
class Table:
    """Rows a page says a view has."""

    view: str
    where: str
    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Page:
    """One worked example."""

    events: list[dict[str, Any]]
    playbook: str
    as_of: datetime
    tables: list[Table]


def read_page(path: Path) -> Page:
    """The parts of a page; an AssertionError says which is missing."""
    text = path.read_text(encoding="utf-8")
    events = re.findall(r"```jsonl\n(.*?)```", text, re.DOTALL)
    playbook = re.search(r"```toml\n(\[playbook\].*?)```", text, re.DOTALL)
    as_of = re.search(r"\*\*As of\*\* `([^`]+)`", text)
    tables = [_table(*found) for found in TABLE.findall(text)]
    assert events and as_of and tables, f"{path} lacks its events, its as-of or its tables"
    return Page(
        [json.loads(line) for block in events for line in block.splitlines() if line.strip()],
        playbook[1] if playbook else PLAYBOOK.read_text(encoding="utf-8"),
        datetime.fromisoformat(as_of[1]),
        tables,
    )


def _table(view: str, where: str, block: str) -> Table:
    head, _, *rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")] for line in block.splitlines()
    ]
    return Table(view, where or "true", [cell.strip("`") for cell in head], rows)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_view_says_what_the_sum_by_hand_says(path: Path) -> None:
    page = read_page(path)
    with in_memory(parse_playbook(page.playbook, str(path))) as warehouse:
        given(warehouse, as_bytes(page.events))
        warehouse.pin_as_of(page.as_of)
        for table in page.tables:
            columns = ", ".join(table.columns)
            query = f"select {columns} from funnel.{table.view} where {table.where}"
            found = warehouse.connection.execute(query).fetchall()
            said = sorted(([_shown(v, None) for v in row] for row in found), key=repr)
            rows = sorted(table.rows, key=repr)
            # To the digits that are written: a hand stops somewhere.
            if len(said) == len(rows):
                by_hand = _in_the_order_of(rows, [list(row) for row in found])
                assert by_hand, f"{table.view}: {said} is not {rows}"
            else:
                assert said == rows


def _in_the_order_of(rows: list[list[str]], found: list[list[Any]]) -> bool:
    """Whether the rows can be paired so that every cell agrees."""
    left = list(found)
    for row in rows:
        match = next(
            (f for f in left if all(_shown(v, cell) == cell for v, cell in zip(f, row, strict=True))), None
        )
        if match is None:
            return False
        left.remove(match)
    return True


def _shown(value: Any, cell: str | None) -> str:
    """A value as a page writes it, to the digits of the cell it is held against."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float | Decimal):
        digits = len(cell.partition(".")[2]) if cell and re.fullmatch(r"-?\d+(\.\d+)?", cell) else 6
        return f"{value:.{digits}f}"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)


def test_every_number_has_a_worked_example() -> None:
    worked = {table.view for path in PAGES for table in read_page(path).tables}
    missing = {view.name for view in views()} - worked - WITHOUT_ARITHMETIC
    assert not missing, f"no page of docs/numbers works these: {sorted(missing)}"
