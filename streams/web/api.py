"""SQL over HTTP: POST /sql and GET /views/NAME, with a person's own token (docs/guides/sql_access.md).

The token comes in the header Authorization, and nowhere else. What it may ask is decided where the statement
runs: these routes only carry it there and write the rows in the form that is asked for.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from projections.projection import views
from schemas.errors import BatonError, ExitCode
from streams.access.grants import TOKEN
from streams.access.remote_statements import Sent
from streams.queries import sql_answer
from streams.queries.sql_answer import Rows
from streams.queries.values import plain
from warehouse.role_judge import LONGEST_STATEMENT
from warehouse.role_statement import Reader
from warehouse.roles import LIST_VIEWS, Role

CHECK_SECONDS = 0.2
CHUNK_BYTES = 1 << 20
ROWS_AT_A_TIME = 10_000
FORMATS = {
    "json": "application/json",
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}
_TOKEN_NAMES = frozenset(
    {"token", "access_token", "auth_token", "bearer", "api_key", "apikey", "authorization"}
)
_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Vary": "Authorization, Accept",
    "X-Content-Type-Options": "nosniff",
}
_STATUS = {ExitCode.USAGE: 400, ExitCode.UNREACHABLE: 503}


class Source(Protocol):
    """What answers: the process that serves the numbers."""

    def send(self, token: str, statement: str) -> Sent: ...

    def position(self) -> str: ...


class Grants(Protocol):
    """Whose a token is, and what the roles read."""

    roles: Any

    def enter(self, token: str) -> Reader | None: ...


@dataclass(frozen=True)
class _Asking:
    """Who asks, with what token, as what."""

    reader: Reader
    token: str
    role: Role


def routes(source: Source, grants: Grants) -> list[Route]:
    """POST /sql, GET /views and GET /views/NAME, to be mounted anywhere."""
    api = _Api(source, grants)
    return [
        Route("/sql", api.guarded(api.sql), methods=["POST"]),
        Route("/views", api.guarded(api.views), methods=["GET"]),
        Route("/views/{name}", api.guarded(api.view), methods=["GET"]),
    ]


class _Api:
    def __init__(self, source: Source, grants: Grants) -> None:
        self.source, self.grants = source, grants

    def guarded(
        self, answer: Callable[[Request, _Asking], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """The same for those whose token means something; errors become answers that say what to do next."""

        async def guard(request: Request) -> Response:
            if _has_token_in_url(request):
                # Whoever logs the request afterwards, the server that runs this among them, does not see it.
                request.scope["query_string"] = b""
                request.scope["path"] = request.scope["raw_path"] = "/"
                return _problem(400, _token_in_url())
            asking = self._enter(request)
            if asking is None:
                return _problem(401, _not_let_in(), {"WWW-Authenticate": "Bearer"})
            try:
                return await answer(request, asking)
            except BatonError as error:
                return _problem(_STATUS.get(error.exit_code, 422), error)
            except ClientDisconnect:
                return Response(status_code=499)  # nobody reads it

        return guard

    def _enter(self, request: Request) -> _Asking | None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        token = token.strip()
        if kind.lower() != "bearer" or not TOKEN.fullmatch(token):
            return None
        reader = self.grants.enter(token)
        return None if reader is None else _Asking(reader, token, self.grants.roles[reader.role])

    async def sql(self, request: Request, asking: _Asking) -> Response:
        """The rows of one SELECT: the body, as text or as {"statement": ...}."""
        form = _form(request)
        statement = _statement(request, await _body(request))
        return await self._answer(request, asking, statement, form, "answer", {})

    async def views(self, request: Request, asking: _Asking) -> Response:
        """The views that the role reads, with what each column says."""
        found = [
            {
                "name": view.name,
                "grain": view.grain,
                "says": view.says,
                "columns": [
                    {"name": column.name, "says": column.says}
                    for column in view.columns
                    if column.name in asking.role.columns[view.name]
                ],
            }
            for view in sorted(views(), key=lambda view: view.name)
            if view.name in asking.role.columns
        ]
        return JSONResponse(found, headers=_HEADERS)

    async def view(self, request: Request, asking: _Asking) -> Response:
        """All rows of a view; 304 when its numbers are those that the client has."""
        form = _form(request)
        name = request.path_params["name"]
        if name not in asking.role.columns:
            return _problem(404, asking.role.refused(name[:100], "no view of that name is granted to it"))
        columns = ",".join(asking.role.columns[name])
        position = await run_in_threadpool(self.source.position)
        tag = hashlib.sha256(f"{position}|{asking.role.name}|{name}|{columns}|{form}".encode()).hexdigest()[
            :32
        ]
        headers = {"ETag": f'W/"{tag}"'}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers={**_HEADERS, **headers})
        if request.method == "HEAD":
            return Response(media_type=FORMATS[form], headers={**_HEADERS, **headers})
        return await self._answer(request, asking, f"select * from funnel.{name}", form, name, headers)

    async def _answer(
        self, request: Request, asking: _Asking, statement: str, form: str, name: str, headers: dict[str, str]
    ) -> Response:
        sent = await run_in_threadpool(self.source.send, asking.token, statement)
        chunks = await _unless_gone(request, sent, _Chunks(sent, statement, form).begin)
        headers = {
            **_HEADERS,
            **headers,
            "Content-Disposition": f'attachment; filename="{name}.{form}"',
        }
        return StreamingResponse(_closing(chunks), media_type=FORMATS[form], headers=headers)


class _Chunks:
    """The rows of a statement in a form, as chunks of bytes. Closing it ends the statement."""

    def __init__(self, sent: Sent, statement: str, form: str) -> None:
        self._sent, self._statement, self._form = sent, statement, form
        self._stack = ExitStack()

    def begin(self) -> _Chunks:
        """Wait for the first chunk. Raises BatonError when there is none: then nothing was answered yet."""
        try:
            self._stream = self._stack.enter_context(closing(self._sent.rows()))
            connection = self._stack.enter_context(duckdb.connect())
            connection.execute("set TimeZone = 'UTC'")
            rows = connection.from_arrow(self._stream.reader())
            written = _WRITTEN[self._form](rows)
            self._rest = chain([next(written, b"")], written)
        except BatonError:
            self.close()
            raise
        except Exception as error:  # DuckDB reads the stream, and says of its failure only that there was one
            self.close()
            raise self._failure(error) from error
        return self

    def __iter__(self) -> Iterator[bytes]:
        """When it fails halfway the connection is cut, so that nobody takes a part for the whole."""
        try:
            yield from self._rest
        finally:
            self.close()

    def close(self) -> None:
        with suppress(OSError):
            self._sent.end()
        self._stack.close()

    def _failure(self, error: Exception) -> BatonError:
        stream = getattr(self, "_stream", None)
        found: BatonError | None = stream.failure if stream is not None else None
        return found or BatonError(
            "The query failed",
            where=self._statement[:200],
            why=str(error).splitlines()[0] if str(error) else type(error).__name__,
            next_command="baton status   (says whether the worker runs; then ask again)",
        )


async def _unless_gone(request: Request, sent: Sent, begin: Callable[[], _Chunks]) -> _Chunks:
    """Begin to answer, and end the statement when the client goes meanwhile."""
    beginning = asyncio.ensure_future(run_in_threadpool(begin))
    while not beginning.done():
        await asyncio.wait([beginning], timeout=CHECK_SECONDS)
        if not beginning.done() and await request.is_disconnected():
            with suppress(OSError):
                sent.end()
            with suppress(BatonError):
                (await beginning).close()
            raise ClientDisconnect
    return beginning.result()


async def _closing(chunks: _Chunks) -> AsyncIterator[bytes]:
    try:
        async for chunk in iterate_in_threadpool(iter(chunks)):
            yield chunk
    finally:
        chunks.close()


def _json(rows: Rows) -> Iterator[bytes]:
    yield b"["
    for number, row in enumerate(sql_answer.each_dict(rows)):
        yield f"{',' if number else ''}\n{json.dumps(plain(row), allow_nan=False)}".encode()
    yield b"\n]\n"


def _csv(rows: Rows) -> Iterator[bytes]:
    return (line.encode() for line in sql_answer.spreadsheet_lines(rows))


def _arrow(rows: Rows) -> Iterator[bytes]:
    written = _Written()
    reader = rows.to_arrow_reader(ROWS_AT_A_TIME)
    with pa.ipc.new_stream(written, reader.schema) as stream:
        for batch in reader:
            stream.write_batch(batch)
            yield written.take()
    yield written.take()


def _parquet(rows: Rows) -> Iterator[bytes]:
    with tempfile.TemporaryDirectory(prefix="baton-parquet-") as folder:
        file = Path(folder) / "answer.parquet"
        rows.write_parquet(str(file))
        with file.open("rb") as content:
            yield from iter(lambda: content.read(CHUNK_BYTES), b"")


def _in_chunks(lines: Callable[[Rows], Iterator[bytes]]) -> Callable[[Rows], Iterator[bytes]]:
    """Some lines at a time: each chunk takes a turn of the event loop."""

    def chunks(rows: Rows) -> Iterator[bytes]:
        held, size = [], 0
        for line in lines(rows):
            held.append(line)
            size += len(line)
            if size >= CHUNK_BYTES // 8:
                yield b"".join(held)
                held, size = [], 0
        yield b"".join(held)

    return chunks


_WRITTEN: dict[str, Callable[[Rows], Iterator[bytes]]] = {
    "json": _in_chunks(_json),
    "csv": _in_chunks(_csv),
    "arrow": _arrow,
    "parquet": _parquet,
}


class _Written:
    """The Arrow stream's file: what was written since it was last taken."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, content: Any) -> int:
        self._parts.append(bytes(content))
        return len(content)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > 2 * LONGEST_STATEMENT:
            raise _usage("The statement is too long", f"{LONGEST_STATEMENT:,} bytes are the most")
    return body


