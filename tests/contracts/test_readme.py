"""The commands in the README and the guides exist, and so do the targets of their links.

A command is looked up, not run: the stories run the two that matter most, `baton demo --once` and what it
leads to. Words in capitals and <angles> stand for something the reader puts in.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from projections.projection import views
from streams.cli.main import baton
from tests.oracle import KEYS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`((?:baton|make) [^`\n]+|make)`(?!`)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def _lines(page: Path) -> list[str]:
    """Every line of a shell block and every inline command, in the page's order."""
    text = page.read_text()
    blocks = [line.strip() for block in BLOCK.findall(text) for line in block.splitlines()]
    return [line for line in blocks if line and not line.startswith("#")] + SPAN.findall(text)


def _commands() -> list[tuple[str, list[str]]]:
    """(page: line, words) of each call of make or baton, without variables before it or a pipe behind it."""
    found = []
    for page in PAGES:
        for line in dict.fromkeys(_lines(page)):
            words = shlex.split(line, comments=True)
            while words and re.match(r"\w+=", words[0]):
                words = words[1:]
            if words and Path(words[0]).name in ("baton", "make"):
                words[0] = Path(words[0]).name
                found.append((f"{page.relative_to(ROOT)}: {' '.join(words)}", words))
    return found


COMMANDS = _commands()


def _called(name: str) -> list[object]:
    return [pytest.param(words[1:], id=where) for where, words in COMMANDS if words[0] == name]


def _walk(words: list[str]) -> tuple[list[str], click.Command]:
    """The verb (and sub-verb) that these words reach."""
    path: list[str] = []
    command: click.Command = baton
    for word in words:
        if not isinstance(command, click.Group) or word.startswith("-"):
            break
        below = command.get_command(click.Context(command), word)
        assert below is not None, f"`baton {' '.join([*path, word])}` does not exist"
        path, command = [*path, word], below
    return path, command


@pytest.mark.parametrize("words", _called("make"))
def test_a_make_verb_exists(words: list[str]) -> None:
    goals = [word for word in words if "=" not in word and not word.startswith("-")]
    assert set(goals) <= TARGETS


@pytest.mark.parametrize("words", _called("baton"))
def test_a_baton_command_exists_with_its_options(words: list[str]) -> None:
    path, command = _walk(words)
    run = CliRunner().invoke(baton, [*path, "--help"])
    assert run.exit_code == 0, run.output
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    used = {word.split("=")[0] for word in words if word.startswith("--")}
    assert used <= known | {"--help", "--version"}


def test_the_readme_starts_with_the_two_commands() -> None:
    calls = [words for where, words in COMMANDS if where.startswith("README.md")]
    assert calls[:2] == [["make", "demo"], ["make", "test"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_link_leads_somewhere(page: Path) -> None:
    local = [link.split("#")[0] for link in LINK.findall(page.read_text()) if "://" not in link]
    lost = [link for link in local if link and not (page.parent / link).exists()]
    assert not lost


def test_how_many_views_have_a_second_opinion_is_said_as_it_is() -> None:
    for page in (ROOT / "README.md", ROOT / "docs" / "guides" / "verification.md"):
        [(held, all_of_them)] = re.findall(r"(\d+) of the (\d+) views", page.read_text())
        assert (int(held), int(all_of_them)) == (len(KEYS), len(views())), page
