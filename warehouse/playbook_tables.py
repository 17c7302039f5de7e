"""The playbooks as tables: every version that ever was in force, and views of the one in force now.

Each table has `all_` before its name and begins with playbook_version; the view without `all_` shows
the same columns of the version in force at the warehouse's as-of. Numbers that judge by the version in
force at the time read the `all_` tables; everything else reads the views.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import duckdb
import pyarrow as pa

from projections import open_time
from projections.agreement import InForce
from projections.business_time import Calendar
from projections.dimensions import DIMENSIONS, SizeBand
from projections.goals import Goals
from projections.periods import WINDOW_UNITS
from projections.playbook import WEEKDAYS, Playbook

# Table -> columns after playbook_version.
_COLUMNS = {
    "version": """name varchar, zone varchar, window_unit varchar, fiscal_year_begins integer,
        week_begins integer, at_risk_share double, currency varchar, rates_name varchar,
        gross_margin decimal(9,8), cohort_us bigint, minimum_n integer, session_us bigint,
        engaged_within_us bigint, complete_within_us bigint, is_signed boolean,
        in_force_from timestamptz, in_force_until timestamptz""",
    "calendar": "position integer, calendar varchar, zone varchar",
    "team": "team varchar, side varchar, calendar varchar",
    "member": "owner varchar, team varchar, calendar varchar",
    "stage": "position integer, stage varchar, entered_by varchar, buyer_step varchar",
    "deal_stage": "position integer, deal_stage varchar",
    "sla": """sla varchar, from_team varchar, to_team varchar, owed_by varchar, clock varchar,
        allowed_us bigint, attempts integer""",
    "criterion": """position integer, criterion varchar, kind varchar, is_required boolean, attribute varchar,
        one_of varchar[], at_least integer, at_most integer, activities varchar[], roles varchar[],
        needed integer, within_us bigint""",
    "role": "position integer, role varchar, wanted integer, is_required boolean",
    "rate": "currency varchar, rate decimal(18,8), from_on date, until_on date",
    "goal": """goal_id varchar, parent_goal_id varchar, period varchar, owner_team varchar, metric varchar,
        amount decimal(18,4), currency varchar, scope varchar""",
    "cost": "team varchar, period varchar, amount decimal(18,4), currency varchar",
    "cascade_owner": "step varchar, owner_team varchar",
    "attribute": "name varchar, attribute_of varchar",
    "window_unit": """window_unit varchar, is_playbook_window boolean, zone varchar, week_begins integer,
        fiscal_year_begins integer""",
    "size_band": "size_band varchar, at_least integer, at_most integer",
    "segment_condition": """position integer, segment varchar, conditions integer, attribute varchar,
        one_of varchar[], at_least integer, at_most integer""",
}
_MICROSECOND = timedelta(microseconds=1)


def statements() -> Iterator[str]:
    """DDL of the tables, and of the views and functions on them. Needs warehouse.as_of."""
    for table, columns in _COLUMNS.items():
        yield f"create table if not exists playbook.all_{table} (playbook_version varchar, {columns})"
    yield from open_time.DDL
    yield from open_time.SQL_FUNCTIONS
    yield """
        create or replace view playbook.version as
        select * from playbook.all_version
        where in_force_from is null or in_force_from <= (select as_of from warehouse.as_of)
        order by in_force_from desc nulls last limit 1
    """
    dimensions = ", ".join(f"('{dimension}')" for dimension in DIMENSIONS)
    yield f"create or replace view playbook.dimension as from (values {dimensions}) as each(dimension)"
    for table in _COLUMNS:
        if table != "version":
            yield f"""
                create or replace view playbook.{table} as
                select * exclude (playbook_version) from playbook.all_{table}
                where playbook_version = (select playbook_version from playbook.version)
            """


def store_playbooks(connection: duckdb.DuckDBPyConnection, playbooks: Sequence[InForce]) -> None:
    """Make the tables hold exactly these versions, oldest first. Writes nothing when they already do.

    Needs an open transaction around it: a reader must see all of it or nothing.
    """
    playbooks = each_version_once(playbooks)
    rows = _rows(playbooks)
    if are_stored(connection, playbooks):
        return
    if connection.execute("select count(*) from playbook.all_version").fetchall() != [(0,)]:
        for table in rows:
            connection.execute(f"delete from playbook.all_{table}")
    for table, content in rows.items():
        if content:
            _fill(connection, f"all_{table}", _in_columns(content))
    _store_calendars(connection, _calendars(playbooks))


def _store_calendars(connection: duckdb.DuckDBPyConnection, calendars: Mapping[str, Calendar]) -> None:
    """Only those that are missing are written. DuckDB 1.5 shows others a commit of more rows than a row group
    holds bit by bit: whoever reads meanwhile would find the old rows of a calendar beside the new ones."""
    stored = dict(connection.execute("from playbook.open_calendar").fetchall())
    kept = [name for name, calendar in calendars.items() if stored.get(name) == _content(calendar)]
    for table in ("open_calendar", "open_day", "open_span"):
        connection.execute(f"delete from playbook.{table} where not list_contains(?, calendar_id)", [kept])
    missing = [calendar for name, calendar in calendars.items() if name not in kept]
    if missing:
        names = [[calendar.id, _content(calendar)] for calendar in missing]
        _fill(connection, "open_calendar", _in_columns(names))
        for table, made in (("open_day", open_time.open_days), ("open_span", open_time.open_spans)):
            _fill(connection, table, pa.concat_tables(map(made, missing)))


def _calendars(playbooks: Sequence[InForce]) -> dict[str, Calendar]:
    return {c.id: c for playbook in playbooks for c in _own_calendars(playbook.playbook, playbooks)}


def _content(calendar: Calendar) -> str:
    said = (calendar.zone, calendar.windows, sorted(calendar.holidays))
    return hashlib.sha256(repr(said).encode()).hexdigest()


def are_stored(connection: duckdb.DuckDBPyConnection, playbooks: Sequence[InForce]) -> bool:
    """Whether the tables hold exactly these versions. One that was added to the layout later is empty."""
    playbooks = each_version_once(playbooks)
    rows = _rows(playbooks)
    counts = ", ".join(f"(select count(*) from playbook.all_{table})" for table in rows)
    if connection.execute(f"select {counts}").fetchall() != [tuple(map(len, rows.values()))]:
        return False
    stored = connection.execute(
        "select * from playbook.all_version order by in_force_from nulls first"
    ).fetchall()
    calendars = dict(connection.execute("from playbook.open_calendar").fetchall())
    wanted = {name: _content(calendar) for name, calendar in _calendars(playbooks).items()}
    return calendars == wanted and stored == [tuple(row) for row in rows["version"]]


def _fill(connection: duckdb.DuckDBPyConnection, table: str, content: pa.Table) -> None:
    # Not as parameters: the client tries to import pandas, which is not here, once per value.
    connection.register("content", content.to_reader())
    connection.execute(f"insert into playbook.{table} select * from content")
    connection.unregister("content")


def _in_columns(rows: Sequence[Sequence[Any]]) -> pa.Table:
    columns = [pa.array(column) for column in zip(*rows, strict=True)]
    return pa.table(columns, [str(position) for position in range(len(columns))])


def each_version_once(playbooks: Sequence[InForce]) -> Sequence[InForce]:
    """The same, with each version in one row, so that a join by playbook_version finds one.

    Only the unsigned base can be there twice: the file moves on with what is signed. What it said before
    is not known any more; the first signed version is the oldest agreement there is, and takes its place.
    """
    base, *signed = playbooks
    if all(base.playbook.version != other.playbook.version for other in signed):
        return playbooks
    return [replace(signed[0], since=None), *signed[1:]]


def _own_calendars(playbook: Playbook, playbooks: Sequence[InForce]) -> Sequence[Calendar]:
    """Its calendars; one that an earlier version words otherwise under the same id gets a name of its own."""
    first: dict[str, Calendar] = {}
    for earlier in playbooks:
        for calendar in earlier.playbook.calendars:
            first.setdefault(calendar.id, calendar)
    return [
        c if first[c.id] == c else Calendar(f"{c.id}@{playbook.short_version}", c.zone, c.windows, c.holidays)
        for c in playbook.calendars
    ]


def _rows(playbooks: Sequence[InForce]) -> dict[str, list[list[Any]]]:
    rows: dict[str, list[list[Any]]] = {table: [] for table in _COLUMNS}
    for governing in playbooks:
        calendars = _own_calendars(governing.playbook, playbooks)
        for table, content in _rows_of(governing, calendars).items():
            rows[table] += [[governing.playbook.version, *row] for row in content]
    return rows


def _rows_of(governing: InForce, calendars: Sequence[Calendar]) -> dict[str, list[tuple[Any, ...]]]:
    p, money, group = governing.playbook, governing.playbook.goals, governing.playbook.definition
    renamed = {old.id: new.id for old, new in zip(p.calendars, calendars, strict=True)}
    week_begins = WEEKDAYS.index(p.week_begins) + 1
    version = (
        p.name, p.zone, p.window, p.fiscal_year_begins, week_begins,
        p.at_risk_share, money.currency, money.rates_name, money.gross_margin,
        money.cohort // _MICROSECOND, money.minimum_n, money.session // _MICROSECOND,
        group.engaged_within // _MICROSECOND, group.complete_within // _MICROSECOND,
        governing.is_signed, governing.since, governing.until,
    )  # fmt: skip
    return {
        "version": [version],
        "calendar": [(i, c.id, c.zone) for i, c in enumerate(calendars)],
        "team": [(team.id, team.side, renamed[team.calendar]) for team in p.teams],
        "member": [(owner, team, renamed[calendar]) for owner, (team, calendar) in p.members.items()],
        "stage": [(i, stage, event, p.buyer_steps.get(stage)) for i, (stage, event) in enumerate(p.stages)],
        "deal_stage": list(enumerate(p.deal_stages)),
        "sla": [
            (s.id, s.from_team, s.to_team, s.owed_by, s.clock, s.within // _MICROSECOND, s.attempts)
            for s in p.slas
        ],
        "criterion": [
            (
                i, c.id, c.kind, c.is_required, c.attribute, list(c.one_of), c.at_least, c.at_most,
                list(c.activities), list(c.roles), c.count, c.within // _MICROSECOND if c.within else None,
            )
            for i, c in enumerate(group.criteria)
        ],
        "role": [(i, role.id, role.wanted, role.is_required) for i, role in enumerate(group.roles)],
        "rate": list(_rates(money)),
        "goal": [
            (g.id, g.parent, g.period, g.owner_team, g.metric, g.amount, g.currency, g.scope)
            for g in money.goals
        ],
        "cost": [(c.team, c.period, c.amount, c.currency) for c in money.costs],
        "cascade_owner": list(money.owners.items()),
        "attribute": [(attribute.name, attribute.of) for attribute in p.attributes],
        "window_unit": [
            (unit, unit == p.window, p.zone, week_begins, p.fiscal_year_begins) for unit in WINDOW_UNITS
        ],
        "size_band": list(_size_bands(p.dimensions.size_bands)),
        "segment_condition": [
            (i, s.id, len(s.conditions), c.attribute, list(c.one_of), c.at_least, c.at_most)
            for i, s in enumerate(p.dimensions.segments)
            for c in s.conditions
        ],
    }  # fmt: skip


def _size_bands(bands: Sequence[SizeBand]) -> Iterator[tuple[str, int, int | None]]:
    at_least = 0
    for band in bands:
        yield band.id, at_least, band.at_most
        at_least = (band.at_most or 0) + 1


def _rates(money: Goals) -> Iterator[tuple[str, Decimal, date, date]]:
    """(currency, rate, first day, first day of the next rate). A rate without a day holds since ever."""
    for rate, following in pairwise([*money.rates, None]):
        assert rate is not None
        has_next = following is not None and following.currency == rate.currency
        until = following.since if following is not None and has_next else None
        yield rate.currency, rate.rate, rate.since or date.min, until or date.max
