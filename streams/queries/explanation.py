"""Explaining a number: its definition, its row column by column, and the events behind it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import projections
from projections.projection import Projection, views
from projections.resolved_facts import SUBJECTS
from projections.sql_literal import sql_literal
from schemas.catalogue import CATALOGUE, ENVELOPE
from schemas.errors import BatonError, ExitCode
from streams.queries.warehouse_access import Ask

EVIDENCE_FOLDER = Path(projections.__file__).parent / "evidence"
MOST_ROWS = 20
SOME_IDS = 'baton sql "select lead_id, account_id from funnel.lead limit 5"   (ids that are there)'
MOST_VALUES = 12
_OTHER_EVIDENCE = re.compile(r"\bevidence\.(\w+)")

Row = dict[str, Any]


@dataclass(frozen=True)
class Explanation:
    """The requested rows of one view, and the events behind them.

    `rows`: at most MOST_ROWS of `row_count`. `events`: the earliest of `event_count`, each with its fields
    other than the envelope, the subjects and personal data.
    """

    view: Projection
    rows: list[Row]
    row_count: int
    as_of: datetime
    playbook_version: str
    behind: str = ""
    events: list[Row] = field(default_factory=list)
    event_count: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The same for `--json`."""
        return {
            "number": self.view.name,
            "says": self.view.says,
            "means": self.view.means,
            "grain": self.view.grain,
            "key": self.view.key,
            "columns": {column.name: column.says for column in self.view.columns},
            "as_of": self.as_of,
            "playbook_version": self.playbook_version,
            "row_count": self.row_count,
            "rows": self.rows,
            "behind": self.behind,
            "event_count": self.event_count,
            "events": self.events,
        }


def explain(ask: Ask, name: str, which: Sequence[str], most_events: int) -> list[Explanation]:
    """One explanation for the name of a number; for an id, one for each view that contains it.

    `which`: values of the number's key columns, in any order. Raises BatonError when nothing is found.
    """
    known = {view.name: view for view in views()}
    if name in known:
        return [_of_number(ask, known[name], which, most_events)]
    found = [] if which else _of_id(ask, name, most_events)
    if not found:
        close = get_close_matches(name, known, n=3) if name.isidentifier() else _close_ids(ask, name)
        others = "baton explain --list" if name.isidentifier() else SOME_IDS
        raise BatonError(
            "No number or id has this name",
            where=name,
            why="it is not a view of schema funnel, and no view contains it as an id"
            + (f"; did you mean {' or '.join(close)}?" if close else ""),
            next_command=f"baton explain {close[0]}" if close else others,
            exit_code=ExitCode.USAGE,
        )
    return found


def _of_number(ask: Ask, view: Projection, which: Sequence[str], most_events: int) -> Explanation:
    keys = ", ".join(f"{column}::varchar" for column in view.key)
    wanted = " and ".join([f"list_contains([{keys}], {sql_literal(value)})" for value in which]) or "true"
    found = explain_rows(ask, view, wanted, most_events)
    if not found.rows:
        raise _no_such_row(ask, view, which)
    return found


def explain_rows(ask: Ask, view: Projection, wanted: str, most_events: int) -> Explanation:
    """The rows of a view that meet a condition, and the events behind them; without a row, without events."""
    rows, count = _shown(ask, view, wanted)
    as_of, version = _circumstances(ask)
    behind = evidence(view, as_of) if rows else None
    if behind is None:
        return Explanation(view, rows, count, as_of, version)
    if count == 1:  # by equality: then only this slice of a sliced view is computed
        wanted = " and ".join(_is(column, rows[0][column]) for column in view.key)
    # Ids are unique within their event type only, so the type is part of the join.
    found = f"select distinct event_type, event_id from ({behind}) where {wanted}"
    events, event_count = _events(
        ask,
        f"facts.event as event join ({found}) as found"
        " on found.event_type = event.event_type and found.event_id = event.event_id",
        most_events,
    )
    return Explanation(view, rows, count, as_of, version, evidence_says(view), events, event_count)


def _is(column: str, value: Any) -> str:
    return f"{column} is null" if value is None else f"{column} = {sql_literal(str(value))}"


def _of_id(ask: Ask, value: str, most_events: int) -> list[Explanation]:
    """The rows of a lead, account, handoff or deal in every view; of another id, in the view keyed by it."""
    subjects = [name for name in SUBJECTS if ask(_any_event(name, value))[1]]
    as_of, version = _circumstances(ask)
    found = []
    for view in views():
        has = [column.name for column in view.columns if column.name in subjects]
        if not subjects and len(view.key) == 1 and view.key[0].endswith("_id"):
            has = [view.key[0]]
        if has:
            rows, count = _shown(ask, view, " or ".join(f"{column} = {sql_literal(value)}" for column in has))
            if rows:
                found.append(Explanation(view, rows, count, as_of, version))
    if not subjects:
        return [_of_number(ask, explanation.view, [value], most_events) for explanation in found]
    if found:
        # The events are those of the subject, so the same for every view: they are attached to the last one.
        says, events, count = life(ask, subjects, value, most_events)
        found[-1] = replace(found[-1], behind=says, events=events, event_count=count)
    return found


def life(ask: Ask, subjects: Sequence[str], value: str, most_events: int) -> tuple[str, list[Row], int]:
    """The earliest events that name a lead, an account, a handoff or a deal, what these are, and how many.

    subjects: the columns that may name it, as in `lead_id`.
    """
    of_it = " or ".join(f"{subject} = {sql_literal(value)}" for subject in subjects)
    same = f"select lead_id from funnel.lead_identity where surviving_lead_id = {sql_literal(value)}"
    events, count = _events(ask, f"facts.event as event where {of_it} or lead_id in ({same})", most_events)
    says = "every event that names it" + (", or a lead merged into it" if "lead_id" in subjects else "")
    return says, events, count


