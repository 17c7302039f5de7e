"""`baton report`: the pack of the weekly meeting, as files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from schemas.errors import BatonError, ExitCode
from streams.access.readers import roles_file
from streams.cli.options import instant
from streams.cli.output import json_option, print_json, say
from streams.project import Project
from streams.queries.audiences import AUDIENCES, audience
from streams.queries.warehouse_access import ask_warehouse, authority_of, recorded
from streams.report.moments import read_week, views_read
from streams.report.pack import make_pack
from streams.report.writing import write_pack
from warehouse.roles import read_roles

# Where the clocks stand still, then; else the beginning of this week, so that a week has one pack.
_THIS_WEEK = """
select coalesce((select as_of from warehouse.pinned_as_of),
    window_of(as_of at time zone zone, 'week', week_begins, fiscal_year_begins)::timestamp at time zone zone)
from warehouse.as_of cross join playbook.version
"""


@click.group()
def report() -> None:
    """Write what both departments meet over.

    \b
    Example:
      baton report weekly
    """


@report.command()
@click.option(
    "--for",
    "reader",
    type=click.Choice([found.id for found in AUDIENCES]),
    help="In whose words and order; never other numbers. Default: everybody's.",
)
@click.option(
    "--as-of",
    "at",
    metavar="INSTANT",
    help="As known then; default: the beginning of this week, or where the clock stands still.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="packs",
    show_default=True,
    help="Folder.",
)
@json_option
def weekly(reader: str | None, at: str | None, out: Path, as_json: bool) -> None:
    """Write the pack of the weekly meeting.

    HTML, Markdown, and PDF where a Chromium is here. The same instant gives the same HTML and Markdown, to
    the byte: only events recorded by then count. What a dispute says is in the packs of the roles that may
    read it (roles.toml).

    \b
    Example:
      baton report weekly --for leadership --as-of 2026-03-30
    """
    project = Project.here()
    as_of = instant(at, "--as-of") if at else ask_warehouse(project, _THIS_WEEK)[1][0][0]
    if as_of > datetime.now(UTC):
        raise BatonError(
            "The pack of an instant that has not come yet would change until then",
            where=f"--as-of {at or as_of.isoformat()}",
            why="events of before may still be recorded",
            next_command="baton report weekly",
            exit_code=ExitCode.USAGE,
        )
    with recorded(project, views_read()) as records:
        week = read_week(records, authority_of(project), as_of.astimezone(UTC))
        may_read = reader is not None and _reads_disputes(project, reader)
        pack = make_pack(week, audience(reader) if reader else None, is_with_words=may_read)
        files = write_pack(pack, out)
    if as_json:
        print_json({"as_of": pack.found.as_of, "for": reader, "files": [str(file) for file in files]})
    else:
        for file in files:
            print(file)
    if not any(file.suffix == ".pdf" for file in files):
        say("No PDF: no Chromium is here, or it failed. A browser prints the HTML file too.")


def _reads_disputes(project: Project, role: str) -> bool:
    found = read_roles(roles_file(project)).get(role)
    return found is not None and "reason" in found.columns.get("dispute", ())
