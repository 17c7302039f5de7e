"""Every panel's numbers are those of its documented view, and a count is the number of the rows it opens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from projections.projection import views
from projections.sql_literal import sql_literal
from streams.queries.pack_panels import PACK_PANELS
from streams.queries.panel import UNITS, Circumstances, Look, Panel, circumstances, circumstances_statement
from streams.queries.panels import PANELS as ON_THE_PAGE
from streams.queries.row_selection import opened
from tests.simulated import simulated
from warehouse.warehouse import Warehouse

# Each of the page and of the meeting pack, once.
PANELS = (*ON_THE_PAGE, *(panel for panel in PACK_PANELS if panel not in ON_THE_PAGE))
LOOKS = (
    Look(),
    Look(window="all"),
    Look("region", "emea", "all"),
    Look("first_channel", "web_form", "month:2026-03-01"),
)
SLICE = "dimension = {dimension} and value = {value} and window_unit = {window_unit}"
COLUMNS = {view.name: {column.name for column in view.columns} for view in views()}
# The panels whose rows are rows of their view; the others count, and the test of what opens compares them.
AS_THEY_STAND = [
    panel for panel in PANELS if "group by" not in panel.select and not any(f.column for f in panel.columns)
]
by_id = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.id)
by_look = pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look.value}-{look.window}")


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Warehouse]:
    with simulated(7, 300) as found:
        yield found


def rows_of(warehouse: Warehouse, panel: Panel, found: Circumstances) -> list[dict[str, Any]]:
    columns, rows = warehouse.ask(panel.statement(found))
    return [dict(zip(columns, row, strict=True)) for row in rows]


def look_at(warehouse: Warehouse, look: Look) -> Circumstances:
    [row] = warehouse.ask(circumstances_statement(look))[1]
    return circumstances(look, row)


@by_id
def test_each_column_is_documented(panel: Panel) -> None:
    assert {figure.unit for figure in panel.columns} <= set(UNITS)
    for figure in panel.columns:
        view, _, column = (figure.column or figure.name).rpartition(".")
        assert column in COLUMNS[view or panel.view], figure.name
        if figure.opens:
            assert set(figure.opens.where) <= COLUMNS[figure.opens.view]


@by_look
@pytest.mark.parametrize("panel", AS_THEY_STAND, ids=lambda panel: panel.id)
def test_each_number_is_that_of_the_view(warehouse: Warehouse, panel: Panel, look: Look) -> None:
    found = look_at(warehouse, look)
    shown = rows_of(warehouse, panel, found)
    as_they_stand = [figure.name for figure in panel.columns]
    is_sliced = "dimension" in COLUMNS[panel.view]
    for row in shown:
        wanted = [f"{k} is not distinct from {sql_literal(str(row[k]))}" for k in panel.key]
        if is_sliced:
            wanted.append(SLICE.format(**found.parameters()))
            wanted.append(f"window_start is not distinct from {found.parameters()['window_start']}")
        if "period" in row:
            wanted.append(f"period = {sql_literal(row['period'])}")
        if "looked_on" in row:
            wanted.append(f"looked_on = date '{row['looked_on']}'")
        if panel.id == "gap":
            wanted.append(f"period = {sql_literal(found.period)}")
        condition = " and ".join(wanted) or "true"
        _, rows = warehouse.ask(
            f"select {', '.join(as_they_stand)} from funnel.{panel.view} where {condition}"
        )
        assert rows == [tuple(row[name] for name in as_they_stand)]


@by_look
@by_id
def test_a_count_is_the_number_of_rows_it_opens(warehouse: Warehouse, panel: Panel, look: Look) -> None:
    found = look_at(warehouse, look)
    for row in rows_of(warehouse, panel, found):
        for figure in panel.columns:
            if figure.opens:
                selection = opened(figure.opens, row)
                assert warehouse.ask(selection.count_statement(found))[1] == [(row[figure.name],)], (
                    figure.name,
                    selection,
                )


def test_the_panels_that_count_are_not_empty(warehouse: Warehouse) -> None:
    found = look_at(warehouse, Look(window="all"))
    empty = {panel.id for panel in PANELS if not rows_of(warehouse, panel, found)}
    assert empty <= {"failed", "disputes", "alerts", "alert_rules"}


def test_what_is_late_may_cost_a_lead_once(warehouse: Warehouse) -> None:
    found = look_at(warehouse, Look(window="all"))
    [panel] = [panel for panel in PANELS if panel.id == "late"]
    rows = rows_of(warehouse, panel, found)
    [(late,)] = warehouse.ask("select count(*) from funnel.obligation where is_past_due")[1]
    assert {row["all_late"] for row in rows} == {late}


def test_what_is_late_now_may_cost_the_same_in_every_window(warehouse: Warehouse) -> None:
    [panel] = [panel for panel in PANELS if panel.id == "late"]
    windows = ("this_quarter", "last_quarter", "all")
    shown = [rows_of(warehouse, panel, look_at(warehouse, Look(window=window))) for window in windows]
    assert shown[0] == shown[1] == shown[2]
