"""SQL over HTTP: a role's statements and views in four forms, and a token in the header only."""

from __future__ import annotations

import csv
import http.client
import io
import json
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from streams.access.remote_statements import RemoteStatements
from tests.given import as_bytes
from tests.streams.access.served import Served, committed, over_http, served

PERSONAL = "maria.personal@example.com"
EVENTS = [
    {
        "type": "LeadCaptured",
        "source": "crm",
        "occurred_at": "2026-03-02T09:00:00Z",
        "recorded_at": "2026-03-02T09:00:01Z",
        "lead_id": lead,
        "channel": "web",
        "email": PERSONAL,
    }
    for lead in ("lead-1", "=1+cmd|' /C calc'!A0", "@sum(a)", "-lead", 'a "quoted", <b>lead</b>')
]


@dataclass(frozen=True)
class Http:
    served: Served
    port: int
    token: str

    def ask(
        self, method: str, path: str, body: str | None = None, token: str | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"Authorization": f"Bearer {self.token if token is None else token}"} if token != "" else {}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        client.request(method, path, body, {**sent, **named})
        answer = client.getresponse()
        content = answer.read()
        client.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content

    def sql(self, statement: str, form: str = "json", token: str | None = None) -> tuple[int, Any]:
        status, _, content = self.ask("POST", f"/sql?format={form}", statement, token)
        return status, json.loads(content) if form == "json" or status != 200 else content


@pytest.fixture(scope="module")
def http_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Http]:
    with served(tmp_path_factory.mktemp("api"), EVENTS, 3) as source:
        source.warehouse.pin_as_of(datetime(2026, 3, 3, tzinfo=UTC))
        token = source.readers.grants.grant("maria", "marketing")
        with over_http(RemoteStatements(source.endpoint_file), source.readers) as port:
            yield Http(source, port, token)


def test_a_statement_is_answered_as_json(http_of: Http) -> None:
    assert http_of.sql("select lead_id, first_seen_at from funnel.lead where lead_id = 'lead-1'") == (
        200,
        [{"lead_id": "lead-1", "first_seen_at": "2026-03-02T09:00:00+00:00"}],
    )
    body = json.dumps({"statement": "select count(*) as n from lead"})
    status, _, content = http_of.ask("POST", "/sql", body, content_type="application/json")
    assert (status, json.loads(content)) == (200, [{"n": 5}])


def test_a_view_comes_in_four_forms(http_of: Http) -> None:
    _, _, as_json = http_of.ask("GET", "/views/lead")
    _, headers, as_csv = http_of.ask("GET", "/views/lead?format=csv")
    _, _, as_arrow = http_of.ask("GET", "/views/lead", Accept="application/vnd.apache.arrow.stream")
    _, _, as_parquet = http_of.ask("GET", "/views/lead?format=parquet")

    ids = sorted(row["lead_id"] for row in json.loads(as_json))
    assert ids == sorted(event["lead_id"] for event in EVENTS)
    assert sorted(pa.ipc.open_stream(as_arrow).read_all().column("lead_id").to_pylist()) == ids
    assert sorted(pl.read_parquet(io.BytesIO(as_parquet))["lead_id"]) == ids
    assert len(list(csv.DictReader(io.StringIO(as_csv.decode())))) == len(ids)
    assert headers["content-type"].startswith("text/csv") and "lead.csv" in headers["content-disposition"]
    assert headers["x-content-type-options"] == "nosniff" and "private" in headers["cache-control"]


def test_no_text_is_a_formula_in_a_spreadsheet(http_of: Http) -> None:
    _, content = http_of.sql("select lead_id, -1 as n, '\t=1' as t from lead", "csv")

    for row in csv.DictReader(io.StringIO(content.decode())):
        assert row["lead_id"][0] not in "=+-@" and row["t"] == "'\t=1" and row["n"] == "-1"


def test_the_views_are_listed_with_what_their_columns_say(http_of: Http) -> None:
    status, _, content = http_of.ask("GET", "/views")

    found = {view["name"]: view for view in json.loads(content)}
    assert status == 200 and "lead" in found and "deal" not in found
    assert "last_value" not in {column["name"] for column in found["lead_attribute"]["columns"]}
    assert all(column["says"] for view in found.values() for column in view["columns"])


