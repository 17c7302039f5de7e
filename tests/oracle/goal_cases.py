"""The view goal_cases: the leads behind a quarter's cascade, its cohort and those that were followed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from math import floor
from statistics import median

from streams.simulator.clock import DAY
from tests.oracle.deals_of_leads import begun
from tests.oracle.goal import Goal, goals
from tests.oracle.lead_pass import passes
from tests.oracle.log import Log, Row
from tests.oracle.opportunity_amount import priced_deals
from tests.oracle.playbook import Playbook, decimal_text, microseconds, nearest_cent
from tests.oracle.qualification import qualified_at

KEY = ("goal_id", "step")
STEPS = ("captured", "qualified", "accepted", "opportunities", "won")


@dataclass(slots=True)
class Progress:
    """A lead: when it came to each step of the cascade, itself or by a later step, and what it booked."""

    captured_at: int | None = None
    own: dict[str, int] = field(default_factory=dict)
    booked: Decimal = Decimal(0)

    def add(self, step: str, at: int) -> None:
        """Note a step; its earliest time counts."""
        self.own[step] = min(at, self.own.get(step, at))

    def entered(self, step: str) -> int | None:
        """When it came to the step."""
        if step == "captured":
            return self.captured_at
        return min((self.own[s] for s in STEPS[STEPS.index(step) :] if s in self.own), default=None)

    def is_in_time(self, deadline: float | None) -> bool:
        """Whether it won, or its deal was opened in time after the acceptance."""
        opened, accepted = self.entered("opportunities"), self.entered("accepted")
        if "won" in self.own or opened is None or accepted is None:
            return "won" in self.own
        return deadline is not None and opened - accepted <= deadline


class Window:
    """Days from first to last, both included."""

    def __init__(self, playbook: Playbook, first: date, last: date) -> None:
        self.first, self.last = first, last
        self._starts_at, self._ends_at = playbook.begins(first), playbook.begins(last + timedelta(days=1))

    def holds(self, at: int | None) -> bool:
        """Whether the instant lies in it."""
        return at is not None and self._starts_at <= at < self._ends_at


class Cases:
    """The cohort of a quarter's revenue goal, the windows of its steps, and the leads that were followed.

    The cohort are the leads captured before the quarter. The window of a step lies as many days before the
    quarter as a won lead of the cohort took from there to the win. Leads captured in the window of the first
    step are followed.
    """

    def __init__(self, playbook: Playbook, goal: Goal, leads: list[Progress], as_of: int) -> None:
        self.goal = goal
        self.ends_at = min(goal.starts_at, as_of)
        self.starts_at = self.ends_at - microseconds(playbook.text["cascade"]["cohort"])
        self.cohort = [lead for lead in leads if self.starts_at <= (lead.captured_at or -1) < self.ends_at]
        self.lags = {step: self._lag_days(step) for step in STEPS}
        last = goal.day_after - timedelta(days=1)
        self.windows = {
            step: Window(playbook, goal.first_day - timedelta(days=lag or 0), last - timedelta(days=lag or 0))
            for step, lag in self.lags.items()
        }
        self.followed = [lead for lead in leads if self.windows["captured"].holds(lead.captured_at)]
        self.entered = {
            step: sum(window.holds(lead.entered(step)) for lead in leads)
            for step, window in self.windows.items()
        }
        self.deadline = self._deadline()
        self.booked = nearest_cent(sum((lead.booked for lead in self.cohort), Decimal(0)))
        self.followed_booked = nearest_cent(sum((lead.booked for lead in self.followed), Decimal(0)))

    def _lag_days(self, step: str) -> int | None:
        """Median days from the step to the win, in whole days."""
        won = [lead for lead in self.cohort if "won" in lead.own]
        spans = [max(0, lead.own["won"] - (lead.entered(step) or 0)) for lead in won]
        return floor(median(spans) / DAY + 0.5) if spans else None

    def _deadline(self) -> float | None:
        """Within it nine in ten of the cohort's deals were opened after the acceptance, in microseconds."""
        waits = sorted(
            (lead.entered("opportunities") or 0) - (lead.entered("accepted") or 0)
            for lead in self.cohort
            if lead.entered("opportunities") is not None
        )
        if not waits:
            return None
        rank = (len(waits) - 1) * 0.9
        below = floor(rank)
        above = min(below + 1, len(waits) - 1)
        return waits[below] + (waits[above] - waits[below]) * (rank - below)

    def reached(self, leads: list[Progress], step: str) -> int:
        """How many of them came to the step."""
        return sum(lead.entered(step) is not None for lead in leads)

    def in_time(self, leads: list[Progress]) -> int:
        """How many of them have a deal opened in time, or won."""
        return sum(lead.is_in_time(self.deadline) for lead in leads)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per quarter's revenue goal and step."""
    for cases in all_cases(log, playbook, as_of):
        for position, step in enumerate(STEPS, start=1):
            yield {
                "goal_id": cases.goal.goal_id,
                "step": step,
                "position": position,
                "cohort_starts_on": playbook.day_of(cases.starts_at).isoformat(),
                "cohort_ends_on": playbook.day_of(cases.ends_at - 1).isoformat(),
                "cases": cases.reached(cases.cohort, step),
                "booked": decimal_text(cases.booked),
                "lag_days": cases.lags[step],
                "window_starts_on": cases.windows[step].first.isoformat(),
                "window_ends_on": cases.windows[step].last.isoformat(),
                "entered": cases.entered[step],
                "followed": cases.reached(cases.followed, step),
                "followed_booked": decimal_text(cases.followed_booked),
                "in_time_within_days": None if cases.deadline is None else cases.deadline / DAY,
                "in_time": cases.in_time(cases.cohort),
                "followed_in_time": cases.in_time(cases.followed),
            }


