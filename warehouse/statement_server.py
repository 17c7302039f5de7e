"""Statements of other processes on this database: each has a time limit, and ends when its client goes.

Quack, the protocol of the SQL endpoint, cannot end a statement. Here a client sends one line of JSON on
loopback and reads the rows as an Arrow stream while they are computed. What a statement may do is decided by
the endpoint's own function, `main.may_run`; what somebody with a role may ask, by warehouse/role_database.py.
"""

from __future__ import annotations

import json
import secrets
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any

import duckdb
import pyarrow as pa

from schemas.errors import BatonError, ExitCode
from warehouse.file_errors import damaged, is_damage
from warehouse.memory import resident_bytes
from warehouse.reading import (
    check_is_reading,
    ended_the_worker,
    only_reading,
    query_failed,
    said_nothing,
    survivable,
    took_too_long,
    took_too_much,
    unique_names,
)
from warehouse.role_database import RoleDatabases
from warehouse.role_statement import Readers, RoleStatement, too_large

MOST_AT_ONCE = 4  # others wait for their turn
LONGEST_STATEMENT = 1 << 20
ROWS_AT_A_TIME = 10_000
GRACE_SECONDS, ENDLESS_SECONDS = 1.5, 10.0  # when an interrupted statement should have ended, and must have
CHECK_SECONDS = 0.1
ALIVE_SECONDS, SILENT_SECONDS = 1.0, 5.0  # who computes says so; who is silent for longer is frozen
_HEAD = struct.Struct("!cI")
_ALIVE, _DATA, _ERROR, _END = b"A", b"D", b"E", b"Z"
_FORBIDDEN = "it calls a function that reaches outside the tables"


@dataclass(frozen=True)
class RoleAccess:
    """Who may ask beside the owner of the token, and the databases of their roles."""

    readers: Readers
    databases: RoleDatabases


@dataclass(frozen=True)
class Limits:
    """Of statements. seconds: the time of each. most_bytes: memory of this process from which on all of them
    are ended; 0 is no limit. on_endless: called with a statement that goes on for ENDLESS_SECONDS after it
    was interrupted: some of DuckDB's functions do not look. on_end: called when one has ended, with its
    outcome (see Asked) and the seconds it took."""

    seconds: float
    most_bytes: int = 0
    on_endless: Callable[[str], None] = lambda statement: None
    on_end: Callable[[str, float], None] = lambda outcome, seconds: None


def serve_statements(
    connection: duckdb.DuckDBPyConnection, limits: Limits, token: str, access: RoleAccess | None = None
) -> int:
    """Serve from threads of this process until it ends; the port on loopback."""
    connection.execute("set global arrow_lossless_conversion = true")
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    # One turn is always left for the owner.
    turns, turns_of_roles = threading.Semaphore(MOST_AT_ONCE), threading.Semaphore(MOST_AT_ONCE - 1)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
                served = _Statement(connection, client, token, limits, turns, turns_of_roles, access)
                threading.Thread(target=served.run, name="baton-statement", daemon=True).start()
            except (OSError, RuntimeError):
                time.sleep(CHECK_SECONDS)  # no descriptor or no thread is left

    threading.Thread(target=accept, name="baton-statements", daemon=True).start()
    return int(listener.getsockname()[1])


