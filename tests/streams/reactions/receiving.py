"""A receiver on this machine: a real HTTP server that notes what it gets and answers as it is asked to."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "whsec_" + "c2VjcmV0IG9mIHRoZSB0ZXN0cw=="


@dataclass(frozen=True)
class Got:
    """One request: when it came, its headers in lower case, and its body."""

    at: float
    headers: dict[str, str]
    body: Any
    raw: bytes


Answer = tuple[int, dict[str, str]]


@dataclass
class Receiving:
    """answer: what the next request is answered with; None means that the connection is closed instead."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    answer: Callable[[Got], Answer | None] = lambda got: (200, {})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def steps(self) -> list[tuple[str, str]]:
        """(alert, what happened) of each distinct webhook, in order of arrival."""
        seen: dict[str, tuple[str, str]] = {}
        for got in self.got:
            seen.setdefault(got.headers["webhook-id"], (got.body["data"]["alert_id"], got.body["type"]))
        return list(seen.values())


@contextmanager
def receiving(port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Receiving]:
    """A receiver that takes everything, until its `answer` says otherwise."""
    site = Receiving()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            got = Got(time.time(), headers, json.loads(raw or b"null"), raw)
            site.got.append(got)
            answer = site.answer(got)
            if answer is None:
                self.close_connection = True
                self.connection.close()
                return
            status, extra = answer
            self.send_response(status)
            for name, value in {"Content-Length": "0", **extra}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
