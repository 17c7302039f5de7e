"""The SQL endpoint: live SQL for other processes while the worker writes, over DuckDB's Quack protocol.

It listens on loopback, wants a token, and lets through SELECT statements only. What a statement may
do is judged on DuckDB's own parse of it, never on its text: one that is not a SELECT does not
serialise, there is one statement, and table functions must be on a short list (docs/adr/0007).
Single statements go to the statement server beside it, which can end them.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
from duckdb_extensions import import_extension

from schemas.errors import BatonError, ExitCode
from warehouse.reading import failing_plainly
from warehouse.role_database import RoleDatabases
from warehouse.role_statement import Readers
from warehouse.roles import Role
from warehouse.statement_server import Limits, RoleAccess, ask_server, serve_statements

TABLE_FUNCTIONS = (
    "range",
    "generate_series",
    "unnest",
    "json_each",
    "json_tree",
    "duckdb_schemas",
    "duckdb_tables",
    "duckdb_views",
    "duckdb_columns",
)
FORBIDDEN_FUNCTIONS = (
    "getenv",
    "nextval",
    "currval",
    "setseed",
    "write_log",
    "sleep_ms",  # these two hold a thread of the worker for as long as one likes
    "pg_sleep",
)

_MAY_RUN = f"""
create or replace macro main.may_run(connection_id, statement) as coalesce(
    not (json_serialize_sql(statement::varchar) ->> '$.error')::boolean
    and json_array_length(json_serialize_sql(statement::varchar), '$.statements') = 1
    and not contains(statement::varchar, chr(0))  -- a parser stops there, whatever comes behind
    and list_has_all(
        {list(TABLE_FUNCTIONS)!r},
        coalesce((json_serialize_sql(statement::varchar) ->> '$..function.function_name'), []))
    and not list_has_any(
        {list(FORBIDDEN_FUNCTIONS)!r},
        coalesce((json_serialize_sql(statement::varchar) ->> '$..function_name'), [])),
    false)
"""


# The rows of a statement that an endpoint runs; its parameters are those of SqlEndpoint.remote().
REMOTE = "select * from quack_query(?, ?, token = ?)"


@dataclass(frozen=True)
class SqlEndpoint:
    """Its address and the token it wants. Kept in a file only its owner can read."""

    address: str
    token: str
    port: int = 0  # of the statement server

    def remote(self, statement: str) -> list[str]:
        """Parameters of REMOTE: this statement runs at the endpoint."""
        return [self.address, statement, self.token]

    def save(self, path: Path) -> None:
        """Write the file with mode 0600 from its first byte, and put it in place at once."""
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(self), file)
        fresh.replace(path)

    @classmethod
    def read(cls, path: Path) -> SqlEndpoint | None:
        """The endpoint of a running worker, or None when no worker left one."""
        try:
            content = json.loads(path.read_text())
            return cls(content["address"], content["token"], content.get("port", 0))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None


def serve_sql(
    connection: duckdb.DuckDBPyConnection,
    seconds: float = 30,
    most_bytes: int = 0,
    on_endless: Callable[[str], None] = lambda statement: None,
    readers: Readers | None = None,
    roles: Mapping[str, Role] | None = None,
    on_end: Callable[[str, float], None] = lambda outcome, seconds: None,
) -> SqlEndpoint:
    """Serve this database on free loopback ports with a fresh token. `seconds`: a statement's time limit.
    `most_bytes`: memory of this process from which on statements are ended; 0 is without a limit.
    `on_endless`: called with a statement that does not end although it was interrupted.
    `readers`: who else may ask, the statement server only; each with a token, for what their role reads.
    `on_end`: called when a statement of the statement server has ended, with its outcome and its seconds.
    From then on the process can neither read other files through SQL nor change its settings.
    """
    load_extensions(connection)
    token = secrets.token_urlsafe(32)
    connection.execute(_MAY_RUN)
    access = RoleAccess(readers, RoleDatabases(connection, roles or {})) if readers else None
    port = serve_statements(connection, Limits(seconds, most_bytes, on_endless, on_end), token, access)
    endpoint = SqlEndpoint(f"quack:127.0.0.1:{_free_port()}", token, port)
    connection.execute("set global quack_authorization_function = 'may_run'")
    connection.execute("call quack_serve(?, token = ?)", [endpoint.address, endpoint.token])
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return endpoint


def load_extensions(connection: duckdb.DuckDBPyConnection) -> None:
    """Load httpfs and quack from their wheels. Raises BatonError when they are not installed."""
    try:
        if not os.environ.get("HOME"):  # DuckDB wants a home to load from, although nothing is there
            connection.execute("set home_directory = ?", [tempfile.gettempdir()])
        for extension in ("httpfs", "quack"):
            import_extension(extension, con=connection)
            connection.execute(f"load {extension}")
    except Exception as error:  # the loader raises whatever the missing wheel provokes
        raise BatonError(
            "A DuckDB extension is not installed",
            where=f"duckdb {duckdb.__version__}",
            why=str(error).splitlines()[0],
            next_command="make setup",
            exit_code=ExitCode.CONFIGURATION,
        ) from error


def ask(endpoint: SqlEndpoint, statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run one SELECT at the endpoint; (column names, rows). It sees whole transactions only."""
    with answer(endpoint, statement) as rows:
        return rows.columns, rows.fetchall()


@contextmanager
def answer(
    endpoint: SqlEndpoint, statement: str, seconds: float | None = None
) -> Iterator[duckdb.DuckDBPyRelation]:
    """The rows of one SELECT at the endpoint, to be read once. Leaving early ends the statement there."""
    stream = ask_server(endpoint.port, endpoint.token, statement, seconds)
    with closing(stream), duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        try:
            with failing_plainly(statement):
                yield connection.from_arrow(stream.reader())
        except BatonError as error:
            # DuckDB reads the stream, and says of its failure only that there was one.
            raise (stream.failure or error) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
