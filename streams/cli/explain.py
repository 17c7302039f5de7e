"""`baton explain`: open any number, down to the events behind it."""

from __future__ import annotations

import click

from projections.projection import views
from streams.cli.output import cell, json_option, print_json, print_rows
from streams.explanation import MOST_ROWS, Explanation
from streams.explanation import explain as explained
from streams.past import as_known_option, asking
from streams.project import Project


@click.command()
@click.argument("name", required=False)
@click.argument("which", nargs=-1)
@click.option(
    "--events", "most_events", type=click.IntRange(min=0), default=10, help="How many events to show."
)
@click.option("--list", "is_list", is_flag=True, help="List the numbers there are.")
@as_known_option
@json_option
def explain(
    name: str | None,
    which: tuple[str, ...],
    most_events: int,
    is_list: bool,
    as_known: str | None,
    as_json: bool,
) -> None:
    """Open a number: its definition, its row, and the very events behind it.

    NAME is a view of schema funnel, WHICH its row; or NAME is the id of a handoff, lead, deal or account.

    \b
      baton explain goal_attainment 2026-Q1 sales
      baton explain black_hole past_due
      baton explain handoff-20260301-000017-1
    """
    if is_list or name is None:
        print_rows(("number", "one row per", "says"), [(v.name, _grain(v.grain), v.says) for v in _by_name()])
        return
    with asking(Project.here(), as_known) as ask:
        explanations = explained(ask, name, which, most_events)
    if as_json:
        print_json([explanation.as_dict() for explanation in explanations])
        return
    for explanation in explanations:
        _show(explanation)


def _by_name() -> list[object]:
    return sorted(views(), key=lambda view: view.name)


def _grain(grain: str) -> str:
    return grain.removeprefix("one row per ")


def _show(explanation: Explanation) -> None:
    view = explanation.view
    click.echo(click.style(view.name, bold=True) + f": {view.says}")
    if view.means:
        click.echo(view.means)
    click.echo(f"as of {explanation.as_of.isoformat()}, playbook {explanation.playbook_version[:12]}\n")
    if len(explanation.rows) == 1:
        row = explanation.rows[0]
        print_rows(("", "value", "says"), [(c.name, cell(row[c.name]), c.says) for c in view.columns])
    else:
        print_rows(list(explanation.rows[0]), [tuple(row.values()) for row in explanation.rows])
        if len(explanation.rows) == MOST_ROWS:
            click.echo(f"(the first {MOST_ROWS} rows; name one by {', '.join(view.key)})")
    click.echo("")
    _show_events(explanation)


def _show_events(explanation: Explanation) -> None:
    events = explanation.events
    if not explanation.event_count:
        click.echo("No events are behind it.")
        return
    shown = f", the first {len(events)}" if len(events) < explanation.event_count else ""
    click.echo(f"{explanation.event_count:,} events behind it{shown}:")
    # Only the subjects that any of them has.
    columns = (
        [name for name in events[0] if any(event[name] is not None for event in events)] if events else []
    )
    print_rows(columns, [tuple(event[name] for name in columns) for event in events])
    click.echo("")
