"""The playbook as a page, and what-if: other thresholds and deadlines tried on what has happened."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from projections.agreement import Agreement, InForce, Proposed
from projections.changes import changes
from projections.changes.sentences import EVERYBODY, span, team_name
from projections.playbook import Playbook
from projections.signing_keys import SIDES
from schemas.errors import BatonError, ExitCode
from streams.queries.proposal import knobs, proposal
from streams.queries.shown import Shown
from streams.queries.signing import proposal_state
from streams.queries.values import NULL
from streams.queries.whatif import VIEWS, WORDS, Measure, WhatIf, compare, sentences
from streams.web.address import Address, read_address
from streams.web.page import Page
from streams.web.source import Source, agreement_of
from warehouse.examples import check_examples

MOST_BYTES = 64 * 1024
MOST_KEPT = 8
MOST_FIELDS = 500


@dataclass(frozen=True)
class Offer:
    """A proposal, what it changes by team, and who has signed."""

    proposed: Proposed
    state: str
    changes: list[tuple[str, list[str]]]
    signed: list[tuple[str, datetime | None]]


@dataclass(frozen=True)
class Line:
    """A measure under both playbooks, as text. trend: up, down or same."""

    label: str
    was: Shown
    becomes: Shown
    change: str
    trend: str
    cases: str


def playbook(page: Page, request: Request, address: Address) -> Response:
    """What both sides signed, since when, what is proposed, and who has signed."""
    source = page.source_of(address)
    found = agreement_of(source)
    now = source.position().as_of
    governing = found.at(now)
    waiting = [p for p in found.proposed if p.playbook and p.complete_at is None]
    return page.render(
        "playbook.html",
        address,
        governing=governing,
        promises=_promises(governing.playbook),
        knobs=knobs(governing.playbook),
        signatures=_signatures(found, governing.playbook.version),
        offers=[_offer(found, proposed, governing) for proposed in reversed(waiting)],
        history=list(reversed(found.periods)),
        now=now,
    )


def _promises(found: Playbook) -> list[tuple[str, str, str, str]]:
    """Who owes what to whom within which time."""
    rows = []
    for sla in found.slas:
        is_sender = sla.owed_by == "sender"
        by, other = (sla.from_team, sla.to_team) if is_sender else (sla.to_team, sla.from_team)
        rows.append((by, sla.id, other, f"{span(sla.within, sla.clock)}, {sla.clock} time"))
    return rows


def _signatures(found: Agreement, version: str) -> list[tuple[str, datetime | None]]:
    """Each side, and when its first valid signature under a version was made."""
    made = {
        side: [
            signed.signature.signed_at
            for signed in found.signed
            if not signed.fault
            and signed.signature.team == side
            and signed.signature.playbook_version == version
        ]
        for side in SIDES
    }
    return [(side, min(times, default=None)) for side, times in made.items()]


def _offer(found: Agreement, proposed: Proposed, governing: InForce) -> Offer:
    assert proposed.playbook is not None
    return Offer(
        proposed,
        proposal_state(found, proposed),
        by_team(governing.playbook, proposed.playbook),
        _signatures(found, proposed.playbook.version),
    )


def by_team(old: Playbook, new: Playbook) -> list[tuple[str, list[str]]]:
    """What changes, in sentences, by the team it concerns."""
    return [
        ("Everybody" if team == EVERYBODY else team_name(team), [change.says for change in found])
        for team, found in groupby(changes(old, new), key=lambda change: change.team)
    ]


class Comparisons:
    """What-ifs that were computed, by proposal and position. One is computed at a time."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str, str], WhatIf] = OrderedDict()
        self._turn = threading.Lock()

    def of(self, source: Source, in_force: Playbook, proposed: Playbook) -> WhatIf:
        """The comparison. Raises BatonError when another one is being computed for longer than a minute."""
        position = source.position()
        key = (in_force.version, proposed.version, position.token)
        if not self._turn.acquire(timeout=60):
            raise BatonError(
                "Another what-if is being computed",
                where="the page",
                why="one is computed at a time",
                next_command="baton whatif --playbook new.toml   (or try again in a minute)",
            )
        try:
            if key not in self._kept:
                with source.recorded(VIEWS) as records:
                    self._kept[key] = compare(records, in_force, proposed, position.as_of)
                while len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
            return self._kept[key]
        finally:
            self._turn.release()


