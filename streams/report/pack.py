"""The pack of the weekly meeting: what both sides look at together, as of one instant.

It is made from the numbers of streams/report/moments.py; the same as-of gives the same pack.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streams.queries.audiences import Audience
from streams.queries.numbers import Number, key_of
from streams.queries.pack_panels import DECISIONS, PACK_PANELS, TALK
from streams.queries.panel import Circumstances, Panel
from streams.queries.panels import DISPUTES
from streams.queries.shown import name, shown
from streams.queries.values import NULL
from streams.report.blocks import Block, Section, panel_table, text_table
from streams.report.changes import WEEKLY, Change, change, changes, difference, in_words
from streams.report.charts import chart_of
from streams.report.moments import Moment, Row, Week
from streams.report.recording import direction

MOST_REVISIONS = 40
# Of a list that is cut, the column that says how many there are.
_ALL = {"promises": "all_at_risk", "groups": "all_stuck", "decisions": "all_decisions"}
_NOTHING = {
    "goal": "No goal covers this window. A playbook or a GoalSet event sets one.",
    "gap": "No revenue goal of the company is for exactly this window, so there is no gap to explain.",
    "talk": "No handoff missed anything.",
    "groups": "No buying group with an open deal is late.",
    "promises": "No promise is overdue or open.",
    "disputes": "No number is disputed.",
    "waiting": "Nobody waits on anybody.",
    "coverage": "No deal has been opened yet.",
}
# As docs/guides/meeting_pack.md lists them: id, title, panels.
_SECTIONS = (
    ("goal", "Goal and gap", ("goal", "gap")),
    ("sla", "What each side owes the other", ("sla", "clock", "bands", "waiting")),
    ("talk", "Handoffs worth talking about", ("black_hole", "talk")),
    ("returns", "Returned leads", ("returns",)),
    ("definition", "The definition", ("definition",)),
    ("groups", "Buying groups", ("groups",)),
    ("promises", "Promises", ("promises",)),
    ("coverage", "Coverage", ("coverage",)),
)


@dataclass(frozen=True)
class Pack:
    """headline: the shared goal in figures, with the address of each; sections: in the audience's order."""

    found: Circumstances
    audience: Audience | None
    headline: Sequence[tuple[str, str, str]]
    sections: Sequence[Section]


def make_pack(week: Week, audience: Audience | None = None, *, is_with_words: bool = False) -> Pack:
    """The pack of a week. is_with_words: whether the reader may read what a dispute says."""
    now = week.now
    words = audience.words if audience else {}
    sections = [
        _changed(week.shown_then, now),
        *(
            Section(id_, title, [_block(each, now, words) for each in ids], ids)
            for id_, title, ids in _SECTIONS
        ),
        _decided(week, words),
        _disputed(now, is_with_words),
        _revised(week.shown_then, week.known_now),
    ]
    if audience is not None:
        sections = [
            sections[0],
            *sorted(sections[1:-1], key=lambda each: _place(each, audience)),
            sections[-1],
        ]
    return Pack(now.found, audience, _headline(now), sections)


def _place(section: Section, audience: Audience) -> int:
    order = audience.panels()
    return min((order.index(each) for each in section.panels if each in order), default=len(order))


def _panel(panel_id: str) -> Panel:
    return next(panel for panel in PACK_PANELS if panel.id == panel_id)


def _block(panel_id: str, moment: Moment, words: Mapping[str, str]) -> Block:
    panel, rows = _panel(panel_id), moment.panels[panel_id]
    whole = rows[0][_ALL[panel_id]] if rows and panel_id in _ALL else len(rows)
    note = f"{whole - len(rows):,} more are not shown." if whole > len(rows) else ""
    if panel_id == "gap":
        note = "What is missing; with a minus, what was gained. The causes cover retained revenue too."
    return Block(
        panel.title,
        panel.says,
        panel_table(panel, rows, moment.found.zone),
        words.get(panel_id, ""),
        chart_of(panel_id, rows),
        note,
        _trace(panel, moment.found.as_of),
        _NOTHING.get(panel_id, "Nothing happened in this window."),
    )


def _trace(panel: Panel, as_of: datetime) -> str:
    which = "HANDOFF" if panel is TALK else panel.view
    return f"baton explain {which} --as-known {as_of.isoformat().replace('+00:00', 'Z')}"


