"""The SQL endpoint: one SELECT over whole transactions and nothing else, while the worker writes."""
# long: most of it is data, the statements that an endpoint has to distinguish

from __future__ import annotations

import json
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from projections.playbook import read_playbook
from schemas.errors import BatonError, ExitCode
from tests.given import as_bytes, given
from warehouse.sql_endpoint import SqlEndpoint, ask, load_extensions, serve_sql
from warehouse.warehouse import Warehouse

ROOT = Path(__file__).resolve().parents[2]

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
Asked = Callable[[str], list[tuple[object, ...]]]


def offers(first: int, count: int) -> list[bytes]:
    return as_bytes(
        {
            "type": "HandoffOffered",
            "source": "test",
            "occurred_at": (MONDAY + timedelta(seconds=number)).isoformat(),
            "recorded_at": MONDAY.isoformat(),
            "handoff_id": f"handoff-{number}",
            "lead_id": "lead",
            "from_team": "marketing",
            "to_team": "sales_development",
            "reason": "qualified",
        }
        for number in range(first, first + count)
    )


@dataclass(frozen=True)
class Served:
    """A warehouse on disk, its open endpoint, and a file beside it that it must not give away."""

    warehouse: Warehouse
    endpoint: SqlEndpoint
    secret: Path

    def contents(self) -> list[tuple[object, ...]]:
        """Everything a writer could have changed: tables with their sizes, views, macros, settings."""
        return self.warehouse.connection.execute(_CONTENTS).fetchall()


