"""`baton access`: the token on stdout, once, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from schemas.errors import BatonError
from streams.access.grants import TOKEN
from streams.cli.access import access


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(access, list(words), catch_exceptions=False)


def test_a_grant_prints_the_token_alone_on_stdout(folder: Path) -> None:
    granted = run("grant", "maria", "--role", "marketing", "--until", "2999-01-01")

    token = granted.stdout.strip()
    assert TOKEN.fullmatch(token) and token not in granted.stderr
    kept = [file.read_text() for file in folder.rglob("*") if file.is_file()]
    assert kept and all(token not in text for text in kept)


def test_the_list_names_people_and_never_tokens() -> None:
    assert json.loads(run("ls", "--json").stdout) == []
    first = json.loads(run("grant", "maria", "--role", "sales", "--json").stdout)["token"]
    second = json.loads(run("rotate", "maria", "--json").stdout)["token"]
    run("grant", "paul", "--role", "finance")
    assert json.loads(run("revoke", "paul", "--json").stdout) == {"name": "paul", "state": "revoked"}

    listed = run("ls", "--json").stdout
    assert [(p["name"], p["role"], p["state"]) for p in json.loads(listed)] == [
        ("maria", "sales", "active"),
        ("paul", "finance", "revoked"),
    ]
    assert first != second and first not in listed and second not in listed
    assert "maria" in run("ls").stdout


def test_a_projects_own_roles_count(folder: Path) -> None:
    (folder / "roles.toml").write_text("[role.partner]\nreads = ['lead']\n")

    assert TOKEN.fullmatch(run("grant", "maria", "--role", "partner").stdout.strip())
    with pytest.raises(BatonError, match="There is no role marketing") as raised:
        run("grant", "paul", "--role", "marketing")
    assert "partner" in raised.value.next_command
    (folder / "roles.toml").unlink()
    assert json.loads(run("ls", "--json").stdout)[0]["state"] == "no such role"
