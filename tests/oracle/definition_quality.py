"""The view definition_quality: how well the definition of a qualified lead predicted acceptance and wins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

from tests.oracle.deals import Deal, deals
from tests.oracle.handoff_events import handoffs_by_lead
from tests.oracle.log import Fact, Log, Row, chronological
from tests.oracle.playbook import Playbook, decimal_text
from tests.oracle.qualification import Verdict, verdicts

KEY = ("segment",)
COUNTS = (
    "qualified",
    "answered",
    "unanswered",
    "accepted",
    "returned",
    "won",
    "lost",
    "still_open",
    "won_before",
    "wins",
    "wins_qualified",
    "unpriced",
)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per segment with a qualified lead or a win, and one for all of them."""
    segments: dict[str, dict[str, Any]] = defaultdict(
        lambda: {**dict.fromkeys(COUNTS, 0), "missed": Decimal(0)}
    )
    for verdict in verdicts(log, playbook, as_of):
        for segment in (verdict.lead.segment, "all"):
            _count_lead(segments[segment], log, playbook, verdict)
    for segment, counts in segments.items():
        if counts["qualified"] or counts["wins"]:
            yield _row(playbook, segment, counts)


def _count_lead(counts: dict[str, Any], log: Log, playbook: Playbook, verdict: Verdict) -> None:
    """Count a lead as qualified, and as won."""
    since, deals = verdict.qualified_at, deals_of_leads(log, playbook).get(verdict.lead.lead_id, [])
    wins = [(deal, deal.closed_at) for deal in deals if deal.status == "won" and deal.closed_at is not None]
    won_at = min((closed_at for _, closed_at in wins), default=None)
    if since is not None:
        answers = _first_answers(log, playbook, verdict.lead.lead_id)
        answer = next((fact for fact in answers if fact.occurred_at >= since), None)
        counts["qualified"] += 1
        counts["unanswered" if answer is None else "answered"] += 1
        if answer is not None:
            counts["accepted" if answer.type == "HandoffAccepted" else "returned"] += 1
        counts[_fate(deals, since, won_at)] += 1
    if won_at is not None:
        counts["wins"] += 1
        counts["wins_qualified"] += since is not None and since <= won_at
        for deal, closed_at in wins:
            if since is None or since > closed_at:
                booked = playbook.priced(deal.booked, playbook.day_of(closed_at))
                counts["unpriced"] += booked is None
                counts["missed"] += booked or 0


@lru_cache(maxsize=4)
def deals_of_leads(log: Log, playbook: Playbook) -> dict[str, list[Deal]]:
    """The deals that each lead counts."""
    found: dict[str, list[Deal]] = defaultdict(list)
    for deal in deals(log, playbook).values():
        if deal.lead_id is not None:
            found[deal.lead_id].append(deal)
    return found


def _first_answers(log: Log, playbook: Playbook, lead_id: str) -> list[Fact]:
    """The first answer of each of the lead's handoffs from Marketing's side to Sales' side, in order."""
    sides = {team["id"]: team["side"] for team in playbook.text["team"]}
    answers = [
        handoff.answers[0]
        for handoff in handoffs_by_lead(log).get(lead_id, ())
        if sides.get(handoff.from_team) == "marketing"
        and sides.get(handoff.to_team) == "sales"
        and handoff.answers
    ]
    return sorted(answers, key=chronological)


def _fate(deals: list[Deal], since: int, won_at: int | None) -> str:
    """What became of a lead that is qualified since then."""
    if won_at is not None:
        return "won_before" if won_at < since else "won"
    is_lost = any(d.status == "lost" and d.closed_at is not None and d.closed_at >= since for d in deals)
    return "lost" if is_lost and all(deal.status != "open" for deal in deals) else "still_open"


def _row(playbook: Playbook, segment: str, counts: dict[str, Any]) -> Row:
    decided = counts["won"] + counts["lost"]
    fewest = min(counts["answered"], decided, counts["wins"])
    return {
        "segment": segment,
        **{name: counts[name] for name in COUNTS},
        "precision_at_acceptance": _share(counts["accepted"], counts["answered"]),
        "precision_at_win": _share(counts["won"], decided),
        "recall": _share(counts["wins_qualified"], counts["wins"]),
        "missed_value": decimal_text(counts["missed"]),
        "currency": playbook.currency,
        "n": fewest,
        "is_enough": fewest >= playbook.minimum_n,
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
