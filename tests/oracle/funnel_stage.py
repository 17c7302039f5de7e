"""The view funnel_stage: how many leads entered each stage in each window, and what became of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta

from tests.oracle.log import Fact, Log, Row, is_buyer_signal
from tests.oracle.playbook import Playbook

KEY = ("stage", "window_start")
COUNTS = (
    "entered",
    "advanced",
    "lost",
    "returned",
    "elsewhere",
    "still_there",
    "inferred",
    "advanced_in_period",
)
NEVER = -(10**18)  # before every instant


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per stage and window in which a lead entered it or advanced from it."""
    stages = playbook.text["stage"]
    counts: dict[tuple[int, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTS, 0))
    for facts in log.by_lead.values():
        _count_lead(counts, playbook, facts)
    for (index, window), of_stage in sorted(counts.items()):
        # From the last stage nobody advances: it has no conversion, and nothing is undecided in it.
        judged = of_stage["entered"] if index < len(stages) - 1 else 0
        yield {
            "stage": stages[index]["id"],
            "buyer_step": stages[index].get("buyer"),
            "window_start": window,
            **of_stage,
            "cohort_rate": of_stage["advanced"] / judged if judged else None,
            "in_period_rate": of_stage["advanced_in_period"] / judged if judged else None,
            "open_rate": of_stage["still_there"] / judged if judged else None,
        }


def _count_lead(counts: dict[tuple[int, str], dict[str, int]], playbook: Playbook, facts: list[Fact]) -> None:
    """Count a lead in each stage up to its furthest one. A lead that entered none is not in the funnel."""
    own = [_first(facts, stage["entered_by"]) for stage in playbook.text["stage"]]
    furthest = max((index for index, at in enumerate(own) if at is not None), default=-1)
    for index in range(furthest + 1):
        entered_at = min(at for at in own[index:] if at is not None)  # a later stage implies this one
        window = _window_start(playbook, entered_at)
        of_stage = counts[index, window]
        of_stage["entered"] += 1
        of_stage["inferred"] += own[index] != entered_at
        of_stage["advanced" if index < furthest else _outcome(playbook, facts, index)] += 1
        if index:
            counts[index - 1, window]["advanced_in_period"] += 1


def _first(facts: list[Fact], entered_by: str) -> int | None:
    """When the lead itself did what enters the stage."""
    found = [fact for fact in facts if fact.type == entered_by]
    if entered_by == "TouchRecorded":
        found = [fact for fact in found if is_buyer_signal(fact)]
    return found[0].occurred_at if found else None


def _outcome(playbook: Playbook, facts: list[Fact], furthest: int) -> str:
    """What became of a lead in the furthest stage it entered."""
    if playbook.text["stage"][furthest]["id"] == "won":
        return "still_there"
    disqualified = [fact for fact in facts if fact.fields["disposition"] == "disqualify"]
    lost_at = max(_last(facts, "OpportunityLost"), _last(disqualified, "FeedbackAcknowledged"))
    returned_at = _last(facts, "HandoffReturned")
    active_at = _last(facts, "HandoffOffered", "HandoffAccepted", "OpportunityOpened")
    latest = max(lost_at, returned_at, active_at)
    if lost_at == latest > NEVER:
        return "lost"
    if returned_at == latest > NEVER:
        return "returned"
    teams = {team["id"] for team in playbook.text["team"]}
    offered_to = [fact.fields["to_team"] for fact in facts if fact.type == "HandoffOffered"]
    return "elsewhere" if offered_to and offered_to[-1] not in teams else "still_there"


def _last(facts: list[Fact], *types: str) -> int:
    return max((fact.occurred_at for fact in facts if fact.type in types), default=NEVER)


def _window_start(playbook: Playbook, instant: int) -> str:
    """First day of the day, week, month, quarter or year that holds the instant, in the playbook's zone."""
    day, window = playbook.day_of(instant), playbook.text["playbook"]["window"]
    if window == "week":
        days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
        begins = days.index(playbook.text["playbook"].get("week_begins", "monday"))
        day -= timedelta(days=(day.weekday() - begins) % 7)
    elif window != "day":
        first_month = {"quarter": (day.month - 1) // 3 * 3 + 1, "year": 1}.get(window, day.month)
        day = date(day.year, first_month, 1)
    return day.isoformat()
