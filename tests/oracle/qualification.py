"""The view qualification: who meets the definition of a qualified lead, since when, and by which criteria.

Each lead is judged at every moment at which something about it changed, until the answer is yes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from streams.simulator.clock import iso
from tests.oracle.log import Fact, Log, Row, first_by, is_buyer_signal, optional_iso
from tests.oracle.playbook import Playbook, microseconds

KEY = ("lead_id",)
MAKES_A_LEAD = ("LeadCaptured", "LeadProfiled", "TouchRecorded", "HandoffOffered")

Criterion = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """How a criterion stands at a moment: met or not, by which value, decided by which fact."""

    is_met: bool
    value: str | None
    fact: Fact | None


@dataclass(frozen=True)
class Lead:
    """A lead as its definition sees it. Lists are in chronological order; instants are microseconds.

    first_seen_at is None for a lead that only deals name; such a lead is never judged.
    """

    lead_id: str
    account_id: str | None
    segment: str
    first_seen_at: int | None
    profiles: list[Fact]
    signals: list[Fact]
    group_members: list[Fact]


@dataclass(frozen=True)
class Verdict:
    """A lead with the moment at which it qualified, and how each criterion stood then, or stands now."""

    lead: Lead
    qualified_at: int | None
    answers: list[Answer]


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per lead that was seen."""
    criteria = _criteria(playbook.text)
    for verdict in verdicts(log, playbook, as_of):
        lead = verdict.lead
        if lead.first_seen_at is None:
            continue
        required = [
            answer.is_met
            for criterion, answer in zip(criteria, verdict.answers, strict=True)
            if criterion["is_required"]
        ]
        yield {
            "lead_id": lead.lead_id,
            "account_id": lead.account_id,
            "segment": lead.segment,
            "is_qualified": verdict.qualified_at is not None,
            "qualified_at": optional_iso(verdict.qualified_at),
            "criteria_met": sum(required),
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
                for criterion, answer in zip(criteria, verdict.answers, strict=True)
            ],
        }


def qualified_at(log: Log, playbook: Playbook, as_of: int) -> dict[str, int]:
    """When each qualified lead became one."""
    found = ((verdict.lead.lead_id, verdict.qualified_at) for verdict in verdicts(log, playbook, as_of))
    return {lead_id: at for lead_id, at in found if at is not None}


@lru_cache(maxsize=4)
def verdicts(log: Log, playbook: Playbook, as_of: int) -> list[Verdict]:
    """Every lead that an event names, judged."""
    criteria = _criteria(playbook.text)
    members: dict[str, list[Fact]] = defaultdict(list)
    for fact in log.of("BuyingGroupMemberIdentified"):
        members[fact.fields["account_id"]].append(fact)
    found = []
    for lead_id, facts in log.by_lead.items():
        account_id = log.account_of_lead.get(lead_id)
        regions = [f.fields["region"] for f in facts if f.type == "LeadCaptured" and f.fields["region"]]
        lead = Lead(
            lead_id,
            account_id,
            segment=regions[0] if regions else "unknown",
            first_seen_at=min((f.occurred_at for f in facts if f.type in MAKES_A_LEAD), default=None),
            profiles=[fact for fact in facts if fact.type == "LeadProfiled"],
            signals=[fact for fact in facts if is_buyer_signal(fact)],
            group_members=members.get(account_id or "", []),
        )
        found.append(_judged(lead, criteria, as_of))
    return found


def _judged(lead: Lead, criteria: list[Criterion], as_of: int) -> Verdict:
    if lead.first_seen_at is None:
        return Verdict(lead, None, [])
    facts = [*lead.profiles, *lead.signals, *lead.group_members]
    required = [index for index, criterion in enumerate(criteria) if criterion["is_required"]]
    for moment in sorted({max(fact.occurred_at, lead.first_seen_at) for fact in facts}):
        answers = [_answer(criterion, lead, moment) for criterion in criteria]
        if required and all(answers[index].is_met for index in required):
            return Verdict(lead, moment, answers)
    return Verdict(lead, None, [_answer(criterion, lead, as_of) for criterion in criteria])


def _criteria(text: dict[str, Any]) -> list[Criterion]:
    """The criteria in order: those of the ideal customer, then the others. `within` is in microseconds."""
    icp = text.get("icp", {})
    criteria: list[Criterion] = []
    for key, attribute in (("industries", "industry"), ("countries", "country")):
        if key in icp:
            criteria.append({"id": f"icp_{attribute}", "attribute": attribute, "one_of": icp[key]})
    bounds = {
        bound: icp[f"employees_{bound}"] for bound in ("at_least", "at_most") if f"employees_{bound}" in icp
    }
    if bounds:
        criteria.append({"id": "icp_employees", "attribute": "employees", **bounds})
    for row in text.get("criterion", ()):
        criteria.append({**row, "within": microseconds(row.get("within", "0 days"))})
    return [{"kind": "fit", "is_required": True, **criterion} for criterion in criteria]


def _answer(criterion: Criterion, lead: Lead, moment: int) -> Answer:
    """How a criterion stands for a lead at a moment."""
    if criterion["kind"] == "fit":
        return _fit(criterion, lead.profiles, moment)
    if criterion["kind"] == "intent":
        found = [
            touch
            for touch in lead.signals
            if moment - criterion["within"] < touch.occurred_at <= moment
            and touch.fields["activity"] in criterion["activities"]
        ]
    else:
        known = [member for member in lead.group_members if member.occurred_at <= moment]
        named = [member for member in known if member.fields["role"] in criterion["roles"]]
        found = list(first_by("contact_id", named).values())
    needed = criterion.get("count", 1)
    is_met = len(found) >= needed
    return Answer(is_met, str(len(found)), found[needed - 1] if is_met else None)


def _fit(criterion: Criterion, profiles: list[Fact], moment: int) -> Answer:
    """A criterion about an attribute, by the last profile that states it."""
    attribute = criterion["attribute"]
    stated = [f for f in profiles if f.occurred_at <= moment and f.fields[attribute] is not None]
    if not stated:
        return Answer(False, None, None)
    value = stated[-1].fields[attribute]
    if "one_of" in criterion:
        is_met = value in criterion["one_of"]
    else:
        is_met = criterion.get("at_least", value) <= value <= criterion.get("at_most", value)
    return Answer(is_met, str(value), stated[-1])
