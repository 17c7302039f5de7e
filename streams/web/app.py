"""The page as an application: its addresses, its templates, and what it shows when something is not there."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from projections.changes.sentences import team_name
from projections.dimensions import DIMENSIONS
from schemas.errors import BatonError, ExitCode
from streams.queries.panel import NUMBERS
from streams.web import agreement, assets, live, shown, tables, trace
from streams.web.address import WINDOWS, Address, read_address
from streams.web.answers import Answer
from streams.web.audiences import AUDIENCES, audience
from streams.web.guard import HOSTS, Guard
from streams.web.known import KnownDays, StillComputing
from streams.web.screens import screens
from streams.web.source import Source

_TEMPLATES = Path(__file__).parent / "templates"
MOST_VALUES = 200
MONTHS_TO_CHOOSE = 6


class Page:
    """What the handlers share: the source now and as known on days, and the templates."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.days = KnownDays(source)
        self.is_ending = threading.Event()
        self.templates = _environment()

    def answer(self, address: Address) -> Answer:
        """All panels for an address. Raises BatonError, and StillComputing for a day that is not there
        yet."""
        return self.days.answers(address.known).of(address.look)

    def source_of(self, address: Address) -> Source:
        """The numbers now, or as known on the day of the address. Raises as answer() does."""
        return self.days.answers(address.known).source

    def render(self, template: str, address: Address, status: int = 200, **values: Any) -> HTMLResponse:
        """A page of a template."""
        text = self.templates.get_template(template).render(
            address=address, audience=audience(address.audience), notice=self.source.notice(), **values
        )
        return HTMLResponse(text, status)

    def problem(self, address: Address, error: BatonError) -> HTMLResponse:
        """The page that says what is wrong and what to do."""
        status = {ExitCode.UNREACHABLE: 503, ExitCode.CONFIGURATION: 503, ExitCode.USAGE: 400}
        return self.render("problem.html", address, status.get(error.exit_code, 500), error=error)

    def values_of(self, address: Address) -> list[str]:
        """The values of the dimension that is sliced by."""
        if address.look.dimension == "all":
            return []
        statement = (
            f"select distinct {address.look.dimension} as value from funnel.lead_dimension"
            f" order by value limit {MOST_VALUES}"
        )
        [rows] = self.source_of(address).ask([statement], 10)
        return [row["value"] for row in rows]


Handler = Callable[[Page, Request, Address], Response]


def make_page(source: Source, hosts: tuple[str, ...] = HOSTS) -> Starlette:
    """The page over a source. hosts: the names it answers to; any other Host is refused."""
    page = Page(source)

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
            Route("/what-if", agreement.what_if_endpoint(page), methods=["GET", "POST"]),
            Route("/static/{name:path}", assets.asset),
        ],
        middleware=[Middleware(Guard, hosts=hosts), Middleware(GZipMiddleware, minimum_size=500)],
        lifespan=lifespan,
    )
    app.state.page = page
    return app


def overview(page: Page, request: Request, address: Address) -> Response:
    """Everything on one screen."""
    return _overview(page, address, "overview.html")


def panels(page: Page, request: Request, address: Address) -> Response:
    """The panels alone, for a page that is open while numbers move."""
    return _overview(page, address, "panels.html")


def _overview(page: Page, address: Address, template: str) -> Response:
    answer = page.answer(address)
    by_id = {screen.panel.id: screen for screen in screens(answer, address)}
    return page.render(
        template,
        address,
        answer=answer,
        screens=by_id,
        choices=_months(answer.as_of),
        values=page.values_of(address) if template == "overview.html" else [],
    )


def _months(as_of: datetime) -> list[tuple[str, date]]:
    """The last months, to choose as a window."""
    first = as_of.date().replace(day=1)
    months = [first]
    while len(months) < MONTHS_TO_CHOOSE:
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    return [("month", month) for month in months]


def _handled(page: Page, handler: Handler) -> Callable[[Request], Response]:
    def handle(request: Request) -> Response:
        address = Address()
        try:
            address = read_address(request.query_params)
            return handler(page, request, address)
        except StillComputing as computing:
            return page.render("computing.html", address, 202, computing=computing)
        except BatonError as error:
            return page.problem(address, error)
        except (ValueError, KeyError) as error:
            return page.problem(address, not_understood(str(request.url.path), str(error)))

    return handle


def not_understood(where: str, why: str) -> BatonError:
    """The error for an address that says nothing."""
    return BatonError(
        "There is nothing at this address",
        where=where,
        why=why.strip("'\""),
        next_command="baton explain --list",
        exit_code=ExitCode.USAGE,
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "name": shown.name,
        "team": team_name,
        "sentence": shown.sentence,
        "event_name": shown.event_name,
    }
    environment.globals |= {
        "asset": assets.address,
        "audiences": AUDIENCES,
        "dimensions": DIMENSIONS,
        "windows": WINDOWS,
        "numbers": NUMBERS,
        "shown": shown.shown,
        "short_money": shown.short_money,
    }
    return environment
