"""The view attribution: what each session before a win earned of it, by each model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import NamedTuple

from streams.simulator.clock import iso
from tests.oracle.attribution_models import MODELS, WHOLE, shares
from tests.oracle.deals import deals
from tests.oracle.handoff_events import handoffs, handoffs_by_lead, latest_offered
from tests.oracle.log import Fact, Log, Row
from tests.oracle.playbook import Playbook, decimal_text, microseconds
from tests.oracle.win import Win, wins

KEY = ("opportunity_id", "model", "session_id")
UNATTRIBUTED = "unattributed"


class Touch(NamedTuple):
    """A contact between an account and us. They sort by when, then event id."""

    at: int
    event_id: str
    type: str
    team: str
    channel: str
    campaign_id: str | None


class Credit(NamedTuple):
    """What one session earned of one win by one model. Without any session, the win has one empty session.

    amount is in the playbook's currency, None for a win without a rate.
    """

    win: Win
    model: str
    session: list[Touch]
    position: int
    millionths: int
    amount: Decimal | None


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per win, model and session; a win without a session has one row per model."""
    for credit in credits(log, playbook):
        win, first = credit.win, credit.session[0] if credit.session else None
        yield {
            "opportunity_id": win.opportunity_id,
            "account_id": win.account_id,
            "model": credit.model,
            "session_id": first.event_id if first else UNATTRIBUTED,
            "position": credit.position if first else None,
            "touched_at": iso(first.at) if first else None,
            "event_type": first.type if first else None,
            "team": first.team if first else None,
            "channel": first.channel if first else None,
            "campaign_id": first.campaign_id if first else None,
            "touches": len(credit.session),
            "credit": credit_text(credit.millionths),
            "amount": decimal_text(credit.amount),
            "booked": decimal_text(win.booked),
            "currency": playbook.currency,
            "won_at": iso(win.won_at),
            "is_attributed": first is not None,
            "is_credit": win.is_credit,
        }


@lru_cache(maxsize=4)
def credits(log: Log, playbook: Playbook) -> list[Credit]:
    """Every win divided among the sessions before it, by every model."""
    gap = microseconds(playbook.text.get("attribution", {}).get("session", "30 minutes"))
    paths = _Paths(log, playbook)
    found: list[Credit] = []
    for win in wins(log, playbook):
        sessions = _sessions(paths.touches(win), gap)
        starts = [session[0].at for session in sessions]
        lead = sum(at <= paths.captured_at(win) for at in starts)
        deal = sum(at <= (win.opened_at or 0) for at in starts)
        for model in MODELS:
            if sessions:
                millionths = shares(model, len(sessions), max(lead, 1), max(deal, 1))
                found += _divided(win, model, sessions, millionths)
            else:
                found.append(Credit(win, model, [], 0, WHOLE, win.booked))
    return found


def _divided(win: Win, model: str, sessions: list[list[Touch]], millionths: list[int]) -> Iterator[Credit]:
    """Whole cents, rounded towards zero; the last session takes what is left."""
    left = None if win.booked is None else int(win.booked * 100)
    booked = left or 0
    for position, (session, part) in enumerate(zip(sessions, millionths, strict=True), start=1):
        if left is None:
            yield Credit(win, model, session, position, part, None)
            continue
        cents = left if position == len(sessions) else _towards_zero(booked * part)
        left -= cents
        yield Credit(win, model, session, position, part, Decimal(cents).scaleb(-2))


def _sessions(touches: list[Touch], gap: int) -> list[list[Touch]]:
    """Touches with less than the gap between one and the next."""
    sessions: list[list[Touch]] = []
    for touch in touches:
        if sessions and touch.at - sessions[-1][-1].at < gap:
            sessions[-1].append(touch)
        else:
            sessions.append([touch])
    return sessions


def _towards_zero(millionths: int) -> int:
    return millionths // WHOLE if millionths >= 0 else -(-millionths // WHOLE)


class _Paths:
    """Who touched whom: every touch of a human, by the company, the lead and the deal it belongs to."""

    def __init__(self, log: Log, playbook: Playbook) -> None:
        self._log = log
        self._by: dict[tuple[str, str], set[Touch]] = defaultdict(set)
        known = deals(log)
        for fact in log.of("TouchRecorded", "BuyerReached", "CallHeld"):
            stated = fact.fields
            if stated["is_automated"]:
                continue
            deal = known.get(stated["opportunity_id"] or "")
            account_id = stated["account_id"] or log.account_of_lead.get(stated["lead_id"] or "")
            account_id = account_id or (deal.account_id if deal else None)
            touch = _touch(log, fact)
            for kind, subject in (
                ("company", account_id),
                ("lead", stated["lead_id"]),
                ("deal", stated["opportunity_id"]),
            ):
                if subject is not None:
                    self._by[kind, subject].add(touch)

    def touches(self, win: Win) -> list[Touch]:
        """Touches up to the win: of its customer, of each of its leads, and of the deal itself."""
        found = self._by["company", win.customer_id] | self._by["deal", win.opportunity_id]
        for lead_id in win.deal.leads:
            found = found | self._by["lead", lead_id]
        return sorted(touch for touch in found if touch.at <= win.won_at)

    def captured_at(self, win: Win) -> int:
        """When the first lead of the customer, or of the deal, was captured; 0 when nothing reports it."""
        leads = self._leads_of.get(win.customer_id, set()) | set(win.deal.leads)
        return min((self._captures[lead] for lead in leads if lead in self._captures), default=0)

    @cached_property
    def _captures(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for fact in self._log.of("LeadCaptured"):
            found.setdefault(fact.fields["lead_id"], fact.occurred_at)
        return found

    @cached_property
    def _leads_of(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for lead_id, account_id in self._log.account_of_lead.items():
            found[account_id].add(lead_id)
        return found


def _touch(log: Log, fact: Fact) -> Touch:
    team, channel = fact.fields["team"], fact.fields["channel"]
    if fact.type == "CallHeld":
        team, channel = "sales", "call"
    elif fact.type == "BuyerReached":
        team = _team_that_reached(log, fact)
    return Touch(fact.occurred_at, fact.event_id, fact.type, team, channel, fact.fields["campaign_id"])


def _team_that_reached(log: Log, reached: Fact) -> str:
    """The team the handoff was offered to: the one it names, else the lead's latest by then, else sales."""
    named = handoffs(log).get(reached.fields["handoff_id"] or "")
    handoff = named or latest_offered(handoffs_by_lead(log), reached)
    return handoff.to_team if handoff else "sales"


def credit_text(millionths: int) -> str:
    """A share of wins as a row states it."""
    return f"{Decimal(millionths).scaleb(-6):.6f}"
