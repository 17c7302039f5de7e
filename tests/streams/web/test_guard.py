"""What requests are refused, and what every answer is held to."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

PATHS = ("/", "/playbook", "/what-if", "/rows/handoff", "/static/page.css", "/nowhere", "/life/lead/nobody")


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_allows_scripts_and_styles_of_ours_only(client: TestClient, path: str) -> None:
    answer = client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not [word for word in ("<style", " style=", "onclick=", "javascript:") if word in answer.text]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "10.0.0.7:80", "[::2]"])
def test_a_name_that_was_pointed_at_this_machine_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8321", "localhost:8321", "[::1]:8321", "LOCALHOST"])
def test_this_machine_is_served(client: TestClient, host: str) -> None:
    assert client.get("/static/mark.svg", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_the_page_is_read_only(client: TestClient, method: str) -> None:
    assert client.request(method, "/rows/handoff").status_code == 405


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1"])
def test_a_what_if_from_another_site_is_refused(client: TestClient, origin: str) -> None:
    answer = client.post("/what-if", data={"do": "compare"}, headers={"origin": origin})
    assert answer.status_code == 403


def test_a_what_if_without_an_origin_is_refused(client: TestClient) -> None:
    assert client.post("/what-if", data={"do": "compare"}).status_code == 403


def test_a_form_that_is_too_long_is_refused(client: TestClient) -> None:
    answer = client.post("/what-if", data={"a": "x" * 70_000}, headers={"origin": "http://127.0.0.1"})
    assert answer.status_code == 413


@pytest.mark.parametrize("name", ["../app.py", "..%2fapp.py", "vendor/manifest.json", "page.py", ""])
def test_no_other_file_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404


def test_a_page_that_the_browser_has_already_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/playbook")
    again = client.get("/playbook", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get("/what-if", headers={"if-none-match": first.headers["etag"]})
    assert other.status_code == 200


def test_other_sites_may_link_to_the_page_and_not_ask_it(client: TestClient) -> None:
    asked = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert client.get("/?known=2026-03-01", headers=asked).status_code == 403
    assert client.get("/playbook", headers=asked | {"sec-fetch-mode": "navigate"}).status_code == 200


def test_too_many_fields_are_refused(client: TestClient) -> None:
    form = "&".join(f"f{n}=1" for n in range(2_000))
    headers = {"origin": "http://127.0.0.1", "content-type": "application/x-www-form-urlencoded"}
    assert client.post("/what-if", content=form, headers=headers).status_code in (403, 413)
