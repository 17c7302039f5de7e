"""The page as an application: its addresses, and what it shows when something is not there."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schemas.errors import BatonError
from streams.web import agreement, assets, live, tables, trace
from streams.web.address import Address, read_address
from streams.web.background import StillComputing
from streams.web.guard import HOSTS, Guard
from streams.web.kept_pages import unless_known
from streams.web.packs import Packs
from streams.web.page import Page, not_understood
from streams.web.screens import screens
from streams.web.source import Source

Handler = Callable[[Page, Request, Address], Response]


def make_page(
    source: Source,
    hosts: tuple[str, ...] = HOSTS,
    api: Sequence[Route] = (),
    operators: Sequence[Route] = (),
) -> Starlette:
    """The page over a source. hosts: the names it answers to; any other Host is refused. api: routes beside
    the page (api.py), which ask for a token instead. operators: others, guarded as the page is."""
    page = Page(source)
    packs = Packs(page)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        answers = page.days.answers("")
        watch = threading.Thread(
            target=answers.watch, args=(page.is_ending.wait,), name="baton-page-watch", daemon=True
        )
        watch.start()
        yield
        page.is_ending.set()
        watch.join(5)
        page.days.close()

    def route(path: str, handler: Handler, methods: tuple[str, ...] = ("GET",)) -> Route:
        return Route(path, _handled(page, handler), methods=list(methods))

    app = Starlette(
        routes=[
            route("/", overview),
            route("/panels", panels),
            Route("/live", live.endpoint(page)),
            route("/rows/{view}.csv", tables.csv),
            route("/rows/{view}.parquet", tables.parquet),
            route("/rows/{view}", tables.rows),
            route("/number/{panel}/{figure}", trace.number),
            route("/life/{kind}/{id:path}", trace.life),
            route("/playbook", agreement.playbook),
            route("/packs", packs.weeks),
            route("/packs/{day}", packs.pack),
            Route("/what-if", agreement.what_if_endpoint(page), methods=["GET", "POST"]),
            Route("/static/{name:path}", assets.asset),
            *operators,
            *api,
        ],
        middleware=[
            Middleware(Guard, hosts=hosts, beside=tuple(route.path for route in api)),
            Middleware(GZipMiddleware, minimum_size=500, compresslevel=5),
        ],
        lifespan=lifespan,
    )
    app.state.page = page
    return app


def overview(page: Page, request: Request, address: Address) -> Response:
    """Everything on one screen."""
    return _overview(page, request, address, "overview.html")


def panels(page: Page, request: Request, address: Address) -> Response:
    """The panels alone, for a page that is open while numbers move."""
    return _overview(page, request, address, "panels.html")


def _overview(page: Page, request: Request, address: Address, template: str) -> Response:
    answer = page.answer(address)
    token = f"answered {answer.asked_at}"
    kept = page.kept.find(request, token)
    if kept is None:
        kept = page.render(
            template,
            address,
            answer=answer,
            screens={screen.panel.id: screen for screen in screens(answer, address)},
            values=answer.values,
        )
        page.kept.keep(request, token, kept)
    return kept


def _handled(page: Page, handler: Handler) -> Callable[[Request], Response]:
    def handle(request: Request) -> Response:
        address = Address()
        try:
            address = read_address(request.query_params)
            if handler in (overview, panels):  # kept with their answer
                return unless_known(request, handler(page, request, address))
            token = page.days.now.token
            response = page.kept.find(request, token)
            if response is None:
                response = handler(page, request, address)
                page.kept.keep(request, token, response)
            return unless_known(request, response)
        except StillComputing as computing:
            return page.render("computing.html", address, 202, computing=computing)
        except BatonError as error:
            return page.problem(address, error)
        except (ValueError, KeyError) as error:
            return page.problem(address, not_understood(str(request.url.path), str(error)))

    return handle
