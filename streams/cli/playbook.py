"""`baton playbook`: reading the agreement the way the pipeline does, changing it, and signing it."""

from __future__ import annotations

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
from streams.cli.output import json_option, print_json, print_rows, say
from streams.project import Project
from streams.queries import signing
from warehouse.examples import check_examples

_team_option = click.option(
    "--as", "team", required=True, type=click.Choice(SIDES), help="The side that signs."
)


@click.group()
def playbook() -> None:
    """What Marketing and Sales agreed on, in one file that both sign."""


@playbook.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@json_option
def check(file: Path | None, as_json: bool) -> None:
    """Read FILE, run its examples, and say what it holds, or which line is wrong.

    Without FILE: ./playbook.toml, else the packaged one.
    """
    project = Project.here()
    path = file or project.playbook_file
    found = read_playbook(path)
    examples = check_examples(found, str(path))
    unsigned = "" if file else signing.unsigned_change(project, found)
    if as_json:
        summary = {"file": str(path), "name": found.name, "version": found.version, "slas": len(found.slas)}
        print_json({**summary, "examples": examples, "unsigned_change": unsigned})
        return
    say(f"{path}: good, {examples} example{'s' * (examples != 1)} as expected")
    if unsigned:
        say(f"but: {unsigned}. next: baton playbook propose {path}")
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
    """What NEW changes against OLD, in plain sentences, by the team it concerns."""
    before, after = read_playbook(old), read_playbook(new)
    found = changes(before, after)
    if as_json:
        told = [{"team": c.team, "block": c.block, "says": c.says} for c in found]
        print_json({"old": before.version, "new": after.version, "changes": told})
        return
    for line in _told(found):
        click.echo(line)


def _told(found: Sequence[Change]) -> Iterable[str]:
    """The sentences under the team they concern."""
    if not found:
        yield "Nothing changes."
    for team, sentences in groupby(found, key=lambda change: change.team):
        yield "Everybody" if team == EVERYBODY else team_name(team)
        yield from (f"  {change.says}" for change in sentences)


def _say_changes(project: Project, new: Playbook) -> None:
    """What the new playbook changes against the one in force."""
    governing = signing.agreed(project).at(datetime.now(UTC)).playbook
    say(f"against {governing.short_version}, which is in force now:")
    for line in _told(changes(governing, new)):
        say(f"  {line}")


@playbook.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--by", "proposed_by", help="Who proposes it; you, if left out.")
@json_option
def propose(file: Path, proposed_by: str | None, as_json: bool) -> None:
    """Put FILE to both teams. It is in force once both have signed it.

    Refused while one of its examples is wrong.
    """
    check_examples(read_playbook(file), str(file))
    project = Project.here()
    proposed = signing.propose(project, file, proposed_by)
    if as_json:
        print_json({"file": str(file), "version": proposed.version})
        return
    _say_changes(project, proposed)
    print(proposed.version)
    say(f"proposed; next, for each side: baton playbook sign {proposed.short_version} --as SIDE --key FILE")


@playbook.command()
@click.argument("version_or_file")
@_team_option
@click.option("--key", "key_file", required=True, type=click.Path(path_type=Path), help="Your private key.")
@json_option
def sign(version_or_file: str, team: str, key_file: Path, as_json: bool) -> None:
    """Sign a proposed playbook for your side, by its version or its file.

    It is in force from the later of the two signatures. Refused when it was not proposed, when another one
    came into force since, and when the key may not sign for this side now.
    """
    project = Project.here()
    proposed = signing.sign(project, version_or_file, team, key_file)
    assert proposed.playbook is not None
    if as_json:
        print_json({"version": proposed.playbook.version, "team": team})
        return
    _say_changes(project, proposed.playbook)
    print(f"{proposed.playbook.short_version} signed for {team}")
    say("next: baton playbook log   (once the worker has read it)")


@playbook.command()
@_team_option
@click.option("--id", "key_id", required=True, help="A name for the key, such as marketing-2026.")
@click.option("--out", "file", required=True, type=click.Path(path_type=Path), help="Where the secret goes.")
def keygen(team: str, key_id: str, file: Path) -> None:
    """Make a key to sign with, and print the block that lets it count.

    The secret is in FILE, for its owner alone. The block goes into keys.toml beside playbook.toml (or the
    file BATON_KEYS names); whoever may write there decides whose signatures count.
    """
    key = signing.make_key(file, team, key_id)
    print(key_block(key), end="")
    say(f"the private key is in {file}, mode 0600; the block above goes into {Project.here().keys_file}")
    say("a worker reads that file when it starts: baton down && baton up")


@playbook.command()
@json_option
def log(as_json: bool) -> None:
    """What was proposed, who signed it and whether that counts, and what was in force when."""
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
