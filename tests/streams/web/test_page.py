"""The page: every panel is there, every number opens, and an audience changes words and order only."""

from __future__ import annotations

import csv
import io
import re
import time
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from starlette.testclient import TestClient

from projections.playbook import read_playbook
from streams.queries.audiences import AUDIENCES, audience
from streams.queries.panels import PANELS
from streams.report.moments import read_week, views_read
from streams.report.pack import make_pack
from streams.report.writing import as_html
from tests.given import as_bytes, given, in_memory
from tests.signed import KEYS
from tests.streams.web.conftest import FORMULA, HOSTILE, Opened, recorded_in
from warehouse.authority import Authority
from warehouse.warehouse import Warehouse

NUMBER = re.compile(r"-?[\d,]+")


class Links(HTMLParser):
    """Every link of a page with its text, and every number of a table by panel, row and column."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.raw: dict[str, list[tuple[str, str]]] = {}
        self._href, self._text, self._panel = "", "", ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        if tag == "a":
            self._href, self._text = found.get("href", ""), ""
        if "data-panel" in found:
            self._panel = found["data-panel"]
        if "data-raw" in found:
            self.raw.setdefault(self._panel, []).append((found["data-name"], found["data-raw"]))

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self.links.append((self._href, self._text.strip()))


def test_every_panel_is_there(client: TestClient) -> None:
    text = client.get("/").text
    for panel in PANELS:
        assert f'data-panel="{panel.id}"' in text


def test_every_link_of_the_overview_answers(client: TestClient) -> None:
    links = {href for href, _ in Links(client.get("/?window=all").text).links if href.startswith("/")}
    kinds = {href.split("?")[0].split("/")[1] for href in links}
    assert {"rows", "number", "life", "playbook", "what-if"} <= kinds
    # One of each kind of number: the others differ in their values.
    some = {re.sub(r"=[^&]*", "", re.sub(r"(/life/\w+)/.*", r"\1", href)): href for href in links}
    for href in some.values():
        assert client.get(href).status_code == 200, href


def test_a_count_is_followed_by_as_many_rows(client: TestClient) -> None:
    links = Links(client.get("/?window=all").text).links
    counts = [(href, text) for href, text in links if href.startswith("/rows/") and NUMBER.fullmatch(text)]
    assert len(counts) > 50
    for href, text in counts[::5]:
        [count] = re.findall(r'class="sum"><strong>([\d,]+)', client.get(href).text)
        assert count == text, href


def test_an_audience_reframes_words_and_order_never_numbers(client: TestClient) -> None:
    shown = {who.id: Links(client.get("/", params={"for": who.id}).text).raw for who in AUDIENCES}
    first, *others = shown.values()
    assert sum(map(len, first.values())) > 100
    for other in others:
        # The three panels that come first show fewer columns, so each value of these is compared by name.
        for panel in first.keys() | other.keys():
            for name in {n for n, _ in first[panel]} & {n for n, _ in other[panel]}:
                some = [[value for n, value in found[panel] if n == name] for found in (first, other)]
                shortest = min(map(len, some))
                assert some[0][:shortest] == some[1][:shortest], (panel, name)
    texts = {who.id: client.get("/", params={"for": who.id}).text for who in AUDIENCES}
    for who in AUDIENCES:
        assert who.asks in texts[who.id]
    assert (
        len(
            {re.sub(r"data-panel=\"", "", "".join(re.findall(r'data-panel="\w+', t))) for t in texts.values()}
        )
        == 4
    )


def test_the_definition_of_a_number_is_beside_it_without_a_script(client: TestClient) -> None:
    text = client.get("/").text
    assert 'role="tooltip"' in text and "advanced / entered: of this cohort" in text
    described = set(re.findall(r'aria-describedby="([^"]+)"', text))
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert described <= set(ids)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    "query",
    [
        {"window": "last_quarter"},
        {"window": "all", "dimension": "region", "value": "emea"},
        {"window": "month:2026-03-01", "dimension": "first_channel", "value": "web_form"},
        {"dimension": "owner_team", "value": "sales_development"},
        {"dimension": "owner_team"},
    ],
    ids=lambda query: "-".join(query.values()),
)
def test_a_slice_is_a_page_of_its_own(client: TestClient, query: dict[str, str]) -> None:
    assert client.get("/", params=query).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/?window=decade",
        "/?window=month:yesterday",
        "/?dimension=salary",
        "/?for=nobody",
        "/?known=tomorrow",
        "/rows/secrets",
        "/rows/handoff?is.password=1",
        "/rows/handoff?sort=1;drop",
        "/rows/handoff?page=x",
        "/rows/handoff?within=nothing",
        "/number/goal/nothing",
        "/number/nothing/actual",
        "/life/person/ana",
        "/life/lead/nobody",
        "/rows/handoff?is.state=x' or '1'='1",
    ],
)
def test_an_address_that_says_nothing_is_explained(client: TestClient, path: str) -> None:
    answer = client.get(path)
    if "or '1'" in path:  # a value is a literal: nothing is like it
        assert answer.status_code == 200 and "No row is like this" in answer.text
    else:
        assert answer.status_code == 400 and "Next: <code>baton" in answer.text


def test_rows_are_sorted_and_taken_away(client: TestClient, warehouse: Warehouse) -> None:
    query = "is.from_team=marketing&sort=handoff_id&down=1"
    text = client.get(f"/rows/handoff?{query}").text
    assert 'aria-sort="descending"' in text
    read = list(csv.reader(io.StringIO(client.get(f"/rows/handoff.csv?{query}").text)))
    frame = pl.read_parquet(client.get(f"/rows/handoff.parquet?{query}").content)
    [(count,)] = warehouse.ask("select count(*) from funnel.handoff where from_team = 'marketing'")[1]
    assert len(read) - 1 == len(frame) == count
    ids = frame["handoff_id"].to_list()
    assert ids == sorted(ids, reverse=True)


def test_rows_are_narrowed_down_by_the_slice_and_the_window(client: TestClient, warehouse: Warehouse) -> None:
    query = {"is.state": "being_worked", "within": "offered_at", "window": "all", "dimension": "region"}
    text = client.get("/rows/handoff", params={**query, "value": "emea"}).text
    [(count,)] = warehouse.ask(
        "select count(*) from funnel.handoff join funnel.lead_dimension using (lead_id)"
        " where state = 'being_worked' and region = 'emea'"
    )[1]
    assert f'class="sum"><strong>{count:,}</strong>' in text
    assert '<input type="hidden" name="is.state" value="being_worked">' in text


def test_what_an_event_says_is_shown_as_text(client: TestClient) -> None:
    life = client.get("/life/lead/" + "%3Cscript%3Ealert(1)%3C%2Fscript%3E").text
    assert HOSTILE not in life and "&lt;script&gt;" in life
    for path in ("/rows/handoff?is.state=not_arrived", "/", "/?dimension=region", "/rows/freshness"):
        assert HOSTILE not in client.get(path).text
    query = urlencode({"is.handoff_id": FORMULA})
    row = list(csv.reader(io.StringIO(client.get(f"/rows/handoff.csv?{query}").text)))[1]
    assert f"'{FORMULA}" in row
    assert not [cell for cell in row if cell.startswith(("=", "+", "@"))]


def test_every_event_of_a_life_says_its_source_and_how_late_it_was_recorded(
    client: TestClient, warehouse: Warehouse
) -> None:
    [(lead, events)] = warehouse.ask(
        "select lead_id, count(*) from funnel.lead_journey group by lead_id order by 2 desc, 1 limit 1"
    )[1]
    text = client.get(f"/life/lead/{lead}").text
    assert len(re.findall(r"<li>\s*<p class=\"when\">", text)) == events
    assert len(re.findall(r"recorded [-\d.,]+ [\w ]+ later|known by its day", text)) == events


def test_the_playbook_says_who_has_signed_and_what_a_proposal_changes(client: TestClient) -> None:
    text = client.get("/playbook").text
    assert "A qualified lead now needs at least 60 employees; before 20." in text
    assert "Sales: signed" in text and "Marketing: not signed" in text
    assert "waits for marketing" in text


def what_if(client: TestClient, **values: str) -> str:
    fields = {name.replace("__", "."): value for name, value in values.items()}
    return client.post("/what-if", data=fields, headers={"origin": "http://127.0.0.1"}).text


def test_a_what_if_shows_figures_beside_those_in_force(client: TestClient) -> None:
    text = what_if(client, icp__0__employees_at_least="60", sla__0__within="1 hour", do="compare")
    assert "In force beside proposed" in text
    assert "within 1 hour instead of 2 hours" in text
    for label in ("leads qualified", "recall", "precision at acceptance", "obligations ever late"):
        assert label in text


def test_a_proposal_is_the_file_with_these_values_only(client: TestClient) -> None:
    text = what_if(client, icp__0__employees_at_least="60", do="download")
    assert text == read_playbook().text.replace("employees_at_least = 20", "employees_at_least = 60")


@pytest.mark.parametrize("value", ["soon", "1 hour 30 minutes", '1 hour"\nclock = "elapsed', "", "-1 hours"])
def test_a_value_that_is_none_is_refused(client: TestClient, value: str) -> None:
    assert "This value cannot be proposed" in what_if(client, sla__0__within=value, do="download")


def test_as_known_on_a_day_is_computed_and_then_kept(client: TestClient, warehouse: Warehouse) -> None:
    as_of = warehouse.pinned_as_of()
    assert as_of is not None
    day = (as_of - timedelta(days=40)).date().isoformat()
    first = client.get("/", params={"known": day, "window": "all"})
    assert first.status_code == 202 and "looks again by itself" in first.text
    deadline = time.monotonic() + 60
    while (answer := client.get("/", params={"known": day, "window": "all"})).status_code == 202:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert answer.status_code == 200 and f"as known on {day}" in answer.text
    now = Links(client.get("/?window=all").text).raw["clock"]
    then = Links(answer.text).raw["clock"]
    offered = [sum(int(value) for name, value in found if name == "offered") for found in (then, now)]
    assert 0 < offered[0] < offered[1]


def test_the_pack_of_a_week_is_that_of_the_command(
    client: TestClient, warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> None:
    weeks = [href for href, _ in Links(client.get("/packs?for=sales").text).links if "/packs/" in href]
    assert len(weeks) == 12
    deadline = time.monotonic() + 60
    while (answer := client.get(weeks[1])).status_code == 202:
        assert "The pack of the week of" in answer.text
        assert time.monotonic() < deadline
        time.sleep(0.2)
    day = date.fromisoformat(weeks[1].partition("?")[0].rpartition("/")[2])
    as_of = datetime.combine(day, datetime.min.time(), ZoneInfo(read_playbook().zone))
    with recorded_in(warehouse, tmp_path_factory.mktemp("pack"))(views_read()) as records:
        week = read_week(records, Authority(read_playbook(), KEYS), as_of.astimezone(UTC))
    assert answer.text == as_html(make_pack(week, audience("sales")))
    policy = answer.headers["content-security-policy"]
    assert "script-src" not in policy and "unsafe" not in policy and "style-src 'sha256-" in policy
    assert client.get(weeks[1]).headers["content-security-policy"] == policy


@pytest.mark.parametrize("day", ["2031-01-06", "1999-12-27", "tomorrow", "2026"])
def test_a_day_without_a_pack_is_refused(client: TestClient, day: str) -> None:
    assert client.get(f"/packs/{day}").status_code == 400


def test_an_empty_warehouse_says_what_to_do(page_of: Opened) -> None:
    with in_memory(read_playbook()) as empty:
        empty.refresh()
        with page_of(empty) as client:
            text = client.get("/").text
            assert "There are no events yet" in text and "baton publish" in text
            assert client.get("/playbook").status_code == 200
            assert client.get("/rows/handoff").status_code == 200


def test_the_first_events_are_seen_at_once(page_of: Opened) -> None:
    touched = {
        "type": "TouchRecorded",
        "occurred_at": "2026-03-02T09:00:00Z",
        "source": "the first one",
        "lead_id": "lead-1",
        "team": "marketing",
        "channel": "web",
        "activity": "visited",
        "is_inbound": True,
        "is_automated": False,
    }
    with in_memory(read_playbook()) as warehouse:
        warehouse.refresh()
        with page_of(warehouse) as client:
            assert "There are no events yet" in client.get("/").text
            given(warehouse, as_bytes([touched]))
            warehouse.refresh()
            deadline = time.monotonic() + 20
            while "the first one" not in (text := client.get("/?window=all").text):
                assert time.monotonic() < deadline
                time.sleep(0.2)
            assert "There are no events yet" not in text


def test_a_long_list_is_bounded_and_says_how_many_more(client: TestClient, warehouse: Warehouse) -> None:
    [(late,)] = warehouse.ask("select count(*) from funnel.obligation where is_past_due")[1]
    text = client.get("/").text
    shown = len(re.findall(r'data-name="may_cost"', text))
    assert shown == 6 < late
    assert f"{late - shown:,} more" in text


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
def test_a_day_without_events_is_refused_before_it_is_computed(client: TestClient, day: str) -> None:
    assert client.get(f"/?known={day}").status_code == 400


@pytest.mark.parametrize(
    "path", ["/rows/dispute?is.reason=x", "/rows/dispute?sort=reason", "/rows/failed_events?sort=value"]
)
def test_what_no_role_reads_is_not_to_be_guessed_either(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 400


def test_what_no_role_reads_is_in_no_table(client: TestClient) -> None:
    assert "reason" not in client.get("/rows/dispute.csv").text.splitlines()[0].split(",")
    assert client.get("/rows/lead_attribute.csv").text.splitlines()[0].count("value") == 0
