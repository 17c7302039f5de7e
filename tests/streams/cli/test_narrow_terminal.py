"""A terminal of 80 columns and 24 lines: no line is wider, no value is cut, and an overview fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from projections.playbook import DEFAULT_PLAYBOOK, read_playbook
from streams.demo import stricter
from streams.project import Project
from streams.queries.log_losses import LogLoss, record_loss
from streams.simulator import stories
from tests.given import as_bytes, given
from tests.streams.cli.test_sql import on_terminal
from warehouse.warehouse import Warehouse


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a long path, a loss, a longer name of a proposal, and a hundred leads."""
    folder = tmp_path_factory.mktemp("a folder whose name is as long as those with customers in them")
    project = Project(home=folder / ".baton", cwd=folder)
    with Warehouse.open(project.numbers.warehouse, read_playbook()) as warehouse:
        given(warehouse, as_bytes(stories(3, 100)))
    partitions = ["funnel.sales/0: was read to 1234567890, Kafka holds 1234560000 to 1234567000, as it says"]
    record_loss(project, LogLoss("2026-03-01T10:00:00+00:00", str(folder / "kept"), 7, "", partitions))
    proposal = folder / "a-playbook-that-was-proposed-after-the-second-quarter-by-both-teams.toml"
    proposal.write_text(stricter(DEFAULT_PLAYBOOK.read_text()))
    return folder


@pytest.mark.parametrize("words", ["status", "doctor", "whatif", "explain"])
def test_no_line_is_wider_than_the_terminal(folder: Path, words: str) -> None:
    lead = "lead-3-000032"
    more = {"whatif": ["--playbook", next(folder.glob("a-*.toml")).name], "explain": [lead]}

    lines = on_terminal(folder, words, *more.get(words, [])).splitlines()

    assert lines and max(map(len, lines)) <= 80
    shown = " ".join(" ".join(lines).split())
    if words == "status":
        assert "was read to 1234567890, Kafka holds 1234560000 to 1234567000" in shown
    if words == "whatif":
        assert "record 1" not in shown, "it is a table"
    if words == "explain":
        assert len(lines) <= 24 and f"baton explain {lead} --all" in shown


def test_what_has_no_room_in_an_overview_is_counted_and_no_value_is_cut(folder: Path) -> None:
    narrow = on_terminal(folder, "explain", "lead-3-000032").splitlines()
    whole = on_terminal(folder, "explain", "lead-3-000032", columns=1_000).splitlines()
    [short] = [line for line in narrow if line.startswith("handoff: ")]
    [long] = [line for line in whole if line.startswith("handoff: ")]
    *kept, left = short.split(", ")
    assert kept == long.split(", ")[: len(kept)]
    assert left == f"{len(long.split(', ')) - len(kept)} more"


def test_many_rows_of_many_columns_are_bounded_and_counted(folder: Path) -> None:
    lines = on_terminal(folder, "explain", "black_hole_slice").splitlines()
    assert max(map(len, lines)) <= 80 and len(lines) <= 80
    shown = " ".join(" ".join(lines).split())
    assert "(3 of 3,145 rows; one row in full: baton explain black_hole_slice all all all accepted" in shown


def test_the_reason_of_an_error_wraps_and_what_is_copied_does_not(folder: Path) -> None:
    lines = on_terminal(folder, "explain", "black_hole", "nowhere").splitlines()
    [start] = [number for number, line in enumerate(lines) if line.startswith("  why: ")]
    reason = [line for line in lines[start:] if not line.startswith("  next:")]
    assert len(reason) > 1 and max(map(len, reason)) <= 80
    assert all(line.startswith(" " * 9) for line in reason[1:])
