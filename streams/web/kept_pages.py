"""Pages rendered a moment ago: an address gives the same page as long as no number has moved."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

# Clocks run although nothing arrives.
MOST_SECONDS = 10.0
MOST_PAGES = 128
LONGEST_PAGE = 1 << 20


@dataclass(frozen=True)
class _Kept:
    token: str
    at: float
    content: bytes


class KeptPages:
    """By address, for the position (its token) they were rendered at. Without a position nothing is kept."""

    def __init__(self) -> None:
        self._pages: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, request: Request, token: str) -> Response | None:
        """The page of this address at this position, if it is there."""
        with self._lock:
            kept = self._pages.get(_address(request))
        if kept is None or not token or kept.token != token or time.monotonic() - kept.at > MOST_SECONDS:
            return None
        return HTMLResponse(kept.content)

    def keep(self, request: Request, token: str, response: Response) -> None:
        """Keep a page that was rendered at this position."""
        is_page = isinstance(response, HTMLResponse) and response.status_code == 200
        is_page = is_page and "content-security-policy" not in response.headers  # only the text is kept
        if not token or not is_page or len(response.body) > LONGEST_PAGE:
            return
        with self._lock:
            self._pages[_address(request)] = _Kept(token, time.monotonic(), bytes(response.body))
            self._pages.move_to_end(_address(request))
            while len(self._pages) > MOST_PAGES:
                self._pages.popitem(last=False)


def unless_known(request: Request, response: Response) -> Response:
    """The page with its tag; where the browser has the very same one already, only that it has."""
    if not isinstance(response, HTMLResponse) or response.status_code != 200:
        return response
    tag = f'"{hashlib.blake2s(response.body, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response


def _address(request: Request) -> str:
    return f"{request.url.path}?{request.url.query}"