def _close_ids(ask: Ask, name: str) -> list[str]:
    """Ids of subjects that are spelt much like this one."""
    closeness = f"jaro_winkler_similarity(id, {sql_literal(name)})"
    rows = ask(
        f"select id from (select distinct unnest([{', '.join(SUBJECTS)}]) as id from facts.event)"
        f" where {closeness} > 0.9 order by {closeness} desc, id limit 3"
    )[1]
    return [row[0] for row in rows]


def _any_event(subject: str, value: str) -> str:
    return f"select 1 from facts.event where {subject} = {sql_literal(value)} limit 1"


def _circumstances(ask: Ask) -> tuple[datetime, str]:
    ((as_of, version),) = ask(
        "select (select as_of from warehouse.as_of), (select playbook_version from playbook.version)"
    )[1]
    return as_of, version


def _shown(ask: Ask, view: Projection, wanted: str) -> tuple[list[Row], int]:
    """The first rows of a view, in its own order if it has one, and their number."""
    has_position = any(column.name == "position" for column in view.columns)
    order = ", ".join([*view.key[:-1], "position"] if has_position else view.key)
    rows = _rows(
        ask,
        f"select *, count(*) over (partition by true) as row_count from funnel.{view.name} where {wanted}"
        f" order by {order} limit {MOST_ROWS}",
    )
    return [{k: v for k, v in row.items() if k != "row_count"} for row in rows], (
        rows[0]["row_count"] if rows else 0
    )


def _events(ask: Ask, found: str, most_events: int) -> tuple[list[Row], int]:
    """The earliest of the events found, with their fields, and how many there are."""
    rows = _rows(
        ask,
        f"select event.*, count(*) over (partition by true) as event_count from {found}"
        f" order by event.occurred_at, event.event_id limit {max(1, most_events)}",
    )
    count = rows[0].pop("event_count") if rows else 0
    for row in rows[1:]:
        del row["event_count"]
    rows = rows[:most_events]
    said = {kind: _said(ask, kind, rows) for kind in {row["event_type"] for row in rows}}
    return [{**row, "said": said[row["event_type"]].get(row["event_id"], {})} for row in rows], count


def _said(ask: Ask, event_type: str, rows: list[Row]) -> dict[str, Row]:
    event = next(event for event in CATALOGUE.facts if event.name == event_type)
    names = [
        field["name"]
        for field in event.fields
        if field["name"] not in (*ENVELOPE, *SUBJECTS) and not field.get("pii")
    ]
    ids = ", ".join(sql_literal(row["event_id"]) for row in rows if row["event_type"] == event_type)
    found = _rows(
        ask, f"select {', '.join(['event_id', *names])} from facts.{event.table} where event_id in ({ids})"
    )
    silent = event.defaults
    return {
        row["event_id"]: {name: row[name] for name in names if row[name] not in (None, silent.get(name))}
        for row in found
    }


def evidence_says(view: Projection) -> str:
    """A description of the events behind a row of the view."""
    file = EVIDENCE_FOLDER / f"{view.name}.sql"
    if not file.exists():
        return "every event that names it"
    header = "\n".join(
        line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("--")
    )
    return " ".join(header.split("says:", 1)[1].replace("--", " ").split())


def evidence(view: Projection, as_of: datetime) -> str | None:
    """SQL: the key columns of a view with event_type and event_id of every event behind the row.

    From the view's own file in projections/evidence, which may build on the evidence of another view
    (`evidence.NAME`); a view of one subject without a file has that subject's events. None without either.
    """
    select = _evidence(view.name)
    return select and select.replace("$as_of", sql_literal(as_of))


@cache
def _evidence(name: str) -> str | None:
    file = EVIDENCE_FOLDER / f"{name}.sql"
    if file.exists():
        lines = file.read_text(encoding="utf-8").splitlines()
        select = "\n".join(line for line in lines if not line.startswith("--"))
        return _OTHER_EVIDENCE.sub(lambda other: f"({_evidence(other[1])})", select)
    view = next(view for view in views() if view.name == name)
    subject = next((column for column in view.key if column in SUBJECTS), None)
    if subject is None:
        return None
    keys = ", ".join(f"shown.{column}" for column in view.key)
    return (
        f"select {keys}, event.event_type, event.event_id from funnel.{view.name} as shown"
        f" join facts.event as event on event.{subject} = shown.{subject}"
    )


def _rows(ask: Ask, statement: str) -> list[Row]:
    columns, rows = ask(statement)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _no_such_row(ask: Ask, view: Projection, which: Sequence[str]) -> BatonError:
    """The error that lists the values of each key column, so that the next try finds a row."""
    known, everything = [], []
    for column in view.key:
        values = [
            str(row[0])
            for row in ask(
                f"select distinct {column} from funnel.{view.name} order by all limit {MOST_VALUES + 1}"
            )[1]
        ]
        if values:
            more = ", ..." if len(values) > MOST_VALUES else ""
            known.append(f"{column}: {', '.join(values[:MOST_VALUES])}{more}")
            everything += values
    close = [match for value in which for match in get_close_matches(value, everything, n=1)]
    hint = f"; did you mean {' '.join(close)}?" if close and close != list(which) else ""
    return BatonError(
        f"{view.name} has no such row",
        where=" ".join(which) or f"funnel.{view.name}",
        why=f"the key columns have {'; '.join(known)}{hint}" if known else "it has no rows yet",
        next_command=f"baton explain {view.name}",
        exit_code=ExitCode.USAGE,
    )
