"""`baton playbook check`: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from projections.playbook import DEFAULT_PLAYBOOK, parse_playbook, read_playbook
from schemas.errors import BatonError, ExitCode
from streams.cli.playbook import playbook as playbook_command
from tests.projections.test_playbook import GOOD, ROOT, SLA


def test_check_says_what_a_good_file_holds(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(GOOD)

    shown = CliRunner().invoke(playbook_command, ["check", str(file)])
    as_json = CliRunner().invoke(playbook_command, ["check", "--json", str(file)])

    version = parse_playbook(GOOD).version
    assert (shown.exit_code, as_json.exit_code) == (0, 0)
    assert f"{file}: valid" in shown.output and version[:12] in shown.output and "2 hours" in shown.output
    expected = {"file": str(file), "name": "Two teams", "version": version, "slas": 2, "examples": 1}
    assert json.loads(as_json.stdout) == {**expected, "unsigned_change": ""}


def test_check_without_a_file_reads_the_packaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATON_HOME", str(tmp_path / "home"))

    shown = CliRunner().invoke(playbook_command, ["check", "--json"])

    assert json.loads(shown.stdout)["version"] == read_playbook(DEFAULT_PLAYBOOK).version


def test_check_ends_with_exit_code_3_and_the_line_of_a_broken_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(GOOD.replace("2 hours", "1 day 10 h"))

    run = subprocess.run(
        [sys.executable, "-m", "streams.cli.main", "playbook", "check", str(file)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "BATON_HOME": str(tmp_path / "home")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert run.returncode == int(ExitCode.CONFIGURATION)
    assert run.stdout == ""
    assert f"{file}:{SLA}" in run.stderr and "1 day 10 h" in run.stderr
    assert f"baton playbook check {file}" in run.stderr and "Traceback" not in run.stderr


def test_check_names_every_fault_that_can_be_found_at_once_and_none_that_follows_from_another(
    tmp_path: Path,
) -> None:
    text = DEFAULT_PLAYBOOK.read_text()
    faults = (
        ('window = "month"', 'window = "decade"', "window = 'decade'"),
        ('zone = "America/New_York"', 'zone = "America/Gotham"', "is not a time zone"),
        ('within = "2 hours"', 'within = "a while"', "within = 'a while'"),
        ('within = "60 minutes"', 'within = "soon"', "within = 'soon'"),
        ('attribute = "fit_score"', 'attribute = "shoe_size"', "attribute = 'shoe_size'"),
        ("at_most = 49", "", "at_most is missing: only the last band has no limit"),
    )
    for before, after, _ in faults:
        assert before in text, before
        text = text.replace(before, after, 1)
    with pytest.raises(BatonError) as error:
        parse_playbook(text, "mine.toml")

    lines = f"{error.value.where}: {error.value.why}".split("\n")
    assert len(lines) == len(faults), "\n".join(lines)
    assert all(any(said in line for line in lines) for *_, said in faults), "\n".join(lines)
    numbers = [int(line.split(":")[1]) for line in lines]
    assert numbers == sorted(numbers) and len(set(numbers)) == len(numbers)
