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
from schemas.errors import ExitCode
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
