"""`baton decide`: record what the meeting decided."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import click

from schemas.errors import BatonError, ExitCode
from streams.cli.output import json_option, print_json, print_rows, say
from streams.project import Project
from streams.queries.numbers import NAMED, numbers_of, read_number
from streams.queries.panel import Look, circumstances, circumstances_statement
from streams.queries.panels import panel
from streams.queries.shown import shown
from streams.queries.warehouse_access import asking
from streams.report.recording import DIRECTIONS, decision, record, shown_when


@click.command()
@click.argument("words", metavar="DECISION", required=False)
@click.option("--owner", help="Who sees to it.")
@click.option("--number", "address", help="The number that should move; --numbers lists them.")
@click.option("--should", type=click.Choice(DIRECTIONS), help="Which way it should move.")
@click.option("--by", "due", metavar="DAY", help="By when, such as 2026-04-30.")
@click.option("--decided-by", default="weekly meeting", show_default=True, help="Who decided.")
@click.option("--numbers", "is_list", is_flag=True, help="List the numbers that a decision can name.")
@json_option
def decide(
    words: str | None,
    owner: str | None,
    address: str | None,
    should: str | None,
    due: str | None,
    decided_by: str,
    is_list: bool,
    as_json: bool,
) -> None:
    """Record a decision. The next packs say what its number did since.

    \b
    Example:
      baton decide "Answer within 2 h" --number sla/answer/sales/kept_share --should rise
    """
    project = Project.here()
    if is_list:
        _list_numbers(project, as_json)
        return
    if not words or not words.strip():
        raise click.UsageError("Say what was decided, in a sentence.")
    if should and not address:
        raise click.UsageError("--should says how a number moves: name it with --number.")
    event = decision(
        words,
        by=decided_by,
        owner=owner,
        number=None if address is None else read_number(address),
        should=should,
        due_on=None if due is None else _day(due),
    )
    record(project, event)
    if as_json:
        print_json(event)
    else:
        print(event["decision_id"])
        say(shown_when(project, "baton report weekly shows it once the worker has read it."))


def _day(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise _no_day(text, str(error)) from error
    if found < datetime.now(UTC).date():
        raise _no_day(text, "it is over")
    return found


def _no_day(text: str, why: str) -> BatonError:
    return BatonError(
        f"--by {text} is not a day to come",
        why=why,
        next_command=f"baton decide DECISION --by {date.today() + timedelta(days=7)}",
        exit_code=ExitCode.USAGE,
    )


def _list_numbers(project: Project, as_json: bool) -> None:
    found = []
    with asking(project) as ask:
        [row] = ask(circumstances_statement(Look()))[1]
        now = circumstances(Look(), row)
        for each in map(panel, NAMED):
            columns, rows = ask(each.statement(now))
            by_name = [dict(zip(columns, values, strict=True)) for values in rows]
            for number in numbers_of(each, by_name):
                line = number.row({each.id: by_name}) or {}
                value = line[number.figure.name]
                found.append((number.address, shown(number.figure.unit, value, line).text))
    if as_json:
        print_json([{"number": address, "now": text} for address, text in found])
    else:
        print_rows(("number", "now"), found)
