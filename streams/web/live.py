"""Server-sent events: that numbers have moved, and whether the source still answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from streams.web.address import Address, read_address
from streams.web.page import Page

LOOK_SECONDS = 0.5
ALIVE_SECONDS = 15.0
MOST_LISTENERS = 100


def endpoint(page: Page) -> Callable[[Request], Awaitable[Response]]:
    """The stream of one reader: an event when the numbers of the look have moved, another when the source is
    away."""
    listeners: set[int] = set()

    async def stream(address: Address, number: int) -> AsyncIterator[str]:
        listeners.add(number)
        said, silent = "", 0.0
        try:
            yield "retry: 2000\n\n"
            while not page.is_ending.is_set():
                state = _state(page, address)
                if state != said:
                    said, silent = state, 0.0
                    yield f"event: state\ndata: {state}\n\n"
                elif silent >= ALIVE_SECONDS:
                    silent = 0.0
                    yield ": alive\n\n"
                await asyncio.sleep(LOOK_SECONDS)
                silent += LOOK_SECONDS
        finally:
            listeners.discard(number)

    async def live(request: Request) -> Response:
        try:
            address = read_address(request.query_params)
        except ValueError as error:
            return PlainTextResponse(f"{error}\n", 400)
        if address.known or len(listeners) >= MOST_LISTENERS:
            return Response(status_code=204)  # a browser then asks no more
        return StreamingResponse(stream(address, id(request)), media_type="text/event-stream")

    return live


def _state(page: Page, address: Address) -> str:
    answers = page.days.answers("")
    answer = answers.latest(address.look)
    failure = answers.failure
    return json.dumps(
        {
            "stamp": answer.stamp if answer else "",
            "stamps": answer.stamps if answer else {},
            "as_of": answer.as_of.isoformat() if answer else "",
            "problem": failure.what if failure else "",
            "next": failure.next_command if failure else "",
            "notice": page.source.notice(),
        }
    )