def _headline(moment: Moment) -> list[tuple[str, str, str]]:
    """(label, text, address) of the company's first goal: reached, goal, gap, pace."""
    panel = _panel("goal")
    row = next((row for row in moment.panels["goal"] if row["scope"] == "company"), None)
    if row is None:
        return []
    figures = {figure.name: figure for figure in panel.columns}
    return [
        (
            figures[column].label,
            shown(figures[column].unit, row[column], row).text,
            Number(panel, key_of(panel, row), figures[column]).address,
        )
        for column in ("actual", "goal_amount", "gap", "pace")
    ]


def _changed(before: Moment, now: Moment) -> Section:
    found = changes(before, now, WEEKLY)
    compared = (
        f"Now, and on {_day(before)} as it was known on that day; numbers that are the same are left out."
    )
    block = Block(
        "What changed since last week",
        compared,
        _change_table("a week ago", found),
        nothing="None of the followed numbers changed.",
    )
    return Section("changes", "What changed", [block])


def _revised(shown_then: Moment, known_now: Moment) -> Section:
    found = changes(shown_then, known_now)
    more = len(found) - MOST_REVISIONS
    block = Block(
        "Late revisions of numbers shown before",
        f"The numbers of {_day(shown_then)} as known on that day, and as known now: events recorded later"
        " changed them.",
        _change_table("as shown then", found[:MOST_REVISIONS]),
        note=f"{more:,} more numbers changed." if more > 0 else "",
        nothing="No event recorded since changed a number of a week ago.",
    )
    return Section("revisions", "Revisions", [block])


def _change_table(then: str, found: Sequence[Change]) -> Any:
    rows = [(in_words(each.number), each.was, each.is_now, each.by) for each in found]
    return text_table(("number", then, "now", "change"), rows, 3)


def _day(moment: Moment) -> str:
    return shown("instant", moment.found.as_of, zone=moment.found.zone).text


def _decided(week: Week, words: Mapping[str, str]) -> Section:
    rows = week.now.panels["decisions"]
    zone = week.now.found.zone
    lines = []
    for row in rows:
        number, was, is_now, verdict = _since(row, week)
        texts = (("text", "decision"), ("text", "owner"), ("day", "due_on"))
        decision, owner, due = (shown(unit, row[column], row, zone).text for unit, column in texts)
        decided = shown("instant", row["decided_at"], zone=zone).text
        lines.append((decided, decision, owner, due, number, was, is_now, verdict))
    headings = ("decided", "decision", "owner", "by", "number that should move", "then", "now", "since")
    block = Block(
        DECISIONS.title,
        DECISIONS.says,
        text_table(headings, lines, 3),
        words.get("decisions", ""),
        trace=_trace(DECISIONS, week.now.found.as_of),
        nothing="No decision is recorded. baton decide records one.",
    )
    return Section("decisions", "Decisions", [block], ("decisions",))


def _since(row: Row, week: Week) -> tuple[str, str, str, str]:
    """Of a decision: its number in words, what it was when it was decided, what it is, how it moved."""
    followed = week.followed.get(row["decision_id"])
    if followed is None:
        named = row["number"] or row["expected_effect"]
        return shown("text", named).text, NULL, NULL, NULL
    number, then = followed
    moved = change(number, then, week.now)
    verdict = _verdict(row, difference(number, then, week.now), moved.by)
    is_same_quarter = then.found.window_start == week.now.found.window_start
    was = moved.was if is_same_quarter else f"{moved.was} ({then.found.period})"
    return in_words(number), was, moved.is_now, verdict


def _verdict(row: Row, by: float | None, text: str) -> str:
    should = direction(row["expected_effect"])
    if by is None:
        return "not there at both moments"
    if not by:
        return "has not moved"
    if should is None:
        return text
    return f"{text}, {'as meant' if (by > 0) == (should == 'rise') else 'the other way'}"


def _disputed(now: Moment, is_with_words: bool) -> Section:
    rows = now.panels["disputes"]
    zone = now.found.zone
    headings = [figure.label for figure in DISPUTES.columns]
    lines = [
        [shown(figure.unit, row[figure.name], row, zone).text for figure in DISPUTES.columns] for row in rows
    ]
    if is_with_words:
        headings += ["opened by", "because"]
        words = "select dispute_id, opened_by_team, reason from funnel.dispute where is_open"
        said = {dispute_id: rest for dispute_id, *rest in now.warehouse.ask(words)[1]}
        for line, row in zip(lines, rows, strict=True):
            team, reason = said[row["dispute_id"]]
            line += [name(team), shown("text", reason).text]
    block = Block(
        DISPUTES.title,
        DISPUTES.says,
        text_table(headings, lines),
        trace=_trace(DISPUTES, now.found.as_of),
        nothing=_NOTHING["disputes"],
    )
    return Section("disputes", "Disputes", [block], ("disputes",))
