"""`baton sql`: one SELECT over the live tables."""

from __future__ import annotations

import sys

import click

from streams.cli.options import as_known_option, known_at
from streams.cli.output import json_option, print_json, print_rows
from streams.project import Project
from streams.queries.warehouse_access import asking


@click.command()
@click.argument("statement", required=False)
@as_known_option
@json_option
def sql(statement: str | None, as_known: str | None, as_json: bool) -> None:
    """Run one SELECT over what analysts see, also while the worker writes.

    STATEMENT is read from standard input when it is left out or '-'. The views are in schema funnel:

    \b
      baton sql "select state, handoffs from funnel.black_hole"
      baton sql "select table_name, comment from duckdb_views() where schema_name = 'funnel'"
    """
    text = sys.stdin.read() if statement in (None, "-") else str(statement)
    with asking(Project.here(), known_at(as_known)) as ask:
        columns, rows = ask(text.strip().rstrip(";"))
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_rows(columns, rows)