def test_a_view_that_the_client_has_is_not_sent_again(http_of: Http) -> None:
    _, headers, _ = http_of.ask("GET", "/views/black_hole")
    status, again, content = http_of.ask("GET", "/views/black_hole", If_None_Match=headers["etag"])
    assert (status, content, again["etag"]) == (304, b"", headers["etag"])

    assert http_of.ask("GET", "/views/black_hole?format=csv")[1]["etag"] != headers["etag"]
    assert http_of.ask("GET", "/views/lead", If_None_Match=headers["etag"])[0] == 200
    http_of.served.warehouse.pin_as_of(datetime(2026, 3, 4, tzinfo=UTC))
    assert http_of.ask("GET", "/views/black_hole", If_None_Match=headers["etag"])[0] == 200


@pytest.mark.parametrize(
    ("statement", "status", "why"),
    [
        ("from log.lead_captured", 400, "no view of that name"),
        ("select last_value from lead_attribute", 400, "last_value"),
        ("drop view funnel.lead", 400, "SELECT"),
        ("select 1; select 2", 400, "SELECT"),
        ("selec 1", 400, "syntax"),
        ("", 400, "SELECT"),
        ("select count(*) from range(10000000) a, range(10000000) b where a.range + b.range = 7", 422, "3 s"),
        ("select '" + "x" * 200_000 + "'", 400, "bytes"),
        ("select cast('x' as integer) from lead", 400, "x"),
    ],
)
def test_a_refusal_says_why_and_what_next(http_of: Http, statement: str, status: int, why: str) -> None:
    found, answer = http_of.sql(statement)

    assert found == status
    assert why in answer["why"] and answer["next"] and answer["error"]
    assert PERSONAL not in str(answer)


@pytest.mark.parametrize(
    "path", ["/views/deal", "/views/no_such", "/views/..%2f..%2fetc", "/views/lead%27--"]
)
def test_a_view_that_is_not_granted_is_not_there(http_of: Http, path: str) -> None:
    assert http_of.ask("GET", path)[0] == 404


def test_a_format_that_there_is_not(http_of: Http) -> None:
    status, answer = http_of.sql("select 1", "xlsx")
    assert status == 400 and "parquet" in answer["why"]


def test_a_body_that_is_no_statement(http_of: Http) -> None:
    for body, kind in (
        ("{", "application/json"),
        ('{"sql": 1}', "application/json"),
        ("\xff", "text/plain"),
        ('{"statement": "select \'\\udcff\'"}', "application/json"),
    ):
        status, _, content = http_of.ask("POST", "/sql", body.encode("latin-1"), content_type=kind)
        assert status == 400 and json.loads(content)["next"]


@pytest.mark.parametrize("token", ["", "x", "baton_", "baton_" + "A" * 43, "a" * 5_000])
@pytest.mark.parametrize(("method", "path"), [("POST", "/sql"), ("GET", "/views"), ("GET", "/views/lead")])
def test_a_forged_token_means_nothing(http_of: Http, method: str, path: str, token: str) -> None:
    status, headers, content = http_of.ask(method, path, "select 1", token)

    assert status == 401 and headers["www-authenticate"] == "Bearer"
    assert "lead" not in content.decode()


def test_neither_does_that_of_the_worker_nor_another_scheme(http_of: Http) -> None:
    assert http_of.ask("GET", "/views", token=http_of.served.endpoint.token)[0] == 401
    assert http_of.ask("GET", "/views", token="", Authorization=f"Basic {http_of.token}")[0] == 401
    assert http_of.ask("GET", "/views", token="", Cookie=f"token={http_of.token}")[0] == 401


def test_rotated_revoked_and_expired_tokens_mean_nothing_at_once(http_of: Http) -> None:
    grants = http_of.served.readers.grants
    first = grants.grant("paul", "sales")
    assert http_of.sql("select count(*) as n from deal", token=first) == (200, [{"n": 0}])

    second = grants.rotate("paul")
    assert http_of.sql("select 1", token=first)[0] == 401
    assert http_of.sql("select 1 as a", token=second) == (200, [{"a": 1}])
    grants.revoke("paul")
    assert http_of.sql("select 1", token=second)[0] == 401
    brief = grants.grant("paul", "sales", datetime.fromtimestamp(time.time() + 1, UTC))
    assert http_of.sql("select 1 as a", token=brief)[0] == 200
    time.sleep(1.1)
    assert http_of.sql("select 1", token=brief)[0] == 401


