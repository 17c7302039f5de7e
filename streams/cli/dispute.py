"""`baton dispute`: say that a number or a fact is wrong, and how that was settled."""

from __future__ import annotations

import click

from projections.sql_literal import sql_literal
from schemas.errors import BatonError, ExitCode
from streams.cli.output import json_option, print_json, say
from streams.project import Project
from streams.queries.warehouse_access import ask_warehouse
from streams.report.recording import RESOLUTIONS, SUBJECTS, Event, record, resolution, shown_when
from streams.report.recording import dispute as disputed


@click.group()
def dispute() -> None:
    """Open a dispute about a number or a fact, or settle one.

    What it says is read by the roles that may (roles.toml; leadership, if it says nothing else). Everybody
    else sees that one is open, since when, and what it is about.

    \b
    Example:
      baton dispute open gap/speed/amount --team sales --reason "A calendar was wrong."
    """


@dispute.command("open")
@click.argument("subject", metavar="NUMBER|ID")
@click.option("--kind", type=click.Choice(SUBJECTS), default="number", show_default=True, help="What it is.")
@click.option("--team", required=True, help="The team that disputes it.")
@click.option("--reason", required=True, help="Why, in a sentence.")
@json_option
def open_dispute(subject: str, kind: str, team: str, reason: str, as_json: bool) -> None:
    """Dispute a number, or a handoff, lead or deal.

    Numbers are named as baton decide --numbers lists them, the others by their id.

    \b
    Example:
      baton dispute open gap/speed/amount --team sales --reason "A calendar was wrong."
    """
    _record(disputed(kind, subject, team=team, reason=reason), as_json)


@dispute.command()
@click.argument("dispute_id", metavar="DISPUTE")
@click.option("--how", type=click.Choice(RESOLUTIONS), required=True, help="How it was settled.")
@click.option("--by", required=True, help="Who settled it.")
@json_option
def resolve(dispute_id: str, how: str, by: str, as_json: bool) -> None:
    """Settle a dispute.

    \b
    Example:
      baton dispute resolve dis-3f2a90c1d4e5 --how corrected --by "both leaders"
    """
    project = Project.here()
    known = f"select is_open from funnel.dispute where dispute_id = {sql_literal(dispute_id)}"
    if not ask_warehouse(project, known)[1]:
        raise BatonError(
            "There is no such dispute",
            where=dispute_id,
            why="no DisputeOpened event that the worker has read has this id",
            next_command='baton sql "select dispute_id, subject_id from funnel.dispute where is_open"',
            exit_code=ExitCode.USAGE,
        )
    _record(resolution(dispute_id, how=how, by=by), as_json)


def _record(event: Event, as_json: bool) -> None:
    project = Project.here()
    record(project, event)
    if as_json:
        print_json(event)
    else:
        print(event["dispute_id"])
        say(shown_when(project, "The page and the next pack show it once the worker has read it."))
