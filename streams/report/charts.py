"""Which chart each panel has: drawn from the rows of its table, so that the two cannot differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from streams.queries.panels import BANDS, BLACK_HOLE, COVERAGE, GOAL
from streams.queries.shown import name, shown
from streams.report import svg

Rows = Sequence[Mapping[str, Any]]


def chart_of(panel_id: str, rows: Rows) -> Markup | None:
    """None for a panel that has no chart, or nothing to draw."""
    draw = _CHARTS.get(panel_id)
    return draw(rows) if draw and rows else None


def _goal(rows: Rows) -> Markup:
    whole = [row for row in rows if row["scope"] == "company"] or rows
    first = whole[0]
    columns = (("goal_amount", "goal"), ("expected_by_now", "expected by now"), ("actual", "reached"))
    return svg.bars(
        f"{GOAL.title}: {name(first['metric'])}, goal, expected by now and reached",
        [(label, float(first[column] or 0), _text("money", first, column)) for column, label in columns],
    )


def _gap(rows: Rows) -> Markup:
    whole = rows[0]
    steps = [
        (name(row["cause"]), float(row["amount"] or 0), _text("money", row, "amount"))
        for row in rows
        if row["amount"]
    ]
    total = sum((row["amount"] or 0 for row in rows), start=type(whole["amount"] or 0)(0))
    summed = shown("money", total, whole).text
    return svg.waterfall("The gap by cause", steps, ("together", float(total), summed))


def _bands(rows: Rows) -> Markup:
    figures = [figure for figure in BANDS.columns if figure.unit == "count"]
    return svg.stacked(
        BANDS.title,
        [figure.label for figure in figures],
        [(_pair(row), [row[figure.name] for figure in figures]) for row in rows],
    )


def _black_hole(rows: Rows) -> Markup:
    return svg.bars(
        BLACK_HOLE.title,
        [(name(row["state"]), row["handoffs"], _text("count", row, "handoffs")) for row in rows],
    )


def _coverage(rows: Rows) -> Markup:
    return svg.bars(
        f"{COVERAGE.title}: open pipeline",
        [
            (
                f"{name(row['horizon'])} {row['closes_in'] or ''}".strip(),
                float(row["open_pipeline_now"] or 0),
                _text("money", row, "open_pipeline_now"),
            )
            for row in rows
        ],
    )


def _pair(row: Mapping[str, Any]) -> str:
    return f"{name(row['from_team'])} → {name(row['to_team'])}"


def _text(unit: str, row: Mapping[str, Any], column: str) -> str:
    return shown(unit, row[column], row).text


_CHARTS: dict[str, Callable[[Rows], Markup]] = {
    "goal": _goal,
    "gap": _gap,
    "bands": _bands,
    "black_hole": _black_hole,
    "coverage": _coverage,
}
