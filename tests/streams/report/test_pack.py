"""The meeting pack: its numbers are those of the views, and the same as-of gives the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from projections.playbook import read_playbook
from streams.queries.audiences import AUDIENCES
from streams.queries.numbers import Number, read_number
from streams.queries.pack_panels import PACK_PANELS
from streams.queries.panel import Look, circumstances, circumstances_statement
from streams.queries.shown import shown
from streams.report.changes import WEEKLY, changes
from streams.report.moments import READ, Week, read_week, views_read
from streams.report.pack import make_pack
from streams.report.writing import as_html, as_markdown, write_pack
from streams.simulator import simulate
from tests.given import as_bytes, given, in_memory, shuffled
from warehouse.authority import Authority
from warehouse.recorded_log import RecordedLog
from warehouse.warehouse import Warehouse

# An id may not hold what nobody sees; a sentence may.
HOSTILE_ID = "<script>alert(1)</script>|[x](http://evil.example)# h1 `*_"
HOSTILE = HOSTILE_ID + "\x1b[2J\n# h1"
_CELL = re.compile(r'<(td|dd)[^>]* data-number="([^"]+)"[^>]*>([^<]*)</')
_NUMERIC = re.compile(r'<td class="n"(?! data-number)')


@dataclass(frozen=True)
class Story:
    events: list[dict[str, Any]]
    as_of: datetime

    def known(self) -> list[dict[str, Any]]:
        return [e for e in self.events if datetime.fromisoformat(e["recorded_at"]) <= self.as_of]


def at(instant: datetime, type_: str, **fields: Any) -> dict[str, Any]:
    iso = instant.isoformat()
    return {"type": type_, "occurred_at": iso, "recorded_at": iso, "source": "baton", **fields}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("story")
    as_of = simulate(7, 120, folder).as_of
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    decided = as_of - timedelta(days=16)
    events += [
        at(
            decided,
            "DecisionRecorded",
            decision_id="dec-answers",
            decision=HOSTILE,
            decided_by="both",
            owner="sales lead",
            number="black_hole/being_worked/handoffs",
            expected_effect="black_hole/being_worked/handoffs should rise",
            due_on="2026-06-01",
        ),
        at(
            decided,
            "DisputeOpened",
            dispute_id="dis-1",
            subject_kind="number",
            subject_id=HOSTILE_ID,
            opened_by_team="sales",
            reason="Words for the leaders only.",
        ),
    ]
    return Story(events, as_of)


def recorded(folder: Path, values: list[bytes], name: str = "w") -> Path:
    path = folder / f"{name}.duckdb"
    with Warehouse.open(path, read_playbook()) as warehouse:
        given(warehouse, values, cuts=(40, 700))
    return path


def week_of(path: Path, as_of: datetime) -> Week:
    records = RecordedLog.of_file(path, views_read())
    return read_week(records, Authority(read_playbook(), ()), as_of)


@pytest.fixture(scope="module")
def file(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp("recorded"), as_bytes(story.events))


@pytest.fixture(scope="module")
def week(story: Story, file: Path) -> Week:
    return week_of(file, story.as_of)


@pytest.fixture(scope="module")
def views(story: Story) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """The rows of each panel, asked of the views of a live warehouse that holds what was known."""
    with in_memory(read_playbook()) as warehouse:
        given(warehouse, as_bytes(story.known()))
        warehouse.pin_as_of(story.as_of)
        [row] = warehouse.ask(circumstances_statement(Look()))[1]
        found = circumstances(Look(), row)
        rows = {}
        for panel in READ:
            columns, values = warehouse.ask(panel.statement(found))
            rows[panel.id] = [dict(zip(columns, each, strict=True)) for each in values]
        yield rows


def number(address: str) -> Number:
    panel_id, *parts = address.split("/")
    if panel_id in ("talk", "groups", "waiting", "promises"):
        panel = next(each for each in PACK_PANELS if each.id == panel_id)
        figure = next(each for each in panel.columns if each.name == parts[-1])
        return Number(panel, tuple(parts[:-1]), figure)
    return read_number(address)


def test_each_number_is_that_of_its_view(week: Week, views: dict[str, list[dict[str, Any]]]) -> None:
    html = as_html(make_pack(week))
    walked = set()
    for _, address, text in _CELL.findall(html):
        found = number(unescape(address))
        row = found.row(views)
        assert row is not None, address
        assert unescape(text) == shown(found.figure.unit, row[found.figure.name], row).text, address
        walked.add(found.panel.id)
    assert walked >= {"goal", "gap", "sla", "clock", "bands", "black_hole", "talk", "definition", "coverage"}


def test_no_number_is_without_an_address_but_those_that_compare_moments(week: Week) -> None:
    html = as_html(make_pack(week))
    sections = re.split(r'<section id="(\w+)"', html)
    for name, text in zip(sections[1::2], sections[2::2], strict=True):
        if name not in ("changes", "decisions", "revisions"):
            assert not _NUMERIC.search(text), name


def test_what_changed_is_now_and_a_week_ago_as_the_views_say(
    week: Week, story: Story, views: dict[str, list[dict[str, Any]]]
) -> None:
    found = changes(week.shown_then, week.now, WEEKLY)
    assert found
    then = story.as_of - timedelta(days=7)
    with in_memory(read_playbook()) as warehouse:
        events = [e for e in story.events if datetime.fromisoformat(e["recorded_at"]) <= then]
        given(warehouse, as_bytes(events))
        warehouse.pin_as_of(then)
        window = f"quarter:{week.now.found.window_start}"
        [row] = warehouse.ask(circumstances_statement(Look(window=window)))[1]
        then_found = circumstances(Look(window=window), row)
        rows = {}
        for panel in (panel for panel in READ if panel.id in WEEKLY):
            columns, values = warehouse.ask(panel.statement(then_found))
            rows[panel.id] = [dict(zip(columns, each, strict=True)) for each in values]
    for each in found:
        for said, panels in ((each.was, rows), (each.is_now, views)):
            line = each.number.row(panels) or {}
            assert said == shown(each.number.figure.unit, line.get(each.number.figure.name), line).text


def test_the_same_as_of_gives_the_same_bytes(story: Story, week: Week, file: Path, tmp_path: Path) -> None:
    html, markdown = as_html(make_pack(week)), as_markdown(make_pack(week))
    other = recorded(tmp_path, shuffled(as_bytes(story.events), 3), "other")
    with Warehouse.open(other, read_playbook()) as warehouse:
        warehouse.rebuild()
    for path in (file, other):
        once_more = make_pack(week_of(path, story.as_of))
        assert as_html(once_more) == html
        assert as_markdown(once_more) == markdown


def test_a_late_event_changes_no_pack_of_before_and_shows_in_the_next_as_a_revision(
    story: Story, file: Path, tmp_path: Path
) -> None:
    earlier = story.as_of - timedelta(days=7)
    before = as_html(make_pack(week_of(file, earlier)))
    offer = next(e for e in story.known() if e["type"] == "HandoffOffered")
    late = {
        **offer,
        "event_id": "late-offer",
        "handoff_id": "ho-late",
        "occurred_at": (earlier - timedelta(days=2)).isoformat(),
        "recorded_at": (earlier + timedelta(days=3)).isoformat(),
    }
    path = recorded(tmp_path, as_bytes([*story.events, late]))
    assert as_html(make_pack(week_of(path, earlier))) == before
    week = week_of(path, story.as_of)
    revised = {each.number.address: each for each in changes(week.shown_then, week.known_now)}
    offered = revised[f"clock/{offer['from_team']}/{offer['to_team']}/offered"]
    assert offered.by.startswith("+")
    pack = make_pack(week)
    assert pack.sections[-1].id == "revisions" and pack.sections[-1].blocks[0].table.rows


def test_an_audience_changes_words_and_order_and_no_number(week: Week) -> None:
    neutral = as_html(make_pack(week))
    orders = set()
    for audience in AUDIENCES:
        pack = make_pack(week, audience)
        html = as_html(pack)
        assert sorted(_CELL.findall(html)) == sorted(_CELL.findall(neutral))
        assert audience.asks in unescape(html)
        orders.add(tuple(section.id for section in pack.sections))
    assert len(orders) > 1


def test_texts_of_others_are_shown_as_text(week: Week) -> None:
    pack = make_pack(week)
    html, markdown = as_html(pack), as_markdown(pack)
    assert "<script" not in html and "\x1b" not in html + markdown
    assert "&lt;script&gt;alert(1)" in html
    [line] = [line for line in markdown.splitlines() if "alert(1)" in line and "sales lead" in line]
    assert "<" not in line and "[x]" not in line and "://" not in line and "`" not in line
    # As many cells as there are headings: its bar divides no cell.
    assert line.count("|") == 9


def test_it_needs_nothing_from_elsewhere(week: Week) -> None:
    html = as_html(make_pack(week)).replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r'(src|href)="(?!#)|url\(|@import|<script|<link|<iframe', html)
    assert "default-src 'none'" in html and "<svg" in html


def test_a_disputes_words_are_for_those_who_may_read_them(week: Week) -> None:
    words = "Words for the leaders only."
    without, with_words = make_pack(week), make_pack(week, is_with_words=True)
    for write in (as_html, as_markdown):
        assert words not in write(without)
        assert words in write(with_words)
    [disputes] = [section for section in without.sections if section.id == "disputes"]
    assert any("alert(1)" in cell.text for row in disputes.blocks[0].table.rows for cell in row)


def test_a_decision_is_followed_by_its_number(week: Week) -> None:
    followed, then = week.followed["dec-answers"]
    [decisions] = [section for section in make_pack(week).sections if section.id == "decisions"]
    [line] = [row for row in decisions.blocks[0].table.rows if row[2].text == "sales lead"]
    was, now = followed.row(then.panels), followed.row(week.now.panels)
    assert was is not None and now is not None
    assert [cell.text for cell in line[5:7]] == [str(was["handoffs"]), str(now["handoffs"])]
    by = now["handoffs"] - was["handoffs"]
    assert by and line[7].text == f"{by:+,}, {'as meant' if by > 0 else 'the other way'}".replace("-", "−")


@pytest.mark.browser
def test_a_pdf_has_pages_and_the_as_of_as_its_date(week: Week, tmp_path: Path) -> None:
    pack = make_pack(week, AUDIENCES[0])
    html, markdown, pdf = write_pack(pack, tmp_path)
    assert html.read_text(encoding="utf-8") == as_html(pack)
    assert markdown.read_text(encoding="utf-8") == as_markdown(pack)
    content = pdf.read_bytes()
    assert content.startswith(b"%PDF") and content.count(b"/Type /Page\n") > 3
    assert f"CreationDate (D:{week.now.found.as_of:%Y%m%d%H%M%S}".encode() in content
