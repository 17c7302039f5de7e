"""Attempts at SQL access with a role's token: each is refused or bounded, by every line of defence alone."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import BatonError, ExitCode
from tests.streams.access.served import Served, served
from warehouse import role_database, role_statement
from warehouse.role_database import RoleDatabase
from warehouse.sql_endpoint import REMOTE, load_extensions
from warehouse.statement_server import ask_server

ATTEMPTS = tomllib.loads((Path(__file__).parent / "attempts.toml").read_text(encoding="utf-8"))
SECONDS = 2.0
# A machine that runs other tests beside this one is slow to look at the clock.
BUSY_SECONDS = 20
SECRET = "open sesame"
EMAIL = "maria.personal@example.com"
# How many functions DuckDB has, and the hash of their names.
LOOKED_AT = (905, "6a12639e742a1ea4")
# Which lines judge: both, or one alone. The settings of the instance and main.may_run stand in any case.
LINES = ("parse and binding", "binding alone", "parse alone")
LEAD = {
    "type": "LeadCaptured",
    "source": "crm",
    "occurred_at": "2026-03-02T09:00:00Z",
    "recorded_at": "2026-03-02T09:00:01Z",
    "lead_id": "lead-1",
    "channel": "web",
    "email": EMAIL,
}


@dataclass(frozen=True)
class Asking:
    """Maria of marketing asks; a file beside the warehouse that must not be given away."""

    served: Served
    token: str

    def ask(self, statement: str) -> list[dict[str, object]]:
        stream = ask_server(self.served.endpoint.port, self.token, statement, None)
        with closing(stream):
            try:
                return list(stream.reader().read_all().to_pylist())
            except pa.ArrowException as error:  # what Arrow makes of an answer that breaks off
                raise (stream.failure or error) from error

    def filled(self, statement: str) -> str:
        values = {
            "{folder}": self.served.folder,
            "{secret}": self.served.folder / "secret.csv",
            "{address}": self.served.endpoint.address,
            "{token}": self.served.endpoint.token,
        }
        for name, value in values.items():
            statement = statement.replace(name, str(value))
        return statement


@pytest.fixture(scope="module")
def maria(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "secret.csv").write_text(f"word\n{SECRET}\n")
    with served(folder, [LEAD], SECONDS) as found:
        yield Asking(found, found.readers.grants.grant("maria", "marketing"))


@pytest.fixture(params=LINES)
def lines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """One line of defence is switched off: what is left has to hold."""
    if request.param == "binding alone":
        monkeypatch.setattr(role_database, "judge", lambda shape, role, statement: ())
    if request.param == "parse alone":
        monkeypatch.setattr(RoleDatabase, "bind", lambda self, shape, statement: None)
    return str(request.param)


def test_there_are_more_than_eighty() -> None:
    assert len(ATTEMPTS["refused"]) + len(ATTEMPTS["bounded"]) > 200


@pytest.mark.parametrize("attempt", ATTEMPTS["refused"], ids=[a["statement"] for a in ATTEMPTS["refused"]])
def test_it_is_refused(maria: Asking, lines: str, attempt: dict[str, str]) -> None:
    if lines == "binding alone" and attempt.get("by") == "parse":
        assert set(maria.ask(attempt["statement"])[0].values()) <= {None, True}
        return

    with pytest.raises(BatonError) as raised:
        maria.ask(maria.filled(attempt["statement"]))

    error = raised.value
    assert error.exit_code == ExitCode.USAGE, str(error)
    assert error.why and error.next_command
    assert SECRET not in str(error) and EMAIL not in str(error)


@pytest.mark.parametrize("statement", [a["statement"] for a in ATTEMPTS["bounded"]],
                         ids=[a["what"] for a in ATTEMPTS["bounded"]])  # fmt: skip
def test_it_is_bounded(maria: Asking, lines: str, statement: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(role_statement, "MOST_ROWS", 100_000)
    monkeypatch.setattr(role_statement, "MOST_BYTES", 16 << 20)
    started = time.monotonic()
    with Resident() as resident:
        try:
            answered = len(maria.ask(statement))
        except BatonError as error:
            assert error.why and error.next_command
        else:
            assert answered <= 100_000

    assert time.monotonic() - started < SECONDS + BUSY_SECONDS
    assert resident.most < 2_500 << 20
    assert maria.ask("select count(*) as n from funnel.lead") == [{"n": 1}], "the others are served on"


def test_nothing_has_changed_by_all_these_attempts(maria: Asking) -> None:
    maria.ask("select 1")  # the database of a role is made when it first asks
    before = _contents(maria)
    for attempt in ATTEMPTS["refused"]:
        with pytest.raises(BatonError):
            maria.ask(maria.filled(attempt["statement"]))

    assert _contents(maria) == before
    assert {path.name for path in maria.served.folder.iterdir()} <= {
        "baton.duckdb", "baton.duckdb.wal", "baton.duckdb.tmp", "secret.csv", "kept", "sql-endpoint.json",
    }  # fmt: skip


def _contents(maria: Asking) -> list[tuple[object, ...]]:
    """Everything a writer could have changed."""
    return maria.served.warehouse.connection.cursor().execute(
        """
        select 'table', database_name, schema_name, table_name, estimated_size::varchar from duckdb_tables()
        union all select 'view', database_name, schema_name, view_name, sql from duckdb_views()
        union all select 'macro', database_name, schema_name, function_name, macro_definition
            from duckdb_functions() where not internal
        union all select 'setting', '', '', name, value from duckdb_settings()
        union all select 'database', database_name, path, '', '' from duckdb_databases()
        order by all
        """
    ).fetchall()  # fmt: skip


BUILT = {
    "a thousand brackets": f"select {'(' * 1500}1{')' * 1500}",
    "not, two thousand times": f"select {'not ' * 2000}true",
    "queries in queries": f"from {'(from ' * 400}range(3){')' * 400}",
    "a long list": f"select 1 in ({', '.join(['12345'] * 200_000)})",
    "bytes that are no text": "select '\udcff' from funnel.lead",
}


@pytest.mark.parametrize("statement", BUILT.values(), ids=BUILT)
def test_a_statement_that_is_hard_to_read_is_refused_or_answered_in_time(
    maria: Asking, lines: str, statement: str
) -> None:
    started = time.monotonic()
    try:
        assert maria.ask(statement)
    except BatonError as error:
        assert error.why and error.exit_code == ExitCode.USAGE, str(error)

    assert time.monotonic() - started < SECONDS + BUSY_SECONDS


def test_refusals_leave_no_file_open(maria: Asking) -> None:
    open_files = Path("/proc/self/fd")
    kept = []  # as whoever logs errors keeps them
    before = len(list(open_files.iterdir()))
    for _ in range(50):
        with pytest.raises(BatonError) as raised:
            maria.ask("from log.lead_captured")
        kept.append(raised.value)

    time.sleep(0.2)
    assert len(list(open_files.iterdir())) < before + 10


def test_quack_knows_no_token_of_a_person(maria: Asking) -> None:
    with duckdb.connect() as client:
        load_extensions(client)
        for statement in ("select 1", "from funnel.lead", "from role_marketing.funnel.lead"):
            with pytest.raises(duckdb.Error, match="(?i)auth"):
                client.execute(REMOTE, [maria.served.endpoint.address, statement, maria.token])


# What a fuzzed statement is put together from: what is allowed, and what must not come through.
PIECES = (
    "select", "from", "where", "with", "recursive", "as", "(", ")", ",", ".", "*", ";", "union all", "join",
    "on true", "lateral", "exists", "in", "a", "lead", "funnel.lead", "funnel.lead_attribute", "lead_id",
    "email", "last_value", "columns(*)", "#1", "unnest", "log.lead_captured", "baton.log.lead_captured",
    "facts.lead_captured", "stored.lead", "resolved.lead_captured", "role_sales.funnel.lead",
    "read_csv('{secret}')", "'{secret}'", "query('from log.lead_captured')",
    "query_table('log.lead_captured')", "duckdb_tables()", "list(a)", "max(email)", "order by", "limit 3",
    "1", "'x'", "/*", "*/", "--", "\n", "exclude (lead_id)", "replace (1 as lead_id)", "summarize",
    "describe", "pivot", "values", "set", "attach", "copy", "to", "into", "insert", "drop", "over (" + ")",
    "group by all", "filter", "case when", "end",
)  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.sampled_from(PIECES), min_size=1, max_size=14))
@pytest.mark.parametrize("begun", ["", "select * from (", "with a as (select email from "])
def test_no_fuzzed_text_reads_what_is_not_granted(maria: Asking, begun: str, pieces: list[str]) -> None:
    _reads_nothing_else(maria, begun + " ".join(pieces))


TABLES = (
    "lead", "funnel.lead", "funnel.lead_attribute", "log.lead_captured", "baton.log.lead_captured",
    "range(3)", "facts.lead_captured", "resolved.lead_captured", "role_sales.funnel.lead", "a", "b",
    "read_text('{secret}')", "'{secret}'", "query('from log.lead_captured')", "duckdb_columns()",
    "information_schema.columns",
)  # fmt: skip
# Queries around queries: well formed, so that most of them come to be bound.
AROUND = (
    "select * from ({0})", "with a as ({0}) from a", "with a as ({0}), b as (from a) from b",
    "{0} union all {1}", "with lead_captured as ({0}) select * from lead_captured",
    "select count(*) as n, max(x) as x from ({0}) as t(x)", "select (select count(*) from ({0})) as n",
    "from ({0}) as s, lateral ({1}) as t", "summarize {0}", "select * exclude (lead_id) from ({0})",
    "select columns(*)::varchar from ({0})", "select 1 where exists ({0})",
    "select list(s) as l from ({0}) as s", "select s from ({0}) as s", "from ({0}) positional join ({1})",
    "with recursive a as ({0} union all select * from a where false) from a", "select * from ({0}) limit 2",
    "select list_transform([1], lambda x: (select count(*) from ({0}))) as l",
    "pivot ({0}) on lead_id in ('lead-1')", "(with lead as ({0}) from lead) union all by name ({1})",
    "select email from ({0})", "describe {0}",
)  # fmt: skip
QUERIES = st.recursive(
    st.sampled_from(TABLES).map("select * from {}".format),
    lambda inner: st.tuples(st.sampled_from(AROUND), inner, inner).map(
        lambda drawn: drawn[0].replace("{0}", drawn[1]).replace("{1}", drawn[2])
    ),
    max_leaves=5,
)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(statement=QUERIES)
def test_no_fuzzed_query_reads_what_is_not_granted(maria: Asking, lines: str, statement: str) -> None:
    _reads_nothing_else(maria, statement)


def _reads_nothing_else(maria: Asking, statement: str) -> None:
    try:
        said = str(maria.ask(maria.filled(statement)))
    except BatonError as error:
        said = str(error)
    assert EMAIL not in said and SECRET not in said


def test_every_function_of_this_duckdb_was_looked_at() -> None:
    """What is not refused by name may be called. A newer DuckDB has others: look at them, then change it."""
    with duckdb.connect() as connection:
        names = connection.execute(
            "select distinct function_name from duckdb_functions()"
            " where internal and function_type <> 'pragma' order by all"
        ).fetchall()
    assert (len(names), hashlib.sha256(str(names).encode()).hexdigest()[:16]) == LOOKED_AT


class Resident:
    """The most memory that this process had while it was entered."""

    most = 0

    def __enter__(self) -> Resident:
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(0.02):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.most = max(self.most, pages * os.sysconf("SC_PAGE_SIZE"))
