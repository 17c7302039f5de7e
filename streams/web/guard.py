"""What every request and answer is held to: this machine's names only, reading only, and nothing from
elsewhere."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Scripts and styles are files of ours: what an event brought cannot run, wherever it is shown.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HOSTS = ("127.0.0.1", "localhost", "[::1]")
WHAT_IF = "/what-if"


class Guard:
    """Refuses requests for another host (a name that was pointed at this machine), from another site, and all
    methods that change something but a what-if, which changes nothing either. beside: paths of routes that
    are not the page's, up to their first parameter; they look after themselves."""

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...] = HOSTS, beside: tuple[str, ...] = ()) -> None:
        self.app, self.hosts = app, hosts
        self._beside = {path.partition("/{")[0] for path in beside}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through, or answer with the reason."""
        if scope["type"] != "http" or "/" + scope["path"].lstrip("/").partition("/")[0] in self._beside:
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if "cache-control" not in headers:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        refusal = self._refusal(scope, Headers(scope=scope))
        if refusal:
            status, why = refusal
            await PlainTextResponse(f"{why}\n", status)(scope, receive, send_with_headers)
            return
        await self.app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if _name(host) not in self.hosts:
            return 421, "This page answers to 127.0.0.1 and localhost only."
        is_of_another_site = headers.get("sec-fetch-site") == "cross-site"
        if is_of_another_site and headers.get("sec-fetch-mode") != "navigate":
            return 403, "This page is asked by its own pages only."
        if scope["method"] in ("GET", "HEAD"):
            return None
        if scope["method"] != "POST" or scope["path"] != WHAT_IF:
            return 405, "This page is read only."
        origin = headers.get("origin")
        is_ours = origin == f"http://{host}" and headers.get("sec-fetch-site", "same-origin") == "same-origin"
        return None if is_ours else (403, "A what-if is asked from the page itself.")


def _name(host: str) -> str:
    if host.startswith("["):
        return host[: host.find("]") + 1]
    return host.partition(":")[0].lower()
