"""One token per person: kept as a hash, in a file of its owner, and every change counts at once."""

from __future__ import annotations

import json
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.errors import BatonError
from streams.access.access_log import AccessLog
from streams.access.grants import TOKEN, Grants
from warehouse.role_statement import Asked, Reader
from warehouse.roles import DEFAULT_ROLES, read_roles

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def grants(tmp_path: Path) -> Grants:
    return Grants(tmp_path / "access.json")


def test_a_token_is_let_in_by_its_hash_and_stands_nowhere(grants: Grants) -> None:
    token = grants.grant("maria", "marketing")

    assert TOKEN.fullmatch(token)
    assert grants.enter(token) == Reader("maria", "marketing")
    assert token not in grants.path.read_text() and token[6:] not in grants.path.read_text()
    assert stat.S_IMODE(grants.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("forged", ["", "baton_", "x", "baton_" + "A" * 43, "é", "\udcff", "a" * 100_000])
def test_a_forged_token_means_nothing(grants: Grants, forged: str) -> None:
    grants.grant("maria", "marketing")

    assert grants.enter(forged) is None


def test_neither_does_the_hash_itself(grants: Grants) -> None:
    grants.grant("maria", "marketing")
    [kept] = json.loads(grants.path.read_text())["grants"].values()

    assert grants.enter(kept["token_hash"]) is None


def test_another_process_sees_every_change_at_once(grants: Grants) -> None:
    server = Grants(grants.path)
    first = grants.grant("maria", "marketing")
    assert server.enter(first) is not None

    second = grants.rotate("maria")
    assert server.enter(first) is None and server.enter(second) == Reader("maria", "marketing")

    grants.revoke("maria")
    assert server.enter(second) is None
    third = grants.grant("maria", "sales")
    assert server.enter(second) is None and server.enter(third) == Reader("maria", "sales")


def test_a_token_ends_at_its_instant(tmp_path: Path) -> None:
    clock = [NOW]
    grants = Grants(tmp_path / "access.json", lambda: clock[0])
    token = grants.grant("maria", "marketing", NOW + timedelta(days=1))

    assert grants.enter(token) is not None
    clock[0] += timedelta(days=1)
    assert grants.enter(token) is None
    assert [grant.state(clock[0]) for grant in grants.all()] == ["expired"]
    with pytest.raises(BatonError, match="expired already"):
        grants.grant("paul", "sales", NOW)


def test_a_second_grant_is_refused_and_says_how_to_go_on(grants: Grants) -> None:
    grants.grant("maria", "marketing")

    with pytest.raises(BatonError, match="has a token already") as raised:
        grants.grant("maria", "sales")
    assert "rotate maria" in raised.value.next_command
    for unknown in (grants.revoke, grants.rotate):
        with pytest.raises(BatonError, match="paul has no token"):
            unknown("paul")


@pytest.mark.parametrize("name", ["", "a b", "../x", "a" * 81, "a\nb", "x;y"])
def test_a_name_is_plain(grants: Grants, name: str) -> None:
    with pytest.raises(BatonError, match="is not a name"):
        grants.grant(name, "marketing")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"grants": {"maria": {}}}', '{"grants": [1]}', "\xff"])
def test_an_unreadable_file_lets_nobody_in(grants: Grants, content: str) -> None:
    token = grants.grant("maria", "marketing")
    grants.path.write_text(content, encoding="latin-1")

    assert grants.enter(token) is None
    with pytest.raises(BatonError, match="nobody gets in"):
        grants.all()


def test_a_file_that_others_can_write_lets_nobody_in(grants: Grants) -> None:
    token = grants.grant("maria", "marketing")
    grants.path.chmod(0o660)

    assert grants.enter(token) is None
    with pytest.raises(BatonError, match="nobody gets in") as raised:
        grants.all()
    assert raised.value.next_command.startswith("chmod 600")


def test_grants_given_side_by_side_are_all_kept(grants: Grants) -> None:
    names = [f"person-{number}" for number in range(12)]
    threads = [threading.Thread(target=Grants(grants.path).grant, args=(n, "sales")) for n in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {grant.name for grant in grants.all()} == set(names)


SHAPES = {
    "select lead_id from funnel.lead where segment = 'Jane Doe' and 7 > 1.5 -- Jane":
        "select lead_id from funnel . lead where segment = ? and ? > ?",
    "select lead_id as jane_doe, \"Jane Doe\" from lead": "select lead_id as _ , _ from lead",
    "select $$Jane Doe$$, e'Jane\\n', x'4a' /* Jane */": "select ? , ? , ?",
    "select 'Jane Doe": "_",
}  # fmt: skip


@pytest.mark.parametrize("statement", SHAPES)
def test_the_log_has_the_shape_of_a_statement_and_none_of_its_data(tmp_path: Path, statement: str) -> None:
    log = AccessLog(tmp_path / "access.log", read_roles())
    log.note(Reader("maria", "marketing"), Asked(statement, ("lead",), 3, 12, "answered"))

    [line] = log.path.read_text().splitlines()
    written = json.loads(line)
    shape = written.pop("shape")
    assert written.pop("at")
    assert written == {
        "name": "maria", "role": "marketing", "views": ["lead"], "rows": 3, "ms": 12, "outcome": "answered",
    }  # fmt: skip
    assert "jane" not in line.lower() and "Doe" not in line
    assert shape.startswith(SHAPES[statement])
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text",
    ["", "[role.x]\nreads = ['no_view']", "withheld = ['lead.no_column']", "[role.x]\nwrites = []", "x = 1",
     "[role.x]\nreads = 'lead'", "[role.'x y']\nreads = ['lead']", "withheld = 'lead.segment'",
     "role = 1", "not toml"],
)  # fmt: skip
def test_roles_with_a_fault_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "roles.toml"
    path.write_text(text)
    if not text:
        assert read_roles(path) == {}
        return
    with pytest.raises(BatonError, match="The roles cannot be read"):
        read_roles(path)


def test_a_projects_own_roles_name_groups_views_and_exceptions(tmp_path: Path) -> None:
    path = tmp_path / "roles.toml"
    path.write_text(
        "withheld = ['lead.segment', 'lead.account_id']\n[group]\nall = ['lead']\n"
        "[role.a]\nreads = ['all', 'dispute']\nalso = ['lead.segment']\nwithout = ['dispute.reason']\n"
    )

    role = read_roles(path)["a"]
    assert role.columns["lead"] == ("lead_id", "segment", "first_seen_at", "source_system")
    assert "reason" not in role.columns["dispute"] and set(role.columns) == {"lead", "dispute"}


def test_what_is_personal_stays_withheld_in_a_projects_own_file(tmp_path: Path) -> None:
    path = tmp_path / "roles.toml"
    path.write_text("[role.a]\nreads = ['lead_attribute', 'failed_events']")

    columns = read_roles(path)["a"].columns
    assert not {"first_value", "last_value"} & set(columns["lead_attribute"])
    assert not {"key", "value", "reason"} & set(columns["failed_events"])


def test_no_packaged_role_reads_bytes_or_what_it_does_not_name() -> None:
    for role in read_roles(DEFAULT_ROLES).values():
        assert not {"key", "value", "reason"} & set(role.columns["failed_events"])
        assert ("reason" in role.columns["dispute"]) == (role.name == "leadership")
