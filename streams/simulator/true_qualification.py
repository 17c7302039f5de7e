"""What is true of the qualified leads of a simulation, and of the definition they are qualified by.

Plain Python over the emitted facts and the playbook's text: each lead is asked at every moment at which it
changed, until the answer is yes. One playbook is in force all the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from streams.simulator.clock import iso
from streams.simulator.facts import Fact, LeadFacts
from streams.simulator.funnel import OF_A_LEAD
from streams.simulator.rules import UNITS, Rules
from streams.simulator.simulation import Chapter
from streams.simulator.tellers import Row
from streams.simulator.truth import statuses

MAKES_A_LEAD = ("LeadCaptured", "LeadProfiled", "TouchRecorded", "HandoffOffered")
NAMES_THE_ACCOUNT = ("LeadCaptured", "LeadProfiled", "HandoffOffered", "OpportunityOpened")
FATES = ("won", "lost", "still_open", "won_before")
COUNTS = ("qualified", "answered", "unanswered", "accepted", "returned", *FATES)
WINS = ("wins", "wins_qualified", "unpriced")
# What the verdict alone says; qualification adds the reasons.
LEAD = ("lead_id", "account_id", "segment")
VERDICT = ("lead_id", "account_id", "segment", "is_qualified", "qualified_at")
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Answer:
    """How a criterion stands at a moment: met or not, by which value, decided by which fact."""

    is_met: bool
    value: str | None
    fact: Fact | None


@dataclass(slots=True)
class Prospect:
    """A lead as its definition sees it. Lists are in order of (occurred_at, event_id)."""

    lead_id: str
    account_id: str | None
    segment: str
    born_at: int | None
    profiles: list[Fact]
    signals: list[Fact]
    first_answers: list[Fact]
    deals: list[tuple[Fact | None, Decimal | None]]
    qualified_at: int | None = None
    people: list[Fact] = field(default_factory=list)


class QualificationTruths:
    """Who is qualified, since when and why; and whether Sales agreed."""

    def __init__(self, rules: Rules, as_of: int) -> None:
        self._as_of = as_of
        self._criteria = _criteria(rules.text)
        self._sides = {team["id"]: team["side"] for team in rules.text["team"]}
        self._money = Money(rules.text)
        self._minimum_n = int(rules.text.get("cascade", {}).get("minimum_n", 30))
        self._prospects: list[Prospect] = []
        self._people: dict[str, list[Fact]] = {}

    def add(self, chapter: Chapter) -> Iterator[tuple[str, Row]]:
        """Keep what the lead did; who else is at its company may be told in a later chapter."""
        for fact in chapter.facts:
            if fact.type == "BuyingGroupMemberIdentified":
                self._people.setdefault(fact.fields["account_id"], []).append(fact)
        if chapter.is_lead and chapter.facts:
            prospect = self._prospect(LeadFacts(list(chapter.facts)))
            if prospect is not None:
                self._prospects.append(prospect)
        return iter(())

    def _prospect(self, lead: LeadFacts) -> Prospect | None:
        own = [fact for facts in lead.by_type.values() for fact in facts if fact.fields.get("lead_id")]
        own = sorted(fact for fact in own if fact.type != "LeadsMerged")
        if not own:
            return None
        named = [f for f in own if f.type in NAMES_THE_ACCOUNT and f.fields["account_id"]]
        regions = [f.fields["region"] for f in lead.of("LeadCaptured") if f.fields["region"]]
        answers = [
            handoff.answers[0]
            for handoff in lead.handoffs.values()
            if self._sides.get(handoff.from_team) == "marketing"
            and self._sides.get(handoff.to_team) == "sales"
            and handoff.answers
        ]
        return Prospect(
            lead_id=own[0].fields["lead_id"],
            account_id=named[0].fields["account_id"] if named else None,
            segment=regions[0] if regions else "unknown",
            born_at=min((f.occurred_at for f in own if f.type in MAKES_A_LEAD), default=None),
            profiles=lead.of("LeadProfiled"),
            signals=[
                f for f in lead.of("TouchRecorded") if f.fields["is_inbound"] and not f.fields["is_automated"]
            ],
            first_answers=sorted(answers),
            deals=list(self._deals(lead)),
        )

    def _deals(self, lead: LeadFacts) -> Iterator[tuple[Fact | None, Decimal | None]]:
        """(last outcome, what was booked) of each deal that names a lead."""
        closed = statuses(lead)
        told = [fact for type_ in OF_A_LEAD for fact in lead.of(type_)]
        for opportunity_id in {f.fields["opportunity_id"]: None for f in told if f.fields["lead_id"]}:
            end = closed.get(opportunity_id)
            is_won = end is not None and end.type == "OpportunityWon"
            yield end, self._money.converted(end) if end is not None and is_won else None

    def qualified_at(self) -> dict[str, int]:
        """When each qualified lead was. Known once `finish` was heard to its end."""
        found = ((prospect.lead_id, prospect.qualified_at) for prospect in self._prospects)
        return {lead_id: at for lead_id, at in found if at is not None}

    def moments_by_account(self) -> dict[str, list[int]]:
        """When leads of each company qualified, in order; known once everything is told."""
        found: dict[str, list[int]] = {}
        for prospect in self._prospects:
            if prospect.account_id is not None and prospect.qualified_at is not None:
                found.setdefault(prospect.account_id, []).append(prospect.qualified_at)
        return {account: sorted(moments) for account, moments in found.items()}

    def finish(self) -> Iterator[tuple[str, Row]]:
        """Judge each lead, then the definition."""
        quality: dict[str, dict[str, Any]] = {}
        for prospect in self._prospects:
            prospect.people = sorted(self._people.get(prospect.account_id or "", ()))
            if prospect.born_at is not None:
                verdict = self._judged(prospect)
                yield (
                    "lead",
                    {**{name: verdict[name] for name in LEAD}, "first_seen_at": iso(prospect.born_at)},
                )
                yield "qualification", verdict
                yield "lead_verdict", {name: verdict[name] for name in VERDICT}
            for segment in (prospect.segment, "all"):
                counts = quality.setdefault(
                    segment, {**dict.fromkeys(COUNTS + WINS, 0), "missed": Decimal(0)}
                )
                _count(counts, prospect)
        for segment, counts in quality.items():
            if counts["qualified"] or counts["wins"]:
                yield "definition_quality", self._quality(segment, counts)

    def _judged(self, prospect: Prospect) -> Row:
        """The row of qualification; sets qualified_at."""
        assert prospect.born_at is not None
        facts = [*prospect.profiles, *prospect.signals, *prospect.people]
        required = [index for index, criterion in enumerate(self._criteria) if criterion["is_required"]]
        stands: list[Answer] = []
        for moment in sorted({max(fact.occurred_at, prospect.born_at) for fact in facts}):
            stands = [_stands(criterion, prospect, moment) for criterion in self._criteria]
            if required and all(stands[index].is_met for index in required):
                prospect.qualified_at = moment
                break
        else:
            stands = [_stands(criterion, prospect, self._as_of) for criterion in self._criteria]
        return {
            "lead_id": prospect.lead_id,
            "account_id": prospect.account_id,
            "segment": prospect.segment,
            "is_qualified": prospect.qualified_at is not None,
            "qualified_at": None if prospect.qualified_at is None else iso(prospect.qualified_at),
            "criteria_met": sum(stands[index].is_met for index in required),
            "criteria_required": len(required),
            "criteria": [
                {
                    "criterion": criterion["id"],
                    "kind": criterion["kind"],
                    "is_required": criterion["is_required"],
                    "is_met": answer.is_met,
                    "value": answer.value,
                    "event_id": answer.fact and answer.fact.event_id,
                    "decided_at": answer.fact and iso(answer.fact.occurred_at),
                }
                for criterion, answer in zip(self._criteria, stands, strict=True)
            ],
        }

    def _quality(self, segment: str, counts: dict[str, Any]) -> Row:
        """The row of definition_quality."""
        decided = counts["won"] + counts["lost"]
        fewest = min(counts["answered"], decided, counts["wins"])
        return {
            "segment": segment,
            **{name: counts[name] for name in COUNTS + WINS},
            "precision_at_acceptance": _share(counts["accepted"], counts["answered"]),
            "precision_at_win": _share(counts["won"], decided),
            "recall": _share(counts["wins_qualified"], counts["wins"]),
            "missed_value": str(counts["missed"].quantize(CENT)),
            "currency": self._money.currency,
            "n": fewest,
            "is_enough": fewest >= self._minimum_n,
        }


class Money:
    """The goal's currency and what others are worth in it."""

    def __init__(self, text: Mapping[str, Any]) -> None:
        money = text.get("money", {})
        self.currency: str = money.get("currency", "EUR")
        self._rates = {row["currency"]: Decimal(row["rate"]) for row in text.get("rate", ())}
        self._rates[self.currency] = Decimal(1)

    def converted(self, won: Fact) -> Decimal | None:
        """What was booked, to the cent; None without a rate."""
        rate = self._rates.get(won.fields["currency"])
        if rate is None:
            return None
        return (Decimal(won.fields["amount"]) * rate).quantize(CENT, ROUND_HALF_UP)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _count(counts: dict[str, Any], prospect: Prospect) -> None:
    """Add a lead to its segment: as qualified, and as won."""
    since = prospect.qualified_at
    ends = [end for end, _ in prospect.deals if end is not None]
    won_at = min((end.occurred_at for end in ends if end.type == "OpportunityWon"), default=None)
    if since is not None:
        counts["qualified"] += 1
        answer = next((fact for fact in prospect.first_answers if fact.occurred_at >= since), None)
        if answer is None:
            counts["unanswered"] += 1
        else:
            counts["answered"] += 1
            counts["accepted" if answer.type == "HandoffAccepted" else "returned"] += 1
        counts[_fate(prospect, since, won_at)] += 1
    if won_at is not None:
        counts["wins"] += 1
        counts["wins_qualified"] += since is not None and since <= won_at
        for end, booked in prospect.deals:
            is_win = end is not None and end.type == "OpportunityWon"
            if is_win and end is not None and (since is None or since > end.occurred_at):
                counts["unpriced"] += booked is None
                counts["missed"] += booked or 0