def _statement(request: Request, body: bytes) -> str:
    try:
        text = body.decode()
        if not request.headers.get("content-type", "").startswith("application/json"):
            return text
        content = json.loads(text)
    except ValueError as error:
        raise _usage("The body cannot be read", str(error)) from error
    if not isinstance(content, dict) or not isinstance(content.get("statement"), str):
        raise _usage("The body names no statement", 'as JSON it is {"statement": "select ..."}')
    return str(content["statement"])


def _form(request: Request) -> str:
    """What ?format= or Accept asks for; JSON when they ask for nothing."""
    wanted = request.query_params.get("format", "").lower()
    accepted = request.headers.get("accept", "").lower()
    if wanted:
        if wanted not in FORMATS:
            raise _usage(f"There is no format {wanted[:40]}", f"the formats: {', '.join(FORMATS)}")
        return wanted
    return next((form for form, media in FORMATS.items() if media in accepted), "json")


def _has_token_in_url(request: Request) -> bool:
    url = f"{request.scope['path']}?{request.scope['query_string'].decode('latin-1')}"
    return bool(TOKEN.search(url)) or not _TOKEN_NAMES.isdisjoint(
        name.lower() for name in request.query_params
    )


def _problem(status: int, error: BatonError, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(error.as_dict(), status, headers={**_HEADERS, **(headers or {})})


def _usage(what: str, why: str) -> BatonError:
    return BatonError(
        what,
        why=why,
        next_command=f"{LIST_VIEWS}   (then POST /sql with one SELECT, such as: from funnel.black_hole)",
        exit_code=ExitCode.USAGE,
    )


def _token_in_url() -> BatonError:
    return BatonError(
        "A token has no place in a URL",
        why="whatever carries or logs the request keeps it",
        next_command="baton access rotate NAME   (and send it in the header Authorization: Bearer)",
        exit_code=ExitCode.USAGE,
    )


def _not_let_in() -> BatonError:
    return BatonError(
        "This needs a token that means something",
        why="there is none in the header Authorization: Bearer, or it is unknown, revoked or expired",
        next_command="baton access grant NAME --role marketing   (whoever runs Baton does)",
        exit_code=ExitCode.USAGE,
    )
