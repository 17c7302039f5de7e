"""`baton playbook`: reading the agreement the way the pipeline does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from projections.playbook import Playbook, read_playbook
from streams.cli.output import json_option, print_json, print_rows, say
from streams.project import Project


@click.group()
def playbook() -> None:
    """What Marketing and Sales agreed on, in one file."""


@playbook.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@json_option
def check(file: Path | None, as_json: bool) -> None:
    """Read FILE and say what it holds, or which line is wrong.

    Without FILE: ./playbook.toml, else the packaged one.
    """
    path = file or Project.here().playbook_file
    found = read_playbook(path)
    if as_json:
        print_json({"file": str(path), "name": found.name, "version": found.version, "slas": len(found.slas)})
        return
    say(f"{path}: good")
    print_rows(
        ("playbook", "version", "stages"), [(found.name, found.short_version, " → ".join(_stages(found)))]
    )
    print()
    print_rows(
        ("owed", "by", "from", "to", "within", "clock"),
        [
            (
                s.id,
                s.from_team if s.owed_by == "sender" else s.to_team,
                s.from_team,
                s.to_team,
                _span(s.within),
                s.clock,
            )
            for s in found.slas
        ],
    )


def _stages(found: Playbook) -> list[str]:
    return [stage for stage, _ in found.stages]


def _span(within: timedelta) -> str:
    minutes = within // timedelta(minutes=1)
    for unit, size in (("day", 1440), ("hour", 60)):
        if minutes % size == 0:
            return f"{minutes // size} {unit}{'s' if minutes != size else ''}"
    return f"{minutes} minutes"