class _Statement:
    """One statement of one client, from its request to its last row."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        client: socket.socket,
        token: str,
        limits: Limits,
        turns: threading.Semaphore,
        turns_of_roles: threading.Semaphore,
        access: RoleAccess | None,
    ) -> None:
        self.connection, self.client, self.token, self.turns = connection, client, token, turns
        self.limits, self.seconds = limits, limits.seconds
        self.turns_of_roles, self.access = turns_of_roles, access
        self.role: RoleStatement | None = None
        self.outcome = "gone"
        self.is_late = self.is_large = False
        self.is_done = threading.Event()
        self.sending = threading.Lock()

    def run(self) -> None:
        """Answer; whatever the client does or a statement raises ends this statement only."""
        with closing(self.client), suppress(Exception):
            self.client.settimeout(self.seconds)
            request = json.loads(self.client.makefile("rb").readline(LONGEST_STATEMENT))
            statement = str(request["statement"])
            self.seconds = min(self.seconds, float(request.get("seconds") or self.seconds))
            is_owner = secrets.compare_digest(str(request["token"]).encode(), self.token.encode())
            if not is_owner and not self._enter(str(request["token"])):
                self.send(_ERROR, json.dumps({"kind": "token"}).encode())
                return
            self.send(_ALIVE, b"")
            threading.Thread(target=self._say_alive, name="baton-alive", daemon=True).start()
            deadline = time.monotonic() + self.seconds
            try:
                with self._turn(deadline) as has_turn:
                    if has_turn:
                        self._answer(statement, deadline)
                    else:
                        self.is_done.set()
                        self._fail("late", "")
            finally:
                self.is_done.set()
                if self.role is not None:
                    self.role.end(statement, self.outcome)
                self.limits.on_end(self.outcome, time.monotonic() - deadline + self.seconds)

    def _enter(self, token: str) -> bool:
        """Whether this is the token of somebody with a role, whose statement it then is."""
        reader = self.access.readers.enter(token) if self.access else None
        database = self.access.databases.of(reader.role) if self.access and reader else None
        if self.access is None or reader is None or database is None:
            return False
        self.role = RoleStatement(database, reader, self.access.readers)
        return True

    @contextmanager
    def _turn(self, deadline: float) -> Iterator[bool]:
        """Wait for a turn; whether there was one in time."""
        with ExitStack() as held:
            for turns in [self.turns_of_roles, self.turns] if self.role else [self.turns]:
                if not turns.acquire(timeout=max(0, deadline - time.monotonic())):
                    yield False
                    return
                held.callback(turns.release)
            yield True

    def _answer(self, statement: str, deadline: float) -> None:
        with closing(self.connection.cursor()) as cursor:
            watcher = threading.Thread(target=self._watch, args=(cursor, statement, deadline), daemon=True)
            watcher.start()
            try:
                running = survivable(statement)
                if self.role is not None:
                    self.role.check(running)
                if cursor.execute("select main.may_run('', ?)", [statement]).fetchall() != [(True,)]:
                    self._fail("refused", _FORBIDDEN)
                    return
                self._send_rows(self.role.cursor if self.role else cursor, running)
            except (duckdb.Error, pa.ArrowException, UnicodeDecodeError, MemoryError) as error:
                why = error.object.decode(errors="replace") if isinstance(error, UnicodeDecodeError) else ""
                self._fail(self._kind(error), why or str(error))
            except BatonError as error:
                if self.is_late:
                    self._fail("late", "")
                else:
                    self._fail("refused", "", error)
            finally:
                self.is_done.set()
                watcher.join()

    def _kind(self, error: Exception) -> str:
        if self.is_large or isinstance(error, (MemoryError, duckdb.OutOfMemoryException)):
            return "large"
        return "late" if self.is_late else "damaged" if is_damage(error) else "failed"

    def _send_rows(self, cursor: duckdb.DuckDBPyConnection, statement: str) -> None:
        rows = cursor.execute(statement).to_arrow_reader(ROWS_AT_A_TIME)
        with pa.ipc.new_stream(_Frames(self), rows.schema) as stream:
            for batch in rows:
                if self.role is not None and not self.role.count(batch):
                    self._fail("too_large", "")
                    return
                stream.write_batch(batch)
        self.send(_END, b"")
        self.outcome = "answered"

    def _watch(self, cursor: duckdb.DuckDBPyConnection, statement: str, deadline: float) -> None:
        """Interrupt the statement when its time is up, its client has gone, or memory runs out; again until
        it has ended.

        What DuckDB does not interrupt (one call of a function on long values) keeps its turn. Its client gets
        its answer all the same.
        """
        is_ending, endless_at = False, 0.0
        while not self.is_done.wait(0 if not is_ending else CHECK_SECONDS):
            if not is_ending:
                has_gone = _is_ready(self.client, select.POLLIN, CHECK_SECONDS)
                self.is_late = time.monotonic() >= deadline
                self.is_large = 0 < self.limits.most_bytes < resident_bytes()
                self.is_large |= self.role is not None and self.role.is_short_of_memory()
                # A client that has asked says nothing more.
                is_ending = has_gone or self.is_late or self.is_large
                endless_at = time.monotonic() + ENDLESS_SECONDS
            if is_ending:
                if time.monotonic() > endless_at:
                    self.limits.on_endless(statement)
                with suppress(duckdb.ConnectionException):  # the warehouse was closed meanwhile
                    (self.role or cursor).interrupt()
            if self.is_late and self.role is not None and time.monotonic() > deadline + GRACE_SECONDS:
                with suppress(OSError):
                    self._fail("late", "")
                    self.client.shutdown(socket.SHUT_RDWR)

    def _say_alive(self) -> None:
        """Until the statement is done. A client that does not read what it has needs no sign of life."""
        with suppress(OSError, ValueError):  # the client has gone
            while not self.is_done.wait(ALIVE_SECONDS):
                if _is_ready(self.client, select.POLLOUT, 0) and self.sending.acquire(blocking=False):
                    try:
                        self.client.sendall(_HEAD.pack(_ALIVE, 0))
                    finally:
                        self.sending.release()

    def _fail(self, kind: str, why: str, error: BatonError | None = None) -> None:
        answer: dict[str, Any] = {"kind": kind, "why": why, "seconds": self.seconds}
        self.outcome = kind
        if error is not None:
            answer |= {"kind": "error", "error": error.as_dict()}
        self.send(_ERROR, json.dumps(answer).encode())

    def send(self, kind: bytes, content: bytes) -> None:
        with self.sending:
            self.client.sendall(_HEAD.pack(kind, len(content)) + content)


def _is_ready(client: socket.socket, event: int, seconds: float) -> bool:
    """Whether it can be read or written within so long; select() would fail from the 1,024th file on."""
    poll = select.poll()
    poll.register(client, event)
    return bool(poll.poll(seconds * 1000))


class _Frames:
    """The Arrow stream's file: what is written goes to the client in frames."""

    closed = False

    def __init__(self, statement: _Statement) -> None:
        self._statement = statement

    def write(self, content: Any) -> int:
        self._statement.send(_DATA, bytes(content))
        return len(content)

    def flush(self) -> None:
        pass


