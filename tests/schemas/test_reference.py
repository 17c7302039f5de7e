"""docs/reference/events.md is what the .avsc files say, today."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from schemas.catalogue import CATALOGUE, ENVELOPE, Catalogue
from schemas.errors import BatonError, ExitCode
from schemas.reference import EXAMPLE, render
from schemas.validation import read_event
from streams.cli.contract import contract

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "events.md"


def test_the_page_is_not_stale() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: baton contract docs"


def test_the_command_writes_and_checks_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.cli.contract.SOURCE_TREE", tmp_path)
    stale = CliRunner().invoke(contract, ["docs", "--check", "--json"])
    assert stale.exit_code == ExitCode.DATA_PROBLEMS
    assert json.loads(stale.stdout) == {
        "file": str(tmp_path / "docs/reference/events.md"),
        "was_stale": True,
        "written": False,
    }

    nowhere = CliRunner().invoke(contract, ["docs"])
    assert isinstance(nowhere.exception, BatonError)
    assert nowhere.exception.exit_code is ExitCode.CONFIGURATION

    (tmp_path / "docs/reference").mkdir(parents=True)
    assert CliRunner().invoke(contract, ["docs"]).exit_code == 0
    assert (tmp_path / "docs/reference/events.md").read_text(encoding="utf-8") == render()
    assert CliRunner().invoke(contract, ["docs", "--check"]).exit_code == 0


def test_the_example_is_an_event() -> None:
    assert read_event(EXAMPLE)[0].name == "HandoffOffered"


@pytest.mark.parametrize("name", list(CATALOGUE.event_types))
def test_every_field_of_every_event_is_told_with_presence_and_mark(name: str) -> None:
    event = CATALOGUE.event_types[name]
    section = render().split(f"\n### {name}\n")[1].split("\n### ")[0].split("\n## ")[0]
    lines = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+) \|$", section, re.MULTILINE)
    rows = {cells[0]: cells for cells in lines}

    assert event.schema["doc"] in section
    assert f"keyed by `{event.key}`" in section
    assert list(rows) == [field["name"] for field in event.fields if field["name"] not in ENVELOPE]
    for field in event.fields:
        if field["name"] in rows:
            _, _, presence, meaning = rows[field["name"]]
            is_priced = "is_amount_known" in rows and field["name"] in ("amount", "currency")
            assert presence.startswith("may be left out" if "default" in field or is_priced else "required")
            assert meaning.endswith("**Personal.**") == field.get("pii", False)


def test_words_of_a_schema_cannot_break_the_table() -> None:
    event = CATALOGUE.event_types["HandoffAccepted"]
    hostile = [{**field, "doc": "a | b\n<script>"} for field in event.fields]
    version = replace(event.newest, schema={**event.schema, "fields": hostile})
    page = render(Catalogue({event.name: replace(event, versions=(version,))}))
    assert "a \\| b &lt;script>" in page
    assert "<script>" not in page
