"""The packs of the weekly meeting: a list of weeks, and of each the one that `baton report weekly` writes."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import date, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from schemas.errors import BatonError, ExitCode
from streams.queries.audiences import audience
from streams.report.moments import read_week, views_read
from streams.report.pack import make_pack
from streams.report.writing import as_html
from streams.web.address import Address
from streams.web.background import Background
from streams.web.page import Page

MOST_PACKS = 16
SECONDS = 10.0
_WEEKS = """
select n, zone, (begins - to_days(7 * n))::date as day, (begins - to_days(7 * n)) at time zone zone as as_of
from (
    select zone,
        window_of(as_of at time zone zone, 'week', week_begins, fiscal_year_begins)::timestamp as begins
    from warehouse.as_of cross join playbook.version
) cross join range(12) as weeks(n)
order by n
"""
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


class Packs:
    """Packs by week and audience: computed in the background, from recorded events alone, and then kept.

    What a dispute says is in none of them: a page does not know who reads it.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._made: Background[str] = Background(self._make, MOST_PACKS, lambda pack: None)

    def weeks(self, page: Page, request: Request, address: Address) -> Response:
        """The last weeks, newest first."""
        return page.render("packs.html", address, weeks=self._weeks(), here="/packs")

    def pack(self, page: Page, request: Request, address: Address) -> Response:
        """The pack of the week that begins on the day of the path, in the words of the address's audience."""
        day = date.fromisoformat(request.path_params["day"])
        if day not in {week["day"] for week in self._weeks()}:
            raise BatonError(
                "There is no pack of this day on the page",
                where=day.isoformat(),
                why="it has the packs of the last twelve weeks, each by its first day",
                next_command=f"baton report weekly --as-of {day}",
                exit_code=ExitCode.USAGE,
            )
        text = self._made.of(f"{day}|{address.audience}", f"the pack of the week of {day}")
        return HTMLResponse(text, headers={"Content-Security-Policy": _policy(text)})

    def _weeks(self) -> list[dict[str, Any]]:
        [weeks] = self._page.source.ask([_WEEKS], SECONDS)
        return weeks

    def _make(self, key: str) -> str:
        day, _, reader = key.partition("|")
        as_of: datetime = next(week["as_of"] for week in self._weeks() if week["day"].isoformat() == day)
        with self._page.source.recorded(views_read()) as records:
            return as_html(
                make_pack(read_week(records, self._page.source.authority(), as_of), audience(reader))
            )


def _policy(text: str) -> str:
    """No script and nothing from elsewhere; of styles the pack's own."""
    found = _STYLE.search(text)
    style = hashlib.sha256(found[1].encode()).digest() if found else b""
    return (
        f"default-src 'none'; style-src 'sha256-{base64.b64encode(style).decode()}'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
    )
