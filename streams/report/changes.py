"""What changed between two moments, number by number."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from streams.queries.numbers import NAMED, Number, numbers_of
from streams.queries.shown import name, shown
from streams.queries.values import NULL
from streams.report.moments import READ, Moment

# The figures that are followed from week to week.
WEEKLY: Mapping[str, Collection[str]] = {
    "goal": ("actual", "gap", "pace"),
    "clock": ("p90_minutes",),
    "sla": ("kept_share", "past_due"),
    "black_hole": ("handoffs",),
    "definition": ("precision_at_acceptance", "precision_at_win", "recall"),
    "coverage": ("coverage_now", "open_pipeline_now"),
}


@dataclass(frozen=True)
class Change:
    """A number before and after, as shown, and the difference as text."""

    number: Number
    was: str
    is_now: str
    by: str


def changes(before: Moment, after: Moment, only: Mapping[str, Collection[str]] | None = None) -> list[Change]:
    """The numbers that differ in what is shown of them, in the order of the panels. `only`: figures by
    panel; default: all of every panel that does not list single cases."""
    return [
        change(number, before, after)
        for number in _numbers(before, after)
        if only is None or number.figure.name in only.get(number.panel.id, ())
        if _exact(number, before) != _exact(number, after)
    ]


def change(number: Number, before: Moment, after: Moment) -> Change:
    """One number at two moments."""
    (was, then), (value, row) = _value(number, before), _value(number, after)
    unit = number.figure.unit
    return Change(
        number, shown(unit, was, then).text, shown(unit, value, row).text, _difference(unit, was, value, row)
    )


def difference(number: Number, before: Moment, after: Moment) -> float | None:
    """By how much it moved; None where it was not there."""
    was, value = _value(number, before)[0], _value(number, after)[0]
    return None if was is None or value is None else float(value) - float(was)


def in_words(number: Number) -> str:
    """A number's name for people: the panel, what identifies the row, the figure."""
    key = [
        part[:12] if column == "playbook_version" else name(part)
        for column, part in _parts(number)
        if (column, part) != ("scope", "company")
    ]
    return " · ".join((number.panel.title, *key, number.figure.label))


def _parts(number: Number) -> Iterator[tuple[str, str]]:
    return zip(number.panel.key, number.key, strict=True)


def _numbers(before: Moment, after: Moment) -> Iterator[Number]:
    for panel in READ:
        if panel.id in NAMED:
            found = {n.address: n for m in (after, before) for n in numbers_of(panel, m.panels[panel.id])}
            yield from found.values()


def _value(number: Number, moment: Moment) -> tuple[Any, Mapping[str, Any]]:
    row = number.row(moment.panels)
    return (None, {}) if row is None else (row[number.figure.name], row)


def _exact(number: Number, moment: Moment) -> str:
    value, row = _value(number, moment)
    return shown(number.figure.unit, value, row).text


def _difference(unit: str, was: Any, value: Any, row: Mapping[str, Any]) -> str:
    if was is None or value is None:
        return NULL
    by = value - was
    text = f"{100 * abs(by):.1f} points" if unit == "share" else shown(unit, abs(by), row).text
    return text if not by else f"{'+' if by > 0 else '−'}{text}"
