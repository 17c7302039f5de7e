"""Statements over HTTP are answered by the statement server of the process that serves the numbers."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

from schemas.errors import BatonError, ExitCode
from warehouse.sql_endpoint import SqlEndpoint, ask
from warehouse.statement_server import RowStream, send_statement

# What the numbers follow from: how far the log was read, the playbooks, and the minute of open clocks.
_POSITION = """
select md5(concat_ws('|',
    (select string_agg(concat_ws(':', topic, kafka_partition, next_offset) order by topic, kafka_partition)
        from warehouse.next_offset),
    (select string_agg(concat_ws(':', topic, kafka_partition, next_offset) order by topic, kafka_partition)
        from warehouse.offset_read),
    (select any_value(playbooks) from warehouse.read_model),
    (select date_trunc('minute', as_of)::varchar from warehouse.as_of)))
"""


class RemoteStatements:
    """`endpoint_file`: where the serving process leaves its address; read for each statement."""

    def __init__(self, endpoint_file: Path) -> None:
        self._endpoint_file = endpoint_file

    def send(self, token: str, statement: str) -> Sent:
        """Ask as the bearer of this token. Raises BatonError when nobody serves (exit 4)."""
        server = send_statement(self._endpoint().port, token, statement, None)
        return Sent(server, statement)

    def position(self) -> str:
        """The same as long as no answer can have changed by more than a minute of open clocks."""
        [(position,)] = ask(self._endpoint(), _POSITION)[1]
        return str(position)

    def _endpoint(self) -> SqlEndpoint:
        endpoint = SqlEndpoint.read(self._endpoint_file)
        if endpoint is None:
            raise BatonError(
                "Nobody serves the numbers",
                where=str(self._endpoint_file),
                why="no worker runs in this project",
                next_command="baton up",
                exit_code=ExitCode.UNREACHABLE,
            )
        return endpoint


class Sent:
    """A statement that was sent, and its rows when they come."""

    def __init__(self, server: socket.socket, statement: str) -> None:
        self._server, self._statement = server, statement

    def rows(self) -> RowStream:
        """Wait for the first of them. Raises BatonError when the statement is refused or fails."""
        return RowStream(self._server, self._statement)

    def end(self) -> None:
        """End the statement, also one that another thread waits for."""
        with closing(self._server):
            self._server.shutdown(socket.SHUT_RDWR)