def what_if_endpoint(page: Page) -> Callable[[Request], Awaitable[Response]]:
    """The form, the comparison it asks for, and the proposal as a file."""
    comparisons = Comparisons()

    async def endpoint(request: Request) -> Response:
        form: dict[str, str] = {}
        if request.method == "POST":
            if int(request.headers.get("content-length") or MOST_BYTES + 1) > MOST_BYTES:
                return PlainTextResponse("This form is too long.\n", 413)
            sent = (await request.body()).decode("utf-8", "replace")
            try:
                form = dict(parse_qsl(sent, keep_blank_values=True, max_num_fields=MOST_FIELDS))
            except ValueError:
                return PlainTextResponse("This form has too many fields.\n", 413)
        return await run_in_threadpool(_what_if, page, comparisons, request, form)

    return endpoint


def _what_if(page: Page, comparisons: Comparisons, request: Request, form: Mapping[str, str]) -> Response:
    address = Address()
    try:
        address = read_address(request.query_params)
        source = page.source
        in_force = agreement_of(source).at(source.position().as_of).playbook
    except BatonError as error:
        return page.problem(address, error)
    except ValueError as error:
        return PlainTextResponse(f"{error}\n", 400)
    shown: dict[str, Any] = {
        "found": None,
        "changes": [],
        "lines": [],
        "says": [],
        "problem": None,
        "note": None,
    }
    status = 200
    if form:
        try:
            proposed = proposal(in_force, form)
            if form.get("do") == "download":
                headers = {"Content-Disposition": 'attachment; filename="new.toml"'}
                return PlainTextResponse(proposed.text, media_type="application/toml", headers=headers)
            shown |= _compared(comparisons, source, in_force, proposed)
        except BatonError as error:
            shown["problem"] = error
            status = 400 if error.exit_code == ExitCode.USAGE else 200
    return page.render(
        "what_if.html", address, status, knobs=knobs(in_force), values=form, in_force=in_force, **shown
    )


def _compared(
    comparisons: Comparisons, source: Source, in_force: Playbook, proposed: Playbook
) -> dict[str, Any]:
    if proposed.version == in_force.version:
        return {"says": ["Nothing changes: these are the values in force."]}
    note = None
    try:
        check_examples(proposed, "proposal.toml")
    except BatonError as error:
        note = error
    found = comparisons.of(source, in_force, proposed)
    return {
        "found": found,
        "changes": by_team(in_force, proposed),
        "lines": [_line(m, found.currency) for m in found.measures if m.measure != "owed" or m.change],
        "says": sentences(found),
        "note": note,
    }


def _line(measure: Measure, currency: str) -> Line:
    label = WORDS[measure.measure]
    if measure.whom != "all":
        label += f", {team_name(measure.whom)}"
    was, becomes = (_value(v, measure.unit, currency) for v in (measure.in_force, measure.proposed))
    change = _value(measure.change, measure.unit, currency).text if measure.change is not None else NULL
    if measure.unit == "share":
        change = change.replace(" %", " points")
    if measure.change is not None and measure.change > 0:
        change = f"+{change}"
    trend = "same"
    if measure.change:
        trend = "up" if measure.change > 0 else "down"
    cases = f"{measure.n_in_force:,}"
    if measure.n_proposed != measure.n_in_force:
        cases += f" → {measure.n_proposed:,}"
    return Line(label, was, becomes, change, trend, cases)


def _value(value: Decimal | None, unit: str, currency: str) -> Shown:
    if value is None:
        return Shown(NULL, kind="none")
    match unit:
        case "share":
            return Shown(f"{100 * value:.1f} %", f"{100 * value:f} %", "number")
        case "money":
            return Shown(f"{value:,.0f} {currency}", f"{value:,.2f} {currency}", "number")
        case "per_week":
            return Shown(f"{value:,.1f}", f"{value:f}", "number")
    return Shown(f"{value:,.0f}", f"{value:f}", "number")