_CONTENTS = """
select 'table', database_name, schema_name || '.' || table_name, estimated_size::varchar from duckdb_tables()
union all
select 'view', database_name, schema_name || '.' || view_name, sql from duckdb_views()
union all
select 'function', database_name, function_name, macro_definition
from duckdb_functions() where database_name = 'baton'
union all
select 'setting', '', name, value from duckdb_settings()
union all
select 'database', database_name, '', '' from duckdb_databases()
order by all
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("endpoint")
    secret = folder / "secret.csv"
    secret.write_text("word\nopen sesame\n")
    with Warehouse.open(folder / "baton.duckdb", read_playbook()) as warehouse:
        given(warehouse, offers(0, 3))
        warehouse.refresh()
        yield Served(warehouse, serve_sql(warehouse.connection), secret)


@pytest.fixture(scope="module")
def asked(served: Served) -> Iterator[Asked]:
    """Ask through one client that stays: loading the extensions for each of a hundred questions is slow."""
    with duckdb.connect() as client:
        load_extensions(client)

        def ask_door(statement: str) -> list[tuple[object, ...]]:
            return client.execute(
                "select * from quack_query(?, ?, token = ?)",
                [served.endpoint.address, statement, served.endpoint.token],
            ).fetchall()

        yield ask_door


ALLOWED = {
    "a view": "select count(*) from funnel.handoff",
    "a fact": "select handoff_id from facts.handoff_offered",
    "from first": "from funnel.black_hole",
    "a table by name": "table funnel.handoff",
    "a semicolon at the end": "select 1;",
    "a comment": "/* why not */ select 1 -- ; drop table x",
    "a list of values": "values (1), (2)",
    "a recursive query": "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5) from n",
    "a list function": "select list_transform([1, 2], lambda x: x + 1)",
    "a row per number": "select * from range(3)",
    "a row per element": "select * from unnest([1, 2])",
    "a row per JSON value": "select * from json_each('[1, 2]')",
    "the tables there are": "select table_name from information_schema.tables",
    "describe": "describe funnel.handoff",
    "show tables": "show all tables",
    "summarize": "summarize funnel.handoff",
    "pivot with its values named": "from funnel.handoff pivot (count(*) for state in ('waiting', 'lost'))",
    "a forbidden name that is only a name": "select 1 as getenv",
    "a forbidden statement that is only a text": "select '; drop table x' as read_csv",
}


@pytest.mark.parametrize("statement", ALLOWED.values(), ids=ALLOWED)
def test_reading_works(asked: Asked, statement: str) -> None:
    asked(statement)


def test_ask_answers_with_column_names_and_rows(served: Served) -> None:
    answer = ask(served.endpoint, "select handoff_id, offered_at from funnel.handoff order by all limit 1")

    assert answer == (["handoff_id", "offered_at"], [("handoff-0", MONDAY)])


NOT_ONE_SELECT = [
    "drop view funnel.handoff",
    "drop table warehouse.next_offset",
    "drop schema funnel cascade",
    "insert into warehouse.next_offset values ('x', 0, 1, 1)",
    "insert into warehouse.next_offset values ('x', 0, 1, 1) returning *",
    "with a as (select 1) insert into warehouse.next_offset select 'x', 0, 1, 1 from a",
    "update warehouse.next_offset set records = 0",
    "delete from warehouse.next_offset",
    "merge into warehouse.next_offset using (select 1) on false when matched then delete",
    "truncate warehouse.next_offset",
    "create table t (a integer)",
    "create temp table t as select 1",
    "create or replace macro main.may_run(a, b) as true",
    "create secret s (type s3)",
    "alter table warehouse.next_offset add column z integer",
    "comment on view funnel.handoff is 'x'",
    "copy (select 1) to '{folder}/out.csv'",
    "copy warehouse.next_offset to '{folder}/out.csv'",
    "copy warehouse.next_offset from '{secret}'",
    "export database '{folder}/export'",
    "import database '{folder}/export'",
    "attach '{folder}/other.duckdb'",
    "detach baton",
    "use memory",
    "set threads = 1",
    "set global quack_authorization_function = ''",
    "set variable x = 1",
    "reset threads",
    "reset global quack_authorization_function",
    "pragma version",
    "pragma threads = 1",
    "pragma database_list",
    "call pragma_version()",
    "call quack_stop('{address}')",
    "call force_checkpoint()",
    "install json",
    "load json",
    "load '{folder}/evil.duckdb_extension'",
    "begin",
    "commit",
    "rollback",
    "checkpoint",
    "vacuum",
    "analyze",
    "prepare p as select 1",
    "execute p",
    "explain select 1",
    "explain analyze select 1",
    "pivot funnel.handoff on state using count(*)",
    "select 1; select 2",
    "select 1; drop view funnel.handoff",
    "drop view funnel.handoff; select 1",
    "select 1; set threads = 1; select 2",
    "select 1\0; drop view funnel.handoff",
    "not SQL at all",
]
TABLE_FUNCTIONS = [
    "read_text('{secret}')",
    "read_csv('{secret}')",
    "read_csv_auto('{secret}')",
    "READ_CSV('{secret}')",
    "\"read_csv\"('{secret}')",
    "system.main.read_text('{secret}')",
    "read_parquet('{folder}/x.parquet')",
    "read_json('{secret}')",
    "read_blob('{secret}')",
    "read_duckdb('{folder}/baton.duckdb')",
    "sniff_csv('{secret}')",
    "parquet_metadata('{folder}/x.parquet')",
    "glob('{folder}/*')",
    "query('select 1')",
    "query_table('funnel.handoff')",
    "json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "sql_auto_complete('sel')",
    "quack_query('{address}', 'select 1', token = '{token}')",
    "quack_query_by_name('q', 'select 1')",
    "quack_serve('quack:127.0.0.1:9')",
    "quack_stop('{address}')",
    "quack_server_list()",
    "quack_clear_cache()",
    "duckdb_settings()",
    "duckdb_secrets()",
    "duckdb_logs()",
    "duckdb_temporary_files()",
    "enable_logging()",
    "force_checkpoint()",
    "pragma_table_info('x')",
    "repeat('a', 3)",
    "arrow_scan(1, 2, 3)",
    "python_map_function(1)",
]
FORBIDDEN_CALLS = [
    "getenv('HOME')",
    "GetEnv('HOME')",
    "\"GETENV\"('HOME')",
    "system.main.getenv('HOME')",
    "'HOME'.getenv()",
    "nextval('x')",
    "currval('x')",
    "setseed(0.5)",
    "write_log('x')",
    "sleep_ms(1)",
    "pg_sleep(0.001)",
]
# Where a call can hide. {call} is a scalar, {table} a table function.
DEEP = {
    "a sub-query": "select (select {call})",
    "a CTE": "with a as (select {call}) select 1",
    "a CTE of a CTE": "with a as (with b as (select {call} as c) from b) from a",
    "a materialized CTE": "with a as materialized (select {call}) select 1",
    "a recursive CTE": "with recursive r as (select 'b' as a union select {call}::varchar from r) from r",
    "where": "select 1 from range(1) where {call} is null",
    "exists": "select 1 where exists (select {call})",
    "in": "select 1 in (select length({call}::varchar))",
    "join": "select 1 from range(1) as t join range(2) as u on {call} is null",
    "lateral": "select * from range(2) as t, lateral (select {call})",
    "order by": "select 1 order by {call}",
    "group by": "select 1 group by {call}",
    "grouping sets": "select 1 group by grouping sets (({call}))",
    "having": "select 1 having {call} is null",
    "qualify": "select 1 qualify row_number() over (partition by {call}) = 1",
    "a window's order": "select sum(1) over (order by {call})",
    "a named window": "select sum(1) over w from (values (1)) as v window w as (partition by {call})",
    "an aggregate's filter": "select count(*) filter (where {call} is null)",
    "an aggregate's order": "select any_value(1 order by {call})",
    "distinct on": "select distinct on ({call}) 1",
    "limit": "select 1 limit (select length({call}::varchar))",
    "offset": "select 1 offset length({call}::varchar)",
    "case": "select case when true then {call} end",
    "cast": "select try_cast({call} as integer)",
    "try": "select try({call})",
    "a list": "select [{call}]",
    "a list comprehension": "select [{call} for x in [1]]",
    "a lambda": "select list_transform([1], lambda x: {call})",
    "a lambda of a lambda": "select list_transform([[1]], lambda x: list_transform(x, lambda y: {call}))",
    "a struct": "select {{'a': {call}}}",
    "a map": "select map {{{call}: 1}}",
    "an index": "select ([1])[length({call}::varchar)]",
    "values": "select * from (values ({call}))",
    "union": "select 'a' union all select {call}::varchar",
    "an argument of a table function": "select * from range(length({call}::varchar))",
    "replace": "select * replace ({call} as a) from (select 1 as a)",
    "columns": "select columns(x -> {call} is not null) from (select 1 as a)",
    "a pivot": "from (select 'a' as s, {call} as n) pivot (max(n) for s in ('a'))",
    "describe": "describe select {call}",
    "summarize": "summarize select {call}",
    "a table function in a sub-query": "select (select count(*) from {table})",
    "a table function in a CTE": "with a as (select * from {table}) select count(*) from a",
    "a table function beside": "select * from range(2) as t, lateral (select * from {table})",
    "a table function in exists": "select 1 where exists (from {table})",
    "a table function in a summary": "select * from (summarize (select * from {table}))",
    "a table function after a union": "select 'a' union all select content from {table}",
}
REFUSED = [
    *NOT_ONE_SELECT,
    *(f"select * from {function}" for function in TABLE_FUNCTIONS),
    *(f"select {call}" for call in FORBIDDEN_CALLS),
    "select [(select count(*) from read_text('{secret}')) for x in [1]]",
]


@pytest.mark.parametrize("statement", REFUSED)
def test_anything_else_is_refused(served: Served, asked: Asked, statement: str) -> None:
    known = {"folder": served.secret.parent, "secret": served.secret}
    for name, value in {**known, "address": served.endpoint.address, "token": served.endpoint.token}.items():
        statement = statement.replace(f"{{{name}}}", str(value))

    with pytest.raises(duckdb.Error, match="Authorization failed"):
        asked(statement)


@pytest.mark.parametrize("statement", DEEP.values(), ids=DEEP)
def test_a_forbidden_call_is_found_wherever_it_hides(served: Served, asked: Asked, statement: str) -> None:
    asked(statement.format(call="lower('A')", table="(select 'a' as content)"))  # harmless, it is allowed

    with pytest.raises(duckdb.Error, match="Authorization failed"):
        asked(statement.format(call="getenv('HOME')", table=f"read_text('{served.secret}')"))


@pytest.mark.parametrize(
    "source",
    ["'{secret}'", '"{secret}"', "'/etc/passwd'", "'http://127.0.0.1:9/x.csv'", "'{folder}/*.csv'",
     "'{folder}/other.duckdb'", "served", "(summarize from '{secret}')"],
)  # fmt: skip
def test_no_file_and_no_variable_of_the_worker_is_a_table(served: Served, asked: Asked, source: str) -> None:
    named = source.replace("{secret}", str(served.secret)).replace("{folder}", str(served.secret.parent))

    with pytest.raises(duckdb.Error, match="Cannot access file|does not exist"):
        asked(f"select * from {named}")


def test_nothing_changes_by_all_these_attempts(served: Served, asked: Asked) -> None:
    before = served.contents()

    for statement in NOT_ONE_SELECT:
        with pytest.raises(duckdb.Error):
            asked(statement)

    assert served.contents() == before
    assert {path.name for path in served.secret.parent.iterdir()} <= {
        "baton.duckdb", "baton.duckdb.wal", "secret.csv"
    }  # fmt: skip


def test_a_client_that_attaches_the_door_cannot_write_either(served: Served) -> None:
    before = served.contents()
    with duckdb.connect() as client:
        load_extensions(client)
        client.execute(
            f"attach '{served.endpoint.address}' as endpoint (type quack, token '{served.endpoint.token}')"
        )
        assert client.execute("select count(*) > 2 from endpoint.funnel.handoff").fetchall() == [(True,)]
        for statement in (
            "insert into endpoint.warehouse.next_offset values ('x', 0, 1, 1)",
            "create table endpoint.warehouse.t as select 1 as a",
            "drop view endpoint.funnel.alert",
            "update endpoint.warehouse.next_offset set records = 0",
            "from endpoint.query('drop view funnel.alert')",
        ):
            with pytest.raises(duckdb.Error):
                client.execute(statement)

    assert served.contents() == before


def test_a_refusal_names_the_statement_and_the_next_step(served: Served) -> None:
    with pytest.raises(BatonError, match="Only reading is allowed here") as raised:
        ask(served.endpoint, "drop view funnel.handoff")

    assert raised.value.where == "drop view funnel.handoff" and raised.value.why
    assert raised.value.next_command.startswith("baton sql") and raised.value.exit_code is ExitCode.USAGE


def test_the_served_file_is_no_table_of_its_own(served: Served) -> None:
    """Its path is not cut off like others; DuckDB's refusal then holds a byte that is not UTF-8."""
    with pytest.raises(BatonError, match="The query failed") as raised:
        ask(served.endpoint, f"select * from '{served.warehouse.path}'")

    assert "is already attached" in raised.value.why


