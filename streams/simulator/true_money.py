"""What is true of the money of a simulation: wins, what brought them, what campaigns and customers cost.

Plain Python over the emitted facts and the playbook's text, counted once the whole story is known. It shares
no code with the views it is held against.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from streams.simulator.clock import iso
from streams.simulator.facts import Fact
from streams.simulator.rules import UNITS, Rules
from streams.simulator.simulation import Chapter
from streams.simulator.tellers import Row
from streams.simulator.true_credit import MODELS, shares
from streams.simulator.true_qualification import QualificationTruths
from streams.simulator.true_spending import campaign_rows, quarter_rows
from streams.simulator.true_wins import Ledger, Win, written

WITHOUT_TOUCH = "unattributed"


class Touch(NamedTuple):
    """A touch of an account. They sort by when, then event id."""

    at: int
    event_id: str
    type: str
    team: str
    channel: str
    campaign_id: str | None


class Share(NamedTuple):
    """What one session earned of one win by one model: millionths of it, and cents."""

    win: Win
    model: str
    session: list[Touch]
    position: int
    millionths: int
    cents: int | None


class MoneyTruths:
    """Tells what was won, what brought it and what it cost, once the story is over."""

    def __init__(self, rules: Rules, as_of: int, qualification: QualificationTruths) -> None:
        """`qualification` has told everything before this one tells anything."""
        self._qualification = qualification
        self._as_of = as_of
        self._text = rules.text
        self._ledger = Ledger(rules)
        self._minimum = rules.text.get("cascade", {}).get("minimum_n", 30)
        count, _, unit = rules.text.get("attribution", {}).get("session", "30 minutes").partition(" ")
        self._gap = int(count) * UNITS[unit]

    def add(self, chapter: Chapter) -> Iterable[tuple[str, Row]]:
        """Keep what is about money; nothing is certain before the last chapter."""
        self._ledger.add(chapter)
        return ()

    def finish(self) -> Iterator[tuple[str, Row]]:
        """All rows."""
        ledger = self._ledger
        ledger.close()
        credited = list(self._credit())
        linear: dict[str, list[tuple[Win, int | None]]] = defaultdict(list)
        for share in credited:
            campaign_id = share.session[0].campaign_id if share.session else None
            if share.model == "linear" and campaign_id is not None:
                linear[campaign_id].append((share.win, share.cents))
        yield from (("win", ledger.win_row(win)) for win in ledger.wins)
        yield from (("attribution", self._share_row(share)) for share in credited)
        yield from (("attribution_team", row) for row in self._team_rows(credited))
        qualified = self._qualification.qualified_at()
        campaigns = campaign_rows(ledger, self._text, linear, qualified)
        yield from (("campaign_outcome", row) for row in campaigns)
        yield from (("unit_economics", row) for row in quarter_rows(ledger, self._text, self._as_of))

    def _touches(self) -> dict[str, list[Touch]]:
        """The touches of every account, in order."""
        found: dict[str, list[Touch]] = defaultdict(list)
        deals = {id_: opening.fields["account_id"] for id_, opening in self._ledger.openings.items()}
        handoffs: dict[str, Fact] = {}
        for fact in self._ledger.facts["HandoffOffered"]:
            handoffs.setdefault(fact.fields["handoff_id"], fact)
        offers: dict[str, list[Fact]] = defaultdict(list)
        for offer in sorted(handoffs.values(), key=lambda f: (f.occurred_at, f.fields["handoff_id"])):
            offers[offer.fields["lead_id"]].append(offer)
        for fact in (
            f for type_ in ("TouchRecorded", "BuyerReached", "CallHeld") for f in self._ledger.facts[type_]
        ):
            said = fact.fields
            if said.get("is_automated"):
                continue
            account_id = (
                said.get("account_id")
                or self._ledger.account_of_lead.get(said["lead_id"] or "")
                or deals.get(said.get("opportunity_id") or "")
            )
            if account_id is None:
                continue
            team, channel = said.get("team", "sales"), said.get("channel", "call")
            if fact.type == "BuyerReached":
                team = _team_of(fact, offers[said["lead_id"]], handoffs)
            found[account_id].append(
                Touch(fact.occurred_at, fact.event_id, fact.type, team, channel, said.get("campaign_id"))
            )
        return found

    def _credit(self) -> Iterator[Share]:
        """Every win shared out among the sessions before it, by every model."""
        touches = self._touches()
        captured: dict[str, int] = {}
        for fact in self._ledger.facts["LeadCaptured"]:
            account_id = fact.fields["account_id"] or self._ledger.account_of_lead.get(fact.fields["lead_id"])
            if account_id is not None:
                captured.setdefault(account_id, fact.occurred_at)
        for win in self._ledger.wins:
            before = sorted(touch for touch in touches.get(win.account_id, ()) if touch.at <= win.won_at)
            sessions = list(self._sessions(before))
            starts = [session[0].at for session in sessions]
            lead = sum(at <= captured.get(win.account_id, 0) for at in starts)
            deal = sum(at <= (win.opened_at or 0) for at in starts)
            for model in MODELS:
                if not sessions:
                    yield Share(win, model, [], 0, 1_000_000, win.booked)
                    continue
                millionths = shares(model, len(sessions), max(lead, 1), max(deal, 1))
                left = win.booked
                for place, (session, part) in enumerate(zip(sessions, millionths, strict=True), start=1):
                    cents = left
                    if win.booked is not None and left is not None and place < len(sessions):
                        cents = win.booked * part // 1_000_000
                        left -= cents
                    yield Share(win, model, session, place, part, cents)

    def _sessions(self, touches: list[Touch]) -> Iterator[list[Touch]]:
        session: list[Touch] = []
        for touch in touches:
            if session and touch.at - session[-1].at >= self._gap:
                yield session
                session = []
            session.append(touch)
        if session:
            yield session

    def _share_row(self, share: Share) -> Row:
        win, first = share.win, share.session[0] if share.session else None
        return {
            "opportunity_id": win.opportunity_id,
            "account_id": win.account_id,
            "model": share.model,
            "session_id": first.event_id if first else WITHOUT_TOUCH,
            "position": share.position if first else None,
            "touched_at": iso(first.at) if first else None,
            "event_type": first.type if first else None,
            "team": first.team if first else None,
            "channel": first.channel if first else None,
            "campaign_id": first.campaign_id if first else None,
            "touches": len(share.session),
            "credit": f"{Decimal(share.millionths).scaleb(-6):.6f}",
            "amount": written(share.cents),
            "booked": written(win.booked),
            "currency": self._ledger.currency,
            "won_at": iso(win.won_at),
            "is_attributed": first is not None,
        }

    def _team_rows(self, credited: list[Share]) -> Iterator[Row]:
        by_team: dict[tuple[str, str, str], list[Share]] = defaultdict(list)
        for share in credited:
            team = share.session[0].team if share.session else WITHOUT_TOUCH
            by_team[share.model, share.win.period, team].append(share)
        n = Counter(win.period for win in self._ledger.wins)
        booked: Counter[str] = Counter()
        for win in self._ledger.wins:
            booked[win.period] += win.booked or 0
        for (model, period, team), parts in by_team.items():
            earning = {s.win.opportunity_id: s.win.booked for s in parts if s.millionths}
            amount = sum(s.cents or 0 for s in parts)
            yield {
                "model": model,
                "period": period,
                "team": team,
                "conversions": len(earning),
                "credit": f"{Decimal(sum(s.millionths for s in parts)).scaleb(-6):.6f}",
                "amount": written(amount),
                "booked": written(booked[period]),
                "share": amount / booked[period] if booked[period] else None,
                "unpriced": sum(cents is None for cents in earning.values()),
                "n": n[period],
                "is_enough": n[period] >= self._minimum,
            }


def _team_of(reached: Fact, offers: list[Fact], all_offers: dict[str, Fact]) -> str:
    """The team the handoff was offered to: the one it names, else the lead's latest by then, else sales."""
    named = all_offers.get(reached.fields["handoff_id"] or "")
    if named is None:
        earlier = [offer for offer in offers if offer.occurred_at <= reached.occurred_at]
        named = earlier[-1] if earlier else None
    return named.fields["to_team"] if named else "sales"
