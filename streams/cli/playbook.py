"""`baton playbook`: check, compare, propose and sign the agreement of both teams."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from projections.agreement import Agreement, Proposed
from projections.changes import changes
from projections.changes.sentences import EVERYBODY, Change, span, team_name
from projections.playbook import Playbook, read_playbook
from projections.signing_keys import SIDES, key_block
from schemas.errors import BatonError, ExitCode, quoted
from streams.cli.output import json_option, print_json, print_rows, say
from streams.project import Project
from streams.queries import signing
from warehouse.examples import check_examples

_team_option = click.option(
    "--as", "team", required=True, type=click.Choice(SIDES), help="The team that signs."
)


@click.group()
def playbook() -> None:
    """The agreement of Marketing and Sales: one file that both teams sign.

    \b
    Example:
      baton playbook check playbook.toml
    """


@playbook.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@json_option
def check(file: Path | None, as_json: bool) -> None:
    """Validate a playbook and run its examples.

    Prints its version, stages and deadlines. FILE defaults to ./playbook.toml, else to the packaged playbook.

    \b
    Example:
      baton playbook check playbook.toml
    """
    project = Project.here()
    path = file or project.playbook_file
    found = read_playbook(path)
    examples = check_examples(found, str(path))
    change = None if file else signing.unsigned_change(project, found)
    unsigned = change.says if change else ""
    if as_json:
        summary = {"file": str(path), "name": found.name, "version": found.version, "slas": len(found.slas)}
        print_json({**summary, "examples": examples, "unsigned_change": unsigned})
        return
    say(f"{path}: valid, {examples} example{'s' * (examples != 1)} passed")
    if unsigned:
        say(f"warning: {unsigned}. next: baton playbook propose {quoted(path)}")
    stages = " → ".join(stage for stage, _ in found.stages)
    print_rows(("playbook", "version", "stages"), [(found.name, found.short_version, stages)])
    print()
    print_rows(
        ("owed", "by", "from", "to", "within", "clock"),
        [
            (
                s.id,
                s.from_team if s.owed_by == "sender" else s.to_team,
                s.from_team,
                s.to_team,
                span(s.within, s.clock),
                s.clock,
            )
            for s in found.slas
        ],
    )


@playbook.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@json_option
def diff(old: Path, new: Path, as_json: bool) -> None:
    """List what NEW changes in OLD, by affected team.

    \b
    Example:
      baton playbook diff playbook.toml new.toml
    """
    before, after = read_playbook(old), read_playbook(new)
    found = changes(before, after)
    if as_json:
        listed = [{"team": c.team, "block": c.block, "says": c.says} for c in found]
        print_json({"old": before.version, "new": after.version, "changes": listed})
        return
    for line in _by_team(found):
        click.echo(line)


def _by_team(found: Sequence[Change]) -> Iterable[str]:
    """The sentences, grouped by affected team."""
    if not found:
        yield "Nothing changes."
    for team, sentences in groupby(found, key=lambda change: change.team):
        yield "Everybody" if team == EVERYBODY else team_name(team)
        yield from (f"  {change.says}" for change in sentences)


def _is_confirmed(team: str) -> bool:
    """Ask on the terminal. Raises BatonError where nobody can answer."""
    try:
        return click.confirm(f"Sign it for {team}?", err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise BatonError(
            "Signing needs a yes, and nobody can be asked",
            where="standard input",
            why="it is not a terminal and holds no answer",
            next_command="baton playbook sign VERSION --as TEAM --key FILE --yes",
            exit_code=ExitCode.USAGE,
        ) from None


def _say_changes(governing: Playbook, new: Playbook) -> None:
    """Print what the new playbook changes in the one in force."""
    say(f"changes to {governing.short_version}, which is in force now:")
    for line in _by_team(changes(governing, new)):
        say(f"  {line}")


@playbook.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--by", "proposed_by", help="Author of the proposal; default: your user name.")
@json_option
def propose(file: Path, proposed_by: str | None, as_json: bool) -> None:
    """Propose FILE to both teams. It is in force once both have signed it.

    Refused while one of its examples fails.

    \b
    Example:
      baton playbook propose new.toml
    """
    check_examples(read_playbook(file), str(file))
    project = Project.here()
    proposed = signing.propose(project, file, proposed_by)
    if as_json:
        print_json({"file": str(file), "version": proposed.version})
        return
    _say_changes(signing.agreed(project).at(datetime.now(UTC)).playbook, proposed)
    print(proposed.version)
    say(f"proposed; next, for each team: baton playbook sign {proposed.short_version} --as TEAM --key FILE")


@playbook.command()
@click.argument("version_or_file")
@_team_option
@click.option("--key", "key_file", required=True, type=click.Path(path_type=Path), help="Your private key.")
@click.option("--yes", is_flag=True, help="Sign without asking.")
@json_option
def sign(version_or_file: str, team: str, key_file: Path, yes: bool, as_json: bool) -> None:
    """Sign a proposed playbook for your team.

    Shows what it changes, and asks. VERSION_OR_FILE is its version or its file. It is in force from the later
    of the two signatures. Refused when it was not proposed, when it is in force already, when another version
    has come into force since, or when the key may not sign for the team.

    \b
    Example:
      baton playbook sign new.toml --as sales --key sales.pem
    """
    project = Project.here()
    signing_ = signing.prepare(project, version_or_file, team, key_file)
    if not as_json:
        _say_changes(signing_.in_force, signing_.playbook)
    if not yes and not _is_confirmed(team):
        say("not signed")
        sys.exit(int(ExitCode.FAILED))
    signing_.publish()
    if as_json:
        print_json({"version": signing_.playbook.version, "team": team})
        return
    print(f"{signing_.playbook.short_version} signed for {team}")
    say("next: baton playbook log   (once the workers have read the signature)")


@playbook.command()
@_team_option
@click.option("--id", "key_id", required=True, help="Name of the key, such as marketing-2026.")
@click.option("--out", "file", required=True, type=click.Path(path_type=Path), help="Private key file.")
def keygen(team: str, key_id: str, file: Path) -> None:
    """Generate a signing key.

    Writes the private key to a new file with mode 0600, and prints a [[key]] block. Add the block to
    keys.toml next to playbook.toml, or to the file in BATON_KEYS: only keys listed there can sign.

    \b
    Example:
      baton playbook keygen --as sales --id sales-2026 --out sales.pem
    """
    key = signing.make_key(file, team, key_id)
    print(key_block(key), end="")
    say(f"private key written to {file} (mode 0600)")
    say(f"next: add the block above to {Project.here().keys_file}, and only then: baton down && baton up")
    say("      (a worker reads that file when it starts)")


@playbook.command()
@json_option
def log(as_json: bool) -> None:
    """List versions, proposals and signatures.

    \b
    Example:
      baton playbook log
    """
    found = signing.agreed(Project.here())
    if as_json:
        print_json(signing.agreement_as_dict(found))
        return
    print_rows(
        ("in force since", "until", "version", "playbook", "signed"),
        [(p.since, p.until, p.playbook.short_version, p.playbook.name, p.is_signed) for p in found.periods],
    )
    if found.proposed:
        print()
        print_rows(
            ("proposed at", "by", "version", "state"), [_proposal_row(found, p) for p in found.proposed]
        )
    if found.signed:
        print()
        print_rows(
            ("signed at", "for", "key", "version", "valid"),
            [
                (s.signed_at, s.team, s.key_id, s.playbook_version[:12], judged.fault or "yes")
                for judged in found.signed
                for s in [judged.signature]
            ],
        )


def _proposal_row(found: Agreement, proposed: Proposed) -> tuple[Any, ...]:
    p = proposed.proposal
    return (p.proposed_at, p.proposed_by, p.playbook_version[:12], signing.proposal_state(found, proposed))
