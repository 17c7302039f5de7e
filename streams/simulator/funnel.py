"""What is true of the simulated funnel and of each opportunity, counted from the emitted facts."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from streams.simulator.clock import EPOCH, MINUTE, iso
from streams.simulator.facts import Fact, LeadFacts
from streams.simulator.rules import Rules
from streams.simulator.tellers import Row
from streams.simulator.truth import statuses

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
OF_A_LEAD = ("OpportunityOpened", "OpportunityWon", "OpportunityLost")


class Funnel:
    """Counts of every stage and window. Leads are added in any order, each once."""

    def __init__(self, rules: Rules) -> None:
        self._stages = rules.stages
        self._buyer_steps = {row["id"]: row.get("buyer") for row in rules.text["stage"]}
        self._teams = frozenset(rules.team_calendars)
        self._zone = rules.zone
        self._counts: dict[tuple[int, str], dict[str, int]] = {}
        self._window = rules.window
        self._windows: dict[int, str] = {}

    def add(self, facts: LeadFacts) -> None:
        """Count a lead in each stage it entered. A lead that entered none is not in the funnel."""
        own = [_first(facts, entered_by) for _, entered_by in self._stages]
        entered: list[int | None] = [None] * len(own)
        earliest: int | None = None
        for index in reversed(range(len(own))):
            at = own[index]
            if at is not None and (earliest is None or at < earliest):
                earliest = at
            entered[index] = earliest
        furthest = max((index for index, at in enumerate(entered) if at is not None), default=-1)
        for index in range(furthest + 1):
            at = entered[index]
            assert at is not None  # every stage up to the furthest is entered, by the definition of entered
            counts = self._at(index, at)
            counts["entered"] += 1
            counts["inferred"] += own[index] != at
            counts["advanced" if index < furthest else self._outcome(facts, index)] += 1
            if index:
                self._at(index - 1, at)["advanced_in_period"] += 1

    def _outcome(self, facts: LeadFacts, furthest: int) -> str:
        """What became of a lead in the furthest stage it entered."""
        if self._stages[furthest][0] == "won":
            return "still_there"
        refused = [f for f in facts.of("FeedbackAcknowledged") if f.fields["disposition"] == "disqualify"]
        lost_at = _last(_of_lead(facts, "OpportunityLost"), refused)
        returned_at = _last(facts.of("HandoffReturned"))
        active_at = _last(
            facts.of("HandoffOffered"), facts.of("HandoffAccepted"), _of_lead(facts, "OpportunityOpened")
        )
        latest = max((at for at in (lost_at, returned_at, active_at) if at is not None), default=None)
        if latest is not None and lost_at == latest:
            return "lost"
        if latest is not None and returned_at == latest:
            return "returned"
        offers = facts.of("HandoffOffered")
        is_elsewhere = offers and offers[-1].fields["to_team"] not in self._teams
        return "elsewhere" if is_elsewhere else "still_there"

    def _at(self, stage: int, instant: int) -> dict[str, int]:
        return self._counts.setdefault((stage, self._window_of(instant)), dict.fromkeys(COUNTS, 0))

    def _window_of(self, instant: int) -> str:
        """First day of the window, in the playbook's zone."""
        quarter = instant // (15 * MINUTE)  # no zone changes its date within a quarter of an hour
        found = self._windows.get(quarter)
        if found is None:
            local = (EPOCH + timedelta(microseconds=instant)).astimezone(self._zone)
            found = self._windows[quarter] = _first_day(self._window, local.date()).isoformat()
        return found

    def rows(self) -> list[Row]:
        """The rows of funnel_stage, in order of stage and window."""
        rows = []
        for (stage, window), counts in sorted(self._counts.items()):
            entered = counts["entered"]
            # From the last stage nobody advances: it has no conversion, and nothing is undecided in it.
            judged = entered if stage < len(self._stages) - 1 else 0
            rows.append(
                {
                    "stage": self._stages[stage][0],
                    "buyer_step": self._buyer_steps[self._stages[stage][0]],
                    "window_start": window,
                    **counts,
                    "cohort_rate": counts["advanced"] / judged if judged else None,
                    "in_period_rate": counts["advanced_in_period"] / judged if judged else None,
                    "open_rate": counts["still_there"] / judged if judged else None,
                }
            )
        return rows


def _first_day(window: str, day: date) -> date:
    """First day of the day, week, month, quarter or year that `day` lies in."""
    if window == "week":
        return day - timedelta(days=day.weekday())
    first_month = {"quarter": (day.month - 1) // 3 * 3 + 1, "year": 1}.get(window, day.month)
    return day if window == "day" else date(day.year, first_month, 1)


def _of_lead(facts: LeadFacts, type_: str) -> list[Fact]:
    """Facts that name the lead; events of a deal may leave it out."""
    return [fact for fact in facts.of(type_) if fact.fields["lead_id"] is not None]


def _first(facts: LeadFacts, entered_by: str) -> int | None:
    """When the lead itself did what enters the stage."""
    found = _of_lead(facts, entered_by) if entered_by in OF_A_LEAD else facts.of(entered_by)
    if entered_by == "TouchRecorded":
        found = [f for f in found if f.fields["is_inbound"] and not f.fields["is_automated"]]
    return found[0].occurred_at if found else None


def _last(*lists: list[Fact]) -> int | None:
    return max((facts[-1].occurred_at for facts in lists if facts), default=None)


def opportunities(facts: LeadFacts) -> list[Row]:
    """The rows of opportunity: one per opportunity that was opened."""
    closed = statuses(facts)
    stages = _latest(facts, "stage", "OpportunityOpened", "OpportunityStageEntered")
    amounts = _latest(facts, "amount", "OpportunityOpened", "OpportunityRevised", "OpportunityWon")
    closings = _latest(facts, "closes_on", "OpportunityOpened", "OpportunityRevised")
    rows: dict[str, Row] = {}
    for opened in facts.of("OpportunityOpened"):
        opportunity_id = opened.fields["opportunity_id"]
        if opportunity_id in rows:
            continue
        end = closed.get(opportunity_id)
        amount = amounts.get(opportunity_id, {})
        rows[opportunity_id] = {
            "opportunity_id": opportunity_id,
            "account_id": opened.fields["account_id"],
            "lead_id": opened.fields["lead_id"],
            "owner": opened.fields["owner"],
            "opened_at": iso(opened.occurred_at),
            "stage": stages.get(opportunity_id, {}).get("stage"),
            "amount": amount.get("amount"),
            "currency": amount.get("currency"),
            "closes_on": closings.get(opportunity_id, {}).get("closes_on"),
            "status": "open" if end is None else end.type.removeprefix("Opportunity").lower(),
            "closed_at": None if end is None else iso(end.occurred_at),
            "lost_reason": None if end is None else end.fields.get("reason_code"),
        }
    return list(rows.values())


def _latest(facts: LeadFacts, field: str, *types: str) -> dict[str, dict[str, Any]]:
    """Per opportunity, the fields of the latest event among these types that states the field."""
    found: dict[str, dict[str, Any]] = {}
    for fact in sorted(fact for type_ in types for fact in facts.of(type_)):
        if fact.fields[field] is not None:
            found[fact.fields["opportunity_id"]] = fact.fields
    return found
