"""Serving the page on loopback from a thread of this process, with a clean end."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette

from schemas.errors import BatonError, ExitCode

DEFAULT_PORT = 8321
START_SECONDS = 30.0
STOP_SECONDS = 5


@dataclass(frozen=True)
class Address:
    """Where the page is served, until stop() is called."""

    url: str
    port: int
    app: Starlette
    server: uvicorn.Server
    thread: threading.Thread

    def stop(self) -> None:
        """End it: open streams are closed, requests that are being answered have a few seconds."""
        self.app.state.page.is_ending.set()
        self.server.should_exit = True
        self.thread.join(STOP_SECONDS + 2)


def serve_page(app: Starlette, port: int = DEFAULT_PORT, *, or_any: bool = False) -> Address:
    """Serve on loopback from a thread; it is served when this returns. port 0: any that is free.

    or_any: when the port is taken, any that is free. Otherwise BatonError.
    """
    try:
        listener = _listen(port)
    except OSError as error:
        if not or_any:
            raise _not_served(port, error.strerror or str(error)) from error
        listener = _listen(0)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        limit_concurrency=200,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="baton-page-server", daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise BatonError(
                "The page cannot be served",
                where=f"127.0.0.1:{port}",
                why="its server did not start",
                next_command="baton up   (tries again)",
            )
        time.sleep(0.01)
    bound = int(listener.getsockname()[1])
    return Address(f"http://127.0.0.1:{bound}", bound, app, server, thread)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen()  # two may bind one address; only one may listen there
    except OSError:
        listener.close()
        raise
    return listener


def _not_served(port: int, why: str) -> BatonError:
    return BatonError(
        "The page cannot be served",
        where=f"127.0.0.1:{port}",
        why=why,
        next_command="baton page --port 0   (takes any port that is free)",
        exit_code=ExitCode.CONFIGURATION,
    )