@pytest.mark.parametrize(
    "wrong", [lambda t: "", lambda t: "wrong", lambda t: t[:-1], lambda t: t + "x", lambda t: t.swapcase()],
    ids=["none", "another", "a letter short", "a letter more", "another case"],
)  # fmt: skip
def test_a_wrong_token_opens_nothing(served: Served, wrong: Callable[[str], str]) -> None:
    with pytest.raises(BatonError) as raised:
        ask(replace(served.endpoint, token=wrong(served.endpoint.token)), "select 1")

    assert "uthentication" in raised.value.why
    assert served.endpoint.token not in str(raised.value)


def test_a_door_nobody_is_behind_says_so() -> None:
    with pytest.raises(BatonError, match="does not answer") as raised:
        ask(SqlEndpoint("quack:127.0.0.1:9", "any"), "select 1")

    assert raised.value.exit_code is ExitCode.UNREACHABLE


_SERVER = """
import time, duckdb
from warehouse.sql_endpoint import serve_sql
connection = duckdb.connect()
endpoint = serve_sql(connection)
print(endpoint.port, endpoint.token, flush=True)
time.sleep(300)
"""


def test_a_worker_that_ends_while_it_computes_says_of_what() -> None:
    server = subprocess.Popen([sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert server.stdout is not None
    port, token = server.stdout.readline().split()
    endpoint = SqlEndpoint("", token, int(port))
    heavy = "select count(*) from range(3000000000) as a(x), range(100) as b(y) where (x * y) % 7 = 3"
    killing = threading.Timer(0.7, server.kill)
    killing.start()
    try:
        with pytest.raises(BatonError, match="ended while it computed this statement") as raised:
            ask(endpoint, heavy)
    finally:
        server.kill()
        server.wait()
    error = raised.value
    assert (
        error.where == heavy
        and "started again" in error.why
        and error.next_command.startswith("baton status")
    )
    assert error.exit_code == ExitCode.UNREACHABLE
    with pytest.raises(BatonError, match="does not answer"):
        ask(endpoint, "select 1")


def test_readers_see_whole_batches_while_a_writer_commits(served: Served, asked: Asked) -> None:
    batches, size = 12, 50
    start = asked("select count(*) from funnel.handoff")[0][0]
    assert isinstance(start, int)
    values = offers(1_000, batches * size)
    failures: list[BaseException] = []

    def write() -> None:
        try:
            for at in range(0, len(values), size):
                given(served.warehouse, values[at : at + size])
                served.warehouse.refresh()
        except BaseException as error:
            failures.append(error)

    seen = []
    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        seen += asked(
            "select (select count(*) from funnel.handoff), (select count(*) from log.handoff_offered),"
            " (select sum(handoffs) from funnel.black_hole)"
        )
    writer.join()

    assert failures == []
    assert seen and seen == sorted(seen)  # numbers only grow
    for handoffs, facts, states in seen:
        assert handoffs == states <= facts and (handoffs - start) % size == 0 == (facts - start) % size
    assert asked("select count(*) from funnel.handoff") == [(start + batches * size,)]


@pytest.mark.parametrize("statement", [*NOT_ONE_SELECT, "select * from read_csv('/etc/passwd')"])
def test_the_server_refuses_by_itself_what_no_client_of_ours_sends(served: Served, statement: str) -> None:
    request = json.dumps({"token": served.endpoint.token, "statement": statement})
    with socket.create_connection(("127.0.0.1", served.endpoint.port), timeout=10) as client:
        client.sendall(request.encode() + b"\n")
        answer = client.makefile("rb").read()

    assert b'"kind": "refused"' in answer


def test_the_saved_door_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "sql-endpoint.json"
    file.write_text("left by an earlier worker")
    file.chmod(0o644)

    SqlEndpoint("quack:127.0.0.1:1", "token").save(file)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert SqlEndpoint.read(file) == SqlEndpoint("quack:127.0.0.1:1", "token")
    assert [path.name for path in tmp_path.iterdir()] == ["sql-endpoint.json"]


@pytest.mark.parametrize("content", [None, "", "{}", "[1]", "not JSON"])
def test_a_door_that_cannot_be_read_is_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "sql-endpoint.json").write_text(content)

    assert SqlEndpoint.read(tmp_path / "sql-endpoint.json") is None


@pytest.mark.parametrize(
    "line",
    [b"[]", b"null", b"[" * 200_000, b'{"token": 1}', b'{"token": "x", "statement": "x", "seconds": []}'],
)
def test_a_request_that_is_none_ends_with_itself(
    served: Served, line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    died: list[object] = []
    monkeypatch.setattr(threading, "excepthook", died.append)
    with socket.create_connection(("127.0.0.1", served.endpoint.port), timeout=10) as client:
        client.sendall(line + b"\n")
        while client.recv(4096):
            pass
    assert not died, "the worker would end"
    assert ask(served.endpoint, "select 1")[1] == [(1,)]
