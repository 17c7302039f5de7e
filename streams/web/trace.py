"""One number down to its events, and the life of one lead, handoff, deal or company."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from projections.projection import Projection
from projections.sql_literal import sql_literal
from schemas.errors import BatonError, ExitCode
from streams.queries.explanation import explain_rows
from streams.queries.explanation import life as life_of
from streams.queries.panel import Circumstances, Panel
from streams.queries.panels import panel as panel_named
from streams.queries.row_selection import NULL
from streams.queries.shown import Shown, any_value, late
from streams.queries.warehouse_access import Ask
from streams.web.address import LIVES, Address, read_selection
from streams.web.page import Page
from streams.web.screens import documented
from streams.web.source import Row, Source
from streams.web.tables import SECONDS, look_at
from warehouse.roles import withheld_columns

MOST_EVENTS = 200
MOST_RELATED = 20
LATE_MINUTES = 60
_COLUMNS = {name: column for column, name in LIVES.items()}
# What is said of each beside its events: the views, those with one row first.
_ABOUT = {
    "lead": ("lead_dimension", "qualification", "handoff", "opportunity_amount"),
    "handoff": ("handoff", "handoff_latency", "obligation"),
    "deal": ("opportunity_amount", "deal_stay"),
    "account": ("subscription_term", "promise_ledger", "win"),
}
_QUIET = ("position", "playbook_version", "currency", "zone")


@dataclass(frozen=True)
class Event:
    """One event on a timeline. late: how long after it happened it was recorded, as text; said: its
    fields."""

    type: str
    source: str
    occurred: Shown
    late: Shown
    is_late: bool
    said: list[tuple[str, Shown]]
    subjects: list[tuple[str, str, str]]
    event_id: str


@dataclass(frozen=True)
class About:
    """What a view says of it: rows of (column, what the column says, value, link)."""

    view: Projection
    rows: list[list[tuple[str, str, Shown, str]]]
    count: int


def number(page: Page, request: Request, address: Address) -> Response:
    """A number of a panel: what it means, the row it stands in, and the events behind it."""
    panel = panel_named(request.path_params["panel"])
    figure = next((f for f in panel.columns if f.name == request.path_params["figure"]), None)
    if figure is None:
        raise ValueError(f"panel {panel.id!r} has no number {request.path_params['figure']!r}")
    source = page.source_of(address)
    found = look_at(source, address)
    key = read_selection(panel.view, request.query_params).where
    view = documented(panel.view)
    explanation = explain_rows(asking(source), view, _row_of(panel, key, found), MOST_EVENTS)
    column = (figure.column or figure.name).rpartition(".")[2]
    return page.render(
        "number.html",
        address,
        panel=panel,
        figure=figure,
        view=view,
        says=next((c.says for c in view.columns if c.name == column), ""),
        column=column,
        explanation=explanation,
        rows=[_described(view, row, address, found.zone) for row in explanation.rows],
        events=[_event(event, address, found.zone) for event in explanation.events],
        found=found,
    )


def _row_of(panel: Panel, key: Mapping[str, str], found: Circumstances) -> str:
    """The condition on the panel's view that its row meets."""
    names = {column.name for column in documented(panel.view).columns}
    wanted = [
        f"{name} is null" if value == NULL else f"{name}::varchar = {sql_literal(value)}"
        for name, value in key.items()
    ]
    parameters = found.parameters()
    if "window_unit" in names:
        wanted.append(parameters["slice"])
    if "period" in names and "period" not in key and panel.is_windowed:
        wanted.append(f"period = {parameters['period']}")
    if "looked_on" in names:
        wanted.append(f"looked_on = {parameters['today']}")
    return " and ".join(wanted) or "true"


def life(page: Page, request: Request, address: Address) -> Response:
    """Everything that is known of one lead, handoff, deal or company, on a timeline."""
    kind, value = request.path_params["kind"], request.path_params["id"]
    if kind not in _COLUMNS:
        raise ValueError(f"there are lives of {', '.join(_COLUMNS)}")
    column, source = _COLUMNS[kind], page.source_of(address)
    found = look_at(source, address)
    says, events, count = life_of(asking(source), [column], value, MOST_EVENTS)
    if not events:
        raise BatonError(
            f"There is no {kind} of this name",
            where=value,
            why="no event that was recorded names it",
            next_command=f"baton explain {value}" if value.isalnum() else "baton explain --list",
            exit_code=ExitCode.USAGE,
        )
    about = _about(source, kind, column, value, address, found)
    timeline = [_event(event, address, found.zone) for event in events]
    return page.render(
        "life.html",
        address,
        kind=kind,
        id=value,
        says=says,
        events=timeline,
        count=count,
        about=about,
        found=found,
    )


def _about(
    source: Source, kind: str, column: str, value: str, address: Address, found: Circumstances
) -> list[About]:
    known = [documented(name) for name in _ABOUT[kind]]
    of_it = f"where {column} = {sql_literal(value)}"
    statements = [
        f"select *, count(*) over (partition by true) as all_rows from funnel.{view.name} {of_it}"
        f" order by {', '.join(view.key)} limit {MOST_RELATED}"
        for view in known
    ]
    answers = source.ask(statements, SECONDS)
    return [
        About(view, [_described(view, row, address, found.zone) for row in rows], rows[0]["all_rows"])
        for view, rows in zip(known, answers, strict=True)
        if rows
    ]


def _described(view: Projection, row: Row, address: Address, zone: str) -> list[tuple[str, str, Shown, str]]:
    return [
        (column.name, column.says, any_value(column.name, row[column.name], row, zone), href)
        for column in view.columns
        if column.name not in _QUIET
        and (view.name, column.name) not in withheld_columns()
        and not isinstance(row.get(column.name), list | bytes)
        for href in [address.to_life(column.name, row[column.name])]
    ]


def _event(event: Row, address: Address, zone: str) -> Event:
    minutes = (event["recorded_at"] - event["occurred_at"]).total_seconds() / 60
    is_day_only = bool(event.get("is_day_only"))
    names = [name for name in LIVES if event.get(name)]
    return Event(
        type=event["event_type"],
        source=event["source"],
        occurred=any_value("occurred_at", event["occurred_at"], event, zone),
        late=Shown("", kind="none") if is_day_only else late(minutes),
        is_late=not is_day_only and minutes >= LATE_MINUTES,
        said=[(name, any_value(name, value, event["said"], zone)) for name, value in event["said"].items()],
        subjects=[(LIVES[name], str(event[name]), address.to_life(name, event[name])) for name in names],
        event_id=event["event_id"],
    )


def asking(source: Source) -> Ask:
    """One SELECT at a time, as streams/queries asks."""

    def ask(statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        [rows] = source.ask([statement], SECONDS)
        return (list(rows[0]) if rows else []), [tuple(row.values()) for row in rows]

    return ask
