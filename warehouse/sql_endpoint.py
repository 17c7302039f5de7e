"""The SQL endpoint: live SQL for other processes while the worker writes, over DuckDB's Quack protocol.

It listens on loopback, wants a token, and lets through SELECT statements only. What a statement may
do is judged on DuckDB's own parse of it, never on its text: one that is not a SELECT does not
serialise, there is one statement, and table functions must be on a short list (docs/adr/0007).
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from duckdb_extensions import import_extension

from schemas.errors import BatonError, ExitCode

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

    def remote(self, statement: str) -> list[str]:
        """Parameters of REMOTE: this statement runs at the endpoint."""
        return [self.address, statement, self.token]

    def save(self, path: Path) -> None:
        """Write the file with mode 0600 from its first byte, and put it in place at once."""
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"address": self.address, "token": self.token}, file)
        fresh.replace(path)

    @classmethod
    def read(cls, path: Path) -> SqlEndpoint | None:
        """The endpoint of a running worker, or None when no worker left one."""
        try:
            content = json.loads(path.read_text())
            return cls(content["address"], content["token"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None


def serve_sql(connection: duckdb.DuckDBPyConnection) -> SqlEndpoint:
    """Serve this database on a free loopback port with a fresh token.

    From then on the process can neither read other files through SQL nor change its settings.
    """
    load_extensions(connection)
    endpoint = SqlEndpoint(f"quack:127.0.0.1:{_free_port()}", secrets.token_urlsafe(32))
    connection.execute(_MAY_RUN)
    connection.execute("set global quack_authorization_function = 'may_run'")
    connection.execute("call quack_serve(?, token = ?)", [endpoint.address, endpoint.token])
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return endpoint


def load_extensions(connection: duckdb.DuckDBPyConnection) -> None:
    """Load httpfs and quack from their wheels. Raises BatonError when they are not installed."""
    try:
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
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    load_extensions(connection)
    try:
        asked = connection.execute(REMOTE, endpoint.remote(statement))
        return [column[0] for column in asked.description or []], asked.fetchall()
    except duckdb.Error as error:
        raise _refused(endpoint, statement, str(error)) from error
    except UnicodeDecodeError as error:  # some of DuckDB's messages hold bytes that are not UTF-8
        raise _refused(endpoint, statement, error.object.decode(errors="replace")) from error
    finally:
        connection.close()


def _refused(endpoint: SqlEndpoint, statement: str, why: str) -> BatonError:
    first = why.split("\n\nLINE")[0].strip()
    if "Authorization failed" in why:
        return BatonError(
            "Only reading is allowed here",
            where=statement[:200],
            why="it is not one SELECT, or it calls a function that reaches outside the tables",
            next_command='baton sql "select * from funnel.handoff_latency limit 3"',
            exit_code=ExitCode.USAGE,
        )
    if "Could not connect" in first:
        return BatonError(
            "The worker's SQL endpoint does not answer",
            where=endpoint.address,
            why=first,
            next_command="baton status",
            exit_code=ExitCode.UNREACHABLE,
        )
    return BatonError(
        "The query failed",
        where=statement[:200],
        why=first,
        next_command="baton sql --help",
        exit_code=ExitCode.USAGE,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
