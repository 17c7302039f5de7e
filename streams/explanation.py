"""Opening a number: its definition, its row column by column, and the very events behind it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import projections
from projections.projection import Projection, views
from schemas.errors import BatonError, ExitCode
from warehouse.layout import SUBJECTS

EVIDENCE_FOLDER = Path(projections.__file__).parent / "evidence"
MOST_ROWS = 20
_OTHER_EVIDENCE = re.compile(r"\bevidence\.(\w+)")

Ask = Callable[[str], tuple[list[str], list[tuple[Any, ...]]]]
Row = dict[str, Any]


@dataclass(frozen=True)
class Explanation:
    """One view's rows that were asked for, and what stands behind them.

    `events`: the first of them in order of time, `event_count` of them in all.
    """

    view: Projection
    rows: list[Row]
    as_of: datetime
    playbook_version: str
    events: list[Row] = field(default_factory=list)
    event_count: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The same for `--json`."""
        return {
            "number": self.view.name,
            "says": self.view.says,
            "means": self.view.means,
            "grain": self.view.grain,
            "columns": {column.name: column.says for column in self.view.columns},
            "as_of": self.as_of,
            "playbook_version": self.playbook_version,
            "rows": self.rows,
            "event_count": self.event_count,
            "events": self.events,
        }


def explain(ask: Ask, name: str, which: Sequence[str], most_events: int) -> list[Explanation]:
    """Everything `name` says: one explanation for a number, one for each view that knows an id.

    `which`: values of the number's key columns, in any order. Raises BatonError when nothing is found.
    """
    known = {view.name: view for view in views()}
    if name in known:
        return [_of_number(ask, known[name], which, most_events)]
    found = [
        explanation
        for view in known.values()
        if len(view.key) == 1 and view.key[0].endswith("_id") and not which
        for explanation in _of_id(ask, view, name, most_events)
    ]
    if not found:
        raise BatonError(
            "There is nothing of this name",
            where=name,
            why="it is no number of schema funnel, and no handoff, lead, deal or account has this id",
            next_command="baton explain --list",
            exit_code=ExitCode.USAGE,
        )
    return found


def _of_number(ask: Ask, view: Projection, which: Sequence[str], most_events: int) -> Explanation:
    keys = ", ".join(f"{column}::varchar" for column in view.key)
    wanted = " and ".join([f"list_contains([{keys}], {quoted(value)})" for value in which]) or "true"
    rows = _rows(ask, f"select * from funnel.{view.name} where {wanted} limit {MOST_ROWS}")
    if not rows:
        raise _no_such_row(ask, view, which)
    return _with_events(ask, view, rows, wanted, most_events)


def _of_id(ask: Ask, view: Projection, value: str, most_events: int) -> list[Explanation]:
    wanted = f"{view.key[0]} = {quoted(value)}"
    rows = _rows(ask, f"select * from funnel.{view.name} where {wanted} limit {MOST_ROWS}")
    return [_with_events(ask, view, rows, wanted, most_events)] if rows else []


def _with_events(ask: Ask, view: Projection, rows: list[Row], wanted: str, most_events: int) -> Explanation:
    ((as_of, version),) = ask(
        "select (select as_of from warehouse.as_of), (select playbook_version from playbook.version)"
    )[1]
    behind = evidence(view, as_of)
    if behind is None:
        return Explanation(view, rows, as_of, version)
    # Ids are unique for their event type only, so the type goes along.
    found = f"select distinct event_type, event_id from ({behind}) where {wanted}"
    ((count,),) = ask(f"select count(*) from ({found})")[1]
    events = _rows(
        ask,
        f"select event.* from facts.event as event join ({found}) as found"
        " on found.event_type = event.event_type and found.event_id = event.event_id"
        f" order by event.occurred_at, event.event_id limit {most_events}",
    )
    return Explanation(view, rows, as_of, version, events, int(count))


def evidence(view: Projection, as_of: datetime) -> str | None:
    """SQL: the key columns of a view with event_type and event_id of every event behind the row.

    From the view's own file in projections/evidence, which may build on the evidence of another view
    (`evidence.NAME`); a view of one subject without a file has that subject's events. None without either.
    """
    select = _evidence(view.name)
    return select and select.replace("$as_of", f"timestamptz '{as_of.isoformat()}'")


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
    keys = ", ".join(view.key)
    known = ask(f"select distinct {keys} from funnel.{view.name} order by all limit 5")[1]
    some = "; ".join(" ".join(str(value) for value in row) for row in known)
    return BatonError(
        f"{view.name} has no such row",
        where=" ".join(which) or f"funnel.{view.name}",
        why=f"a row is known by {keys}; there are: {some}" if some else "it has no rows yet",
        next_command=f'baton sql "from funnel.{view.name}"',
        exit_code=ExitCode.USAGE,
    )


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
