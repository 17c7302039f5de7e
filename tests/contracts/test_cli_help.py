"""The help of every command fits one page, cuts no summary short, and has an example that parses."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from streams.cli.main import COMMANDS, baton

LINES_OF_A_PAGE = 50
COLUMNS = 80


def _commands(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its path, groups before their subcommands."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            subcommand = command.get_command(context, name)
            assert subcommand is not None
            yield from _commands(subcommand, *path, name)


ALL = [pytest.param(path, command, id=" ".join(("baton", *path))) for path, command in _commands(baton)]


def _help(path: tuple[str, ...]) -> str:
    run = CliRunner().invoke(baton, [*path, "--help"], terminal_width=COLUMNS, max_content_width=COLUMNS)
    assert run.exit_code == 0, run.output
    return run.output


@pytest.mark.parametrize("path, command", ALL)
def test_help_fits_one_page_and_cuts_no_summary(path: tuple[str, ...], command: click.Command) -> None:
    text = _help(path)
    assert len(text.splitlines()) <= LINES_OF_A_PAGE
    assert not [line for line in text.splitlines() if line.startswith("  ") and line.endswith("...")]


@pytest.mark.parametrize("path, command", ALL)
def test_help_has_an_example_that_parses(path: tuple[str, ...], command: click.Command) -> None:
    after = _help(path).partition("Example")[2]
    lines = [line.strip() for line in after.splitlines() if line.startswith("    baton ")]
    calls = [shlex.split(call)[1:] for line in lines for call in line.split(" && ")]
    own = [words for words in calls if tuple(words[: len(path)]) == path]
    assert own, "an Example: with a call of this very command"
    for words in own:
        if not isinstance(command, click.Group):
            command.make_context("baton", words[len(path) :], resilient_parsing=False)


@pytest.mark.parametrize("path, command", ALL)
def test_every_option_is_described(path: tuple[str, ...], command: click.Command) -> None:
    assert not [p.name for p in command.params if isinstance(p, click.Option) and not p.help]


def test_a_command_is_in_one_group() -> None:
    names = [name for group in COMMANDS.values() for name in group]
    assert len(names) == len(set(names))
