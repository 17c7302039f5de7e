"""What the handlers of the page share: the source now and as known on days, and the templates."""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from projections.changes.sentences import team_name
from projections.dimensions import DIMENSIONS
from projections.playbook import read_playbook
from schemas.errors import BatonError, ExitCode
from streams.queries import shown
from streams.queries.audiences import AUDIENCES, audience
from streams.queries.panel import NUMBERS
from streams.web import assets
from streams.web.address import WINDOWS, Address
from streams.web.answers import Answer
from streams.web.kept_pages import KeptPages
from streams.web.known import KnownDays
from streams.web.source import Source

MONTHS_TO_CHOOSE = 6
_TEMPLATES = Path(__file__).parent / "templates"


class Page:
    """What the handlers share: the source now and as known on days, and the templates."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.days = KnownDays(source)
        self.kept = KeptPages()
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


def not_understood(where: str, why: str) -> BatonError:
    """The error for an address that says nothing."""
    return BatonError(
        "There is nothing at this address",
        where=where,
        why=why.strip("'\""),
        next_command="baton explain --list",
        exit_code=ExitCode.USAGE,
    )


def months(as_of: datetime) -> list[tuple[str, date]]:
    """The last months, to choose as a window."""
    first = as_of.date().replace(day=1)
    months = [first]
    while len(months) < MONTHS_TO_CHOOSE:
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    return [("month", month) for month in months]


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
        "column": lambda column: column.replace("_", " "),
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
        "packaged_playbook": read_playbook().version,
        "months": months,
        "shown": shown.shown,
        "short_money": shown.short_money,
    }
    return environment