@lru_cache(maxsize=4)
def all_cases(log: Log, playbook: Playbook, as_of: int) -> list[Cases]:
    """The cases of each quarter's revenue goal that has an amount."""
    leads = _progress(log, playbook, as_of)
    return [
        Cases(playbook, goal, leads, as_of)
        for goal in goals(log, playbook)
        if goal.metric == "revenue"
        and goal.scope == "company"
        and "-" in goal.period
        and goal.amount is not None
    ]


def _progress(log: Log, playbook: Playbook, as_of: int) -> list[Progress]:
    """Each pass of each lead; what is reported of a lead outside of any pass counts with the one before."""
    of_lead = passes(log, playbook)
    found: dict[tuple[str, int], Progress] = defaultdict(Progress)

    def progress(lead_id: str, at: int | None) -> Progress:
        began = [each.number for each in of_lead.get(lead_id, []) if at is not None and each.began_at <= at]
        return found[lead_id, max(began, default=1)]

    for fact in log.of("LeadCaptured"):
        lead = progress(fact.fields["lead_id"], fact.occurred_at)
        lead.captured_at = fact.occurred_at if lead.captured_at is None else lead.captured_at
    for each in (each for all_ in of_lead.values() for each in all_ if each.number > 1):
        found[each.lead_id, each.number].captured_at = each.began_at  # it came back
    for lead_id, at in qualified_at(log, playbook, as_of).items():
        progress(lead_id, at).add("qualified", at)
    for fact in log.of("HandoffAccepted"):
        progress(fact.fields["lead_id"], fact.occurred_at).add("accepted", fact.occurred_at)
    for deal in priced_deals(log, playbook, as_of):
        if deal.lead_id is None or deal.status == "credit":
            continue
        lead = progress(deal.lead_id, begun(deal))
        if deal.opened_at is not None:
            lead.add("opportunities", deal.opened_at)
        if deal.status == "won" and deal.closed_at is not None:
            lead.add("won", deal.closed_at)
            lead.booked += deal.booked or Decimal(0)
    return list(found.values())