def ask_server(port: int, token: str, statement: str, seconds: float | None) -> RowStream:
    """Send one SELECT. Raises BatonError when it is refused, fails, the server says nothing, or there is none
    (exit 4)."""
    return RowStream(send_statement(port, token, statement, seconds), statement)


def send_statement(port: int, token: str, statement: str, seconds: float | None) -> socket.socket:
    """Send it, and do not wait: RowStream reads the answer. Closing the socket ends the statement."""
    check_is_reading(statement)
    request = json.dumps({"token": token, "statement": statement, "seconds": seconds}).encode() + b"\n"
    if len(request) > LONGEST_STATEMENT:
        raise query_failed(statement, f"it is longer than {LONGEST_STATEMENT:,} bytes")
    try:
        server = socket.create_connection(("127.0.0.1", port), timeout=SILENT_SECONDS)
        server.sendall(request)
    except TimeoutError as error:
        raise said_nothing(SILENT_SECONDS) from error
    except OSError as error:
        raise _gone(port, str(error)) from error
    return server


class RowStream:
    """Rows as they arrive. Closing it ends the statement at the server."""

    closed = False

    def __init__(self, server: socket.socket, statement: str) -> None:
        self._server, self._statement = server, statement
        self._file: IO[bytes] = server.makefile("rb")
        self._read, self._is_accepted = bytearray(), False
        self.failure: BatonError | None = None
        try:
            self._arrow = pa.ipc.open_stream(self)
        except BaseException:
            self.close()
            raise

    def reader(self) -> pa.RecordBatchReader:
        """The rows; no two columns have the same name."""
        names = unique_names(self._arrow.schema.names)
        fields = [f.with_name(name) for f, name in zip(self._arrow.schema, names, strict=True)]
        return pa.RecordBatchReader.from_batches(pa.schema(fields), self._batches(names))

    def _batches(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        for batch in self._arrow:
            yield batch.rename_columns(names)
        self.read(1)  # the end, or why it failed after the last rows

    def read(self, size: int) -> bytes:
        """As many of the next bytes of the Arrow stream; fewer at its end only."""
        while len(self._read) < size and self._read_frame():
            pass
        taken = bytes(self._read[:size])
        del self._read[:size]
        return taken

    def _read_frame(self) -> bool:
        """Whether there was another frame of data. Raises BatonError when the statement failed."""
        try:
            head = self._file.read(_HEAD.size)
            kind, length = _HEAD.unpack(head) if len(head) == _HEAD.size else (b"", 0)
            content = self._file.read(length)
        except TimeoutError as error:
            raise self._failed(said_nothing(SILENT_SECONDS)) from error
        except OSError:  # reset
            kind, length, content = b"", 0, b""
        if not kind or len(content) < length:
            ended = ended_the_worker(self._statement) if self._is_accepted else _gone(0, "it ended")
            raise self._failed(ended)
        self._is_accepted = True
        if kind == _ERROR:
            raise self._failed(_refusal(self._statement, json.loads(content)))
        self._read += content
        return bool(kind != _END)

    def _failed(self, error: BatonError) -> BatonError:
        self.failure = error
        return error

    def close(self) -> None:
        self._file.close()
        self._server.close()


def _refusal(statement: str, answer: dict[str, Any]) -> BatonError:
    match answer["kind"]:
        case "refused":
            return only_reading(statement, answer["why"])
        case "late":
            return took_too_long(statement, answer["seconds"])
        case "error":
            said = answer["error"]
            return BatonError(
                said["error"],
                where=said["where"],
                why=said["why"],
                next_command=said["next"],
                exit_code=ExitCode.USAGE,
            )
        case "too_large":
            return too_large(statement)
        case "large":
            return took_too_much(statement)
        case "damaged":
            return damaged(statement[:200], answer["why"])
        case "token":
            return query_failed(statement, "Authentication failed: the token is not that of this worker")
    return query_failed(statement, answer["why"])


def _gone(port: int, why: str) -> BatonError:
    return BatonError(
        "The worker's SQL endpoint does not answer",
        where=f"127.0.0.1:{port}" if port else "127.0.0.1",
        why=why,
        next_command="baton status",
        exit_code=ExitCode.UNREACHABLE,
    )
