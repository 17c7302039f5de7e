"""`baton explain`: trace a number to the events behind it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any

import click
from rich.cells import cell_len
from rich.markup import escape
from rich.padding import Padding

from projections.projection import Projection, views
from projections.resolved_facts import SUBJECTS
from streams.cli.options import as_known_option, known_at
from streams.cli.output import data, is_table, json_option, print_json, print_rows, print_texts, say
from streams.project import Project
from streams.queries.explanation import MOST_ROWS, Explanation
from streams.queries.explanation import explain as explained
from streams.queries.values import named, printable, shortened, shown
from streams.queries.warehouse_access import asking

MOST_ROWS_IN_FULL = 3
MOST_ROWS_OF_AN_ID = 5
MOST_COLUMNS = 8
# An overview fits a screen of 24 lines.
MOST_NUMBERS = 7
MOST_EVENTS_OF_AN_OVERVIEW = 4
COLUMN_WIDTH = 16
# Left out first where space is short: long texts, and values that every row repeats.
LONG_OR_SAME = ("says", "means", "playbook_version", "currency", "goal_id", "position")


@click.command()
@click.argument("name", required=False)
@click.argument("which", nargs=-1)
@click.option(
    "--events",
    "most_events",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Number of events.",
)
@click.option("--all", "is_all", is_flag=True, help="Of an id: every row of every number, not an overview.")
@click.option("--list", "is_list", is_flag=True, help="List all numbers.")
@as_known_option
@json_option
def explain(
    name: str | None,
    which: tuple[str, ...],
    most_events: int,
    is_all: bool,
    is_list: bool,
    as_known: str | None,
    as_json: bool,
) -> None:
    """Trace a number: its definition, its row, and the events behind it.

    NAME is a view of schema funnel and WHICH the key of a row; or NAME is the id of a handoff, lead, deal or
    account.

    \b
    Examples:
      baton explain goal_attainment 2026-Q1 sales
      baton explain black_hole past_due
      baton explain ho-7-000001-1    # a handoff of the demo
    """
    if is_list or name is None:
        numbers = [(view.name, view.grain.removeprefix("one row per "), view.says) for view in _by_name()]
        print_rows(("number", "one row per", "description"), numbers)
        return
    notices: list[str] = []
    with asking(Project.here(), known_at(as_known), notices.append) as ask:
        explanations = explained(ask, name, which, most_events)
    if as_json:
        print_json([explanation.as_dict() for explanation in explanations])
        return
    if len(explanations) == 1:
        _show(explanations[0], as_known)
    elif is_all:
        _show_all(name, explanations, as_known)
    else:
        _show_overview(name, explanations, as_known)
    for notice in notices:
        say(notice)


def _by_name() -> list[Projection]:
    return sorted(views(), key=lambda view: view.name)


def _show(explanation: Explanation, as_known: str | None) -> None:
    """One number in full: its definition, its rows, its events."""
    view = explanation.view
    _say(f"[bold]{view.name}[/bold]: {escape(view.says)}")
    if view.means:
        _say(escape(view.means))
    _say("")
    _say(_circumstances(explanation, as_known))
    _say("")
    if explanation.row_count <= MOST_ROWS_IN_FULL:
        _show_in_full(explanation)
    else:
        _show_briefly(explanation, MOST_ROWS)
    _show_events(explanation)


def _show_overview(name: str, explanations: list[Explanation], as_known: str | None) -> None:
    """One id in many views, on one screen: a line for each of those that other views are not made from."""
    _say(f"[bold]{escape(name)}[/bold] is part of {len(explanations)} numbers")
    _say(_circumstances(explanations[0], as_known) + "\n")
    repeated = _repeated(explanations)
    last = [e for e in explanations if e.view.name not in repeated and not _is_read(e.view, explanations)]
    shown_here = sorted(last, key=lambda e: e.row_count)[:MOST_NUMBERS]
    for explanation in shown_here:
        if explanation.row_count > 1:
            _say_line(f"{explanation.view.name}: {explanation.row_count:,} rows; {explanation.view.says}")
        else:
            _say_fitting(f"{explanation.view.name}: ", _values(explanation.rows[0], name))
    others = [e.view.name for e in explanations if e not in shown_here]
    if others:
        _say(f"Also in {', '.join(others)}.")
    whole = explanations[-1]
    if whole.event_count:
        first = min(MOST_EVENTS_OF_AN_OVERVIEW, whole.event_count)
        _say(f"\n[bold]{whole.event_count:,} events behind it[/bold], the first {first}:")
    for event in whole.events[:MOST_EVENTS_OF_AN_OVERVIEW]:
        about = [event[subject] for subject in SUBJECTS if event[subject] is not None]
        _say_fitting(f"{shown('', event['occurred_at'], {})}  {event['event_type']}  ", about)
    say(f"next:  baton explain {name} --all --events {whole.event_count}   (every row and event)")


def _is_read(view: Projection, explanations: list[Explanation]) -> bool:
    return any(view.relation in other.view.reads for other in explanations)


def _values(row: Mapping[str, Any], name: str) -> list[str]:
    return [
        f"{len(value)} {column}" if isinstance(value, list) else named(column, value, row)
        for column, value in row.items()
        if value is not None and value is not False and value != [] and value != name
    ]


def _say_fitting(head: str, values: list[str]) -> None:
    """One line of whole values; those for which a terminal has no room are counted."""
    for kept in range(len(values), -1, -1):
        more = [f"{len(values) - kept} more"] if kept < len(values) else []
        line = printable(head + ", ".join([*values[:kept], *more]).replace("\n", " ")).rstrip()
        if not data.is_terminal or cell_len(line) <= data.width:
            break
    _say(escape(line))


def _say_line(text: str) -> None:
    """One line; on a terminal it ends with the last word that fits."""
    text = printable(text.replace("\n", " "))
    if data.is_terminal and cell_len(text) > data.width:
        while cell_len(text) > data.width - 4:
            text = text.rpartition(" ")[0] or text[: data.width - 4]
        text += " ..."
    _say(escape(text))


def _show_all(name: str, explanations: list[Explanation], as_known: str | None) -> None:
    """One id in many views: a few lines each, then its events."""
    _say(f"[bold]{escape(name)}[/bold] is part of {len(explanations)} numbers")
    _say(_circumstances(explanations[0], as_known))
    repeated = _repeated(explanations)
    for explanation in explanations:
        view = explanation.view
        if view.name in repeated:
            continue
        _say(f"\n[bold]{view.name}[/bold]: {escape(view.says)}")
        if explanation.row_count == 1:
            _say_indented(", ".join(_values(explanation.rows[0], name)))
        else:
            _show_briefly(explanation, MOST_ROWS_OF_AN_ID)
    _say("")
    if repeated:
        _say(f"The same values are in {', '.join(repeated)}.\n")
    _show_events(explanations[-1])


def _repeated(explanations: list[Explanation]) -> list[str]:
    """The views whose only row has no value that another of these views does not show under the same name."""
    rows = {e.view.name: set(map(repr, e.rows[0].items())) for e in explanations if e.row_count == 1}
    names = list(rows)
    return [
        name
        for place, name in enumerate(names)
        if any(rows[name] < rows[other] for other in names)
        or any(rows[name] == rows[other] for other in names[:place])
    ]


def _circumstances(explanation: Explanation, as_known: str | None) -> str:
    """As-of, playbook version and number of cases: what a quoted number needs with it."""
    parts = [f"as of {explanation.as_of.astimezone(UTC):%Y-%m-%d %H:%M} UTC"]
    if as_known is not None:
        parts.append(f"as known {escape(as_known)}")
    parts.append(f"playbook {explanation.playbook_version[:12]}")
    if len(explanation.rows) == 1 and explanation.row_count == 1:
        row = explanation.rows[0]
        parts += [f"{name} {shown(name, row[name], row)}" for name in ("window_start", "n") if name in row]
        if row.get("is_enough") is False:
            parts.append("too few cases to be reliable")
    return "[bold]" + ", ".join(parts) + "[/bold]"


def _show_in_full(explanation: Explanation) -> None:
    """Column by column; several rows side by side."""
    rows = explanation.rows
    values = [
        (c.name, *(shown(c.name, row[c.name], row) for row in rows), c.says) for c in explanation.view.columns
    ]
    numbers = ["value"] if len(rows) == 1 else map(str, range(1, len(rows) + 1))
    print_texts(("", *numbers, "description"), values, [False] * (len(rows) + 2))
    _say("")


def _show_briefly(explanation: Explanation, most_rows: int) -> None:
    """A table of many rows, with as many columns as fit the screen."""
    view, rows = explanation.view, explanation.rows[:most_rows]
    others = [column.name for column in view.columns if column.name not in (*view.key, *LONG_OR_SAME)]
    room = min(MOST_COLUMNS, data.width // COLUMN_WIDTH)
    columns = [*view.key, *others][: max(room, len(view.key) + 2)]
    values = [[shown(name, row[name], row) for name in columns] for row in rows]
    if not is_table(columns, values):  # then each row takes a line for each of its columns
        rows, values = rows[:MOST_ROWS_IN_FULL], values[:MOST_ROWS_IN_FULL]
    print_texts(columns, values, [False] * len(columns))
    left_out = len(view.columns) - len(columns)
    hints = [f"{len(rows)} of {explanation.row_count:,} rows"] if len(rows) < explanation.row_count else []
    hints += [f"{left_out} more columns"] if left_out else []
    if hints:
        said = [rows[0][column] for column in view.key]
        one = " ".join(shlex.quote(str(value)) for value in said if value is not None)
        _say(escape(f"({' and '.join(hints)}; one row in full: baton explain {view.name} {one})"))
    _say("")


def _show_events(explanation: Explanation) -> None:
    events = explanation.events
    if not explanation.event_count:
        _say("There are no events behind it." if explanation.behind else "")
        return
    first = f", the first {len(events)}" if len(events) < explanation.event_count else ""
    events_there_are = "1 event" if explanation.event_count == 1 else f"{explanation.event_count:,} events"
    _say(f"[bold]{events_there_are} behind it[/bold]{first}: {escape(explanation.behind)}")
    for event in events:
        about = ", ".join(event[subject] for subject in SUBJECTS if event[subject] is not None)
        said = {name: value for name, value in event["said"].items() if name != "currency"}
        recorded_after = _lateness(event["recorded_at"] - event["occurred_at"])
        _say(escape(f"{shown('', event['occurred_at'], {})}  {event['event_type']}  {about}".rstrip()))
        for line in (
            ", ".join(shortened(named(name, value, event["said"])) for name, value in said.items()),
            f"{event['source']}, recorded after {recorded_after}, event {event['event_id']}",
        ):
            if line:
                _say_indented(line)


def _lateness(late: timedelta) -> str:
    """The time from the event to its recording, in the largest unit in which it is at least 2."""
    seconds = late.total_seconds()
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.0f} seconds"


def _say(text: str) -> None:
    """A paragraph, wrapped on a terminal and unwrapped in a pipe."""
    data.print(printable(text, keep="\n"), soft_wrap=not data.is_terminal)


def _say_indented(text: str) -> None:
    if data.is_terminal:
        data.print(Padding(escape(printable(text, keep="\n")), (0, 0, 0, 4), expand=False))
    else:
        _say("    " + escape(text))
