"""`baton alerts`: what the playbook's rules have raised."""

from __future__ import annotations

import click

from streams.cli.output import json_option, print_json, print_rows, say
from streams.project import Project
from streams.queries.warehouse_access import ask_warehouse

STATES = ("opened", "acknowledged", "resolved", "retracted")
SHOWN = ("opened_at", "rule", "severity", "subject", "observed", "threshold", "sample_size", "state")


@click.group()
def alerts() -> None:
    """Alerts of the playbook's rules."""


@alerts.command("ls")
@click.option("--state", type=click.Choice(STATES), help="Only alerts in this state.")
@json_option
def list_alerts(state: str | None, as_json: bool) -> None:
    """List alerts, newest first. Works while the worker writes."""
    where = f" where state = '{state}'" if state else ""
    columns, rows = ask_warehouse(
        Project.here(), f"select * from funnel.alert{where} order by opened_at desc, alert_id"
    )
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    places = [columns.index(name) for name in SHOWN]
    print_rows(SHOWN, [[row[place] for place in places] for row in rows])
    if not rows:
        say("No alerts." if state is None else f"No alerts in state {state}.")