@pytest.mark.parametrize(
    "path",
    ["/views?token={}", "/views?x={}", "/views/{}", "/views/lead?access_token=abc", "/views?TOKEN=abc"],
)
def test_a_token_in_a_url_is_refused_and_stands_in_no_log(
    http_of: Http, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("uvicorn.access").addHandler(caplog.handler)
    caplog.set_level(logging.INFO, "uvicorn.access")
    for token in ("", None):
        status, _, content = http_of.ask("GET", path.format(http_of.token), token=token)

        assert status == 400
        assert http_of.token not in content.decode() and "rotate" in json.loads(content)["next"]
    assert http_of.token not in caplog.text and "=abc" not in caplog.text
    assert "GET" in caplog.text, "the server has logged the request"


def test_what_was_asked_is_logged_without_the_data(http_of: Http) -> None:
    http_of.sql("select lead_id from lead where lead_id = 'lead-1' -- for Jane")
    http_of.sql("from log.lead_captured")

    log = http_of.served.kept / "access.log"
    deadline = time.monotonic() + 5  # a line is written once the client has its answer
    while '"refused"' not in log.read_text().splitlines()[-1] and time.monotonic() < deadline:
        time.sleep(0.05)
    lines = log.read_text().splitlines()
    answered, refused = map(json.loads, lines[-2:])
    assert (answered["name"], answered["role"], answered["views"]) == ("maria", "marketing", ["lead"])
    assert (answered["rows"], answered["outcome"]) == (1, "answered")
    assert answered["shape"] == "select lead_id from lead where lead_id = ?"
    assert refused["outcome"] == "refused" and refused["views"] == []
    assert not {http_of.token, "lead-1", "Jane", PERSONAL} & set(" ".join(lines).split('"'))


def test_a_statement_ends_when_its_client_goes(http_of: Http) -> None:
    log = http_of.served.kept / "access.log"
    before = len(log.read_text().splitlines())
    client = http.client.HTTPConnection("127.0.0.1", http_of.port)
    slow = "select count(*) from range(10000000) a, range(10000000) b where a.range + b.range = 7"
    client.request("POST", "/sql", slow, {"Authorization": f"Bearer {http_of.token}"})
    time.sleep(0.5)
    client.close()

    deadline = time.monotonic() + 2
    while len(log.read_text().splitlines()) == before and time.monotonic() < deadline:
        time.sleep(0.05)
    ended = json.loads(log.read_text().splitlines()[-1])
    assert ended["ms"] < 2_500 and ended["outcome"] != "late"


def test_answers_are_each_of_one_moment_while_a_worker_commits(http_of: Http) -> None:
    """Five people at once: a commit brings a lead and its company together, or neither."""
    counted = "select (select count(*) from lead) - (select count(*) from lead_account) as n"
    [(before,)] = {tuple(row.values()) for row in http_of.sql(counted)[1]}
    is_over = threading.Event()
    answers: list[tuple[int, Any]] = []

    def ask() -> None:
        while not is_over.is_set():
            answers.append(http_of.sql(counted))

    people = [threading.Thread(target=ask) for _ in range(5)]
    for person in people:
        person.start()
    for number in range(4):
        said = {**EVENTS[0], "lead_id": f"late-{number}"}
        profile = {"type": "LeadProfiled", "account_id": f"account-{number}"}
        profile |= {key: said[key] for key in ("source", "occurred_at", "recorded_at", "lead_id")}
        committed(http_of.served.warehouse, as_bytes([said, profile]), 100 + 2 * number)
        http_of.served.warehouse.refresh()
    is_over.set()
    for person in people:
        person.join()

    assert len(answers) > 10
    assert {(status, row["n"]) for status, [row] in answers} == {(200, before)}


def test_an_answer_that_breaks_off_is_no_whole_one(http_of: Http) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        http_of.sql(
            "select case when range = 4000000 then 'x' else '1' end::int as n from range(4100000)", "arrow"
        )


def test_without_a_worker_it_says_so(http_of: Http) -> None:
    kept = http_of.served.endpoint_file.read_text()
    http_of.served.endpoint_file.unlink()
    try:
        status, answer = http_of.sql("select 1")
    finally:
        http_of.served.endpoint_file.write_text(kept)
    assert status == 503 and answer["next"] == "baton up"