def _fate(prospect: Prospect, since: int, won_at: int | None) -> str:
    """What became of a lead that is qualified since then."""
    if won_at is not None:
        return "won_before" if won_at < since else "won"
    ends = [end for end, _ in prospect.deals]
    is_open = any(end is None for end in ends)
    is_lost = any(end is not None and end.occurred_at >= since for end in ends)
    return "lost" if is_lost and not is_open else "still_open"


def _criteria(text: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The criteria in order: those of the ideal customer, then the others. `within` in microseconds."""
    icp = text.get("icp", {})
    criteria: list[dict[str, Any]] = []
    for key, attribute in (("industries", "industry"), ("countries", "country")):
        if key in icp:
            criteria.append({"id": f"icp_{attribute}", "attribute": attribute, "one_of": icp[key]})
    bounds = {
        bound: icp[f"employees_{bound}"] for bound in ("at_least", "at_most") if f"employees_{bound}" in icp
    }
    if bounds:
        criteria.append({"id": "icp_employees", "attribute": "employees", **bounds})
    for row in text.get("criterion", ()):
        count, _, unit = row.get("within", "0 days").partition(" ")
        criteria.append({**row, "within": int(count) * UNITS[unit]})
    return [{"kind": "fit", "is_required": True, **criterion} for criterion in criteria]


def _stands(criterion: dict[str, Any], prospect: Prospect, moment: int) -> Answer:
    """How a criterion stands for a lead at a moment."""
    if criterion["kind"] == "fit":
        return _fits(criterion, prospect.profiles, moment)
    if criterion["kind"] == "intent":
        found = [
            touch
            for touch in prospect.signals
            if moment - criterion["within"] < touch.occurred_at <= moment
            and touch.fields["activity"] in criterion["activities"]
        ]
    else:
        first: dict[str, Fact] = {}
        for person in prospect.people:
            if person.occurred_at <= moment and person.fields["role"] in criterion["roles"]:
                first.setdefault(person.fields["contact_id"], person)
        found = list(first.values())
    needed = criterion.get("count", 1)
    is_met = len(found) >= needed
    return Answer(is_met, str(len(found)), found[needed - 1] if is_met else None)


def _fits(criterion: dict[str, Any], profiles: list[Fact], moment: int) -> Answer:
    """A criterion about an attribute, by the last profile that names it."""
    attribute = criterion["attribute"]
    told = [f for f in profiles if f.occurred_at <= moment and f.fields[attribute] is not None]
    if not told:
        return Answer(False, None, None)
    value = told[-1].fields[attribute]
    if "one_of" in criterion:
        is_met = value in criterion["one_of"]
    else:
        is_met = criterion.get("at_least", value) <= value <= criterion.get("at_most", value)
    return Answer(is_met, str(value), told[-1])
