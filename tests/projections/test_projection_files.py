"""Every SQL file keeps what its header says, and the reference says what the files say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.pages import FOLDER, tables
from projections.playbook import read_playbook
from projections.projection import DERIVED_FOLDER, Projection, read_projection, views
from schemas.errors import BatonError
from tests.given import in_memory
from warehouse.warehouse import Warehouse

DERIVED = [read_projection(path) for path in sorted(DERIVED_FOLDER.glob("*.sql"))]
FILES = pytest.mark.parametrize("projection", [*views(), *DERIVED], ids=lambda p: f"{p.kind} {p.name}")


@pytest.fixture(scope="module")
def warehouse() -> Warehouse:
    return in_memory(read_playbook())


@FILES
def test_the_header_names_the_columns_there_are_in_their_order(
    warehouse: Warehouse, projection: Projection
) -> None:
    at = "timestamptz '2026-04-01'"
    described = warehouse.connection.execute(
        f"describe {projection.evaluated(at, since=at)}"
        if projection.kind == "derived"
        else f"describe {projection.relation}"
    ).fetchall()

    named = [column.name for column in projection.columns]
    assert [row[0] for row in described] == named
    assert set(projection.key) <= set(named)


@FILES
def test_the_header_names_every_table_that_is_read_and_no_other(projection: Projection) -> None:
    code = re.sub(r"--.*", "", projection.select)

    read = set(re.findall(r"\b(?:facts|resolved|funnel|playbook|warehouse)\.[a-z_]+", code))

    assert read == set(projection.reads)


def test_the_reference_page_is_fresh() -> None:
    page = FOLDER / "tables.md"
    assert page.read_text(encoding="utf-8") == tables(), "stale; run: make reference"


@pytest.mark.parametrize("first", ["--         goes on", "--   a  says", "-- a remark"])
def test_a_header_that_begins_with_no_label_is_refused_with_the_line(tmp_path: Path, first: str) -> None:
    file = tmp_path / "mine.sql"
    file.write_text(f"{first}\n-- view: mine\nselect 1")

    with pytest.raises(BatonError, match=r"mine\.sql:1[\s\S]*cannot read"):
        read_projection(file)


def test_a_key_that_is_missing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.sql"
    file.write_text("-- view: mine\n-- grain: one row\n-- reads: facts.event\n-- says: it\nselect 1")

    with pytest.raises(BatonError, match=r"no line '-- key:'"):
        read_projection(file)


def test_columns_taken_from_a_file_that_is_not_there_are_refused_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.sql"
    file.write_text("-- view: mine\n-- columns:\n--   all of theirs\nselect 1")

    with pytest.raises(BatonError, match=r"mine\.sql:3[\s\S]*no file theirs\.sql"):
        read_projection(file)
