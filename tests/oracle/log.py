"""A log of events read once into plain Python: distinct, in order, and under the ids of surviving leads.

A log is what `baton simulate` writes and `baton publish` reads: one JSON object a line, in any order and with
copies. Memory holds all of it, so it suits logs of up to some millions of events.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from streams.simulator.clock import iso, microseconds_of

Row = dict[str, Any]
MERGE = "LeadsMerged"
NAMES_THE_ACCOUNT = ("LeadCaptured", "LeadProfiled", "HandoffOffered", "OpportunityOpened")
OUTCOMES = ("OpportunityWon", "OpportunityLost")


class Fields(dict[str, Any]):
    """What an event states. A field that it leaves out is None."""

    def __missing__(self, name: str) -> None:
        return None


class Fact(NamedTuple):
    """A distinct event; instants are microseconds since 1970. Ties in time are settled by event_id."""

    occurred_at: int
    event_id: str
    type: str
    recorded_at: int
    fields: Fields


def chronological(fact: Fact) -> tuple[int, str, str]:
    """How facts are ordered, everywhere."""
    return fact.occurred_at, fact.event_id, fact.type


class Log:
    """The facts of a log in chronological order, by type, lead and deal.

    Facts about a merged lead carry the id of the lead that survives; LeadsMerged keeps both ids.
    """

    def __init__(self, facts: Iterable[Fact]) -> None:
        """Copies, which share type and event_id, count once."""
        distinct = {(fact.type, fact.event_id): fact for fact in facts}
        in_order = sorted(distinct.values(), key=chronological)
        self._as_written = in_order
        self.merges = [fact for fact in in_order if fact.type == MERGE]
        self.surviving_leads = surviving_leads(self.merges)
        self.facts = [self._under_surviving_lead(fact) for fact in in_order]
        self._by_type: dict[str, list[Fact]] = defaultdict(list)
        for fact in self.facts:
            self._by_type[fact.type].append(fact)

    @classmethod
    def from_events(cls, events: Iterable[Mapping[str, Any]]) -> Log:
        """A log of events in the JSON form of `baton publish`.

        An event that leaves out recorded_at counts as recorded when it occurred. A fact known by its day
        (occurred_on) occurred as that day began in UTC.
        """
        return cls(_facts(events))

    @classmethod
    def from_file(cls, path: Path) -> Log:
        """A log of a file such as events.jsonl."""
        with path.open(encoding="utf-8") as lines:
            return cls.from_events(json.loads(line) for line in lines if line.strip())

    @lru_cache(maxsize=4)  # noqa: B019 - a log is large, and one of few
    def until(self, as_of: int) -> Log:
        """The same log without what happened after an instant."""
        facts = [fact for fact in self._as_written if fact.occurred_at <= as_of]
        return self if len(facts) == len(self._as_written) else Log(facts)

    def of(self, *types: str) -> list[Fact]:
        """Facts of these types, earliest first."""
        if len(types) == 1:
            return self._by_type.get(types[0], [])
        return sorted((fact for type_ in types for fact in self.of(type_)), key=chronological)

    @cached_property
    def by_lead(self) -> dict[str, list[Fact]]:
        """Per surviving lead, the facts that name it; merges are left out."""
        found: dict[str, list[Fact]] = defaultdict(list)
        for fact in self.facts:
            if fact.type != MERGE and fact.fields["lead_id"] is not None:
                found[fact.fields["lead_id"]].append(fact)
        return dict(found)

    @cached_property
    def by_deal(self) -> dict[str, list[Fact]]:
        """Per opportunity, the facts that name it."""
        found: dict[str, list[Fact]] = defaultdict(list)
        for fact in self.facts:
            if fact.fields["opportunity_id"] is not None:
                found[fact.fields["opportunity_id"]].append(fact)
        return dict(found)

    @cached_property
    def record_ids(self) -> dict[tuple[str, str], str | None]:
        """Per event type and id, the lead as the source named it: before any merge."""
        return {(fact.type, fact.event_id): fact.fields["lead_id"] for fact in self._as_written}

    @cached_property
    def openings(self) -> dict[str, Fact]:
        """Per opportunity, its first OpportunityOpened."""
        return first_by("opportunity_id", self.of("OpportunityOpened"))

    @cached_property
    def outcomes(self) -> dict[str, Fact]:
        """Per opportunity, its last OpportunityWon or OpportunityLost."""
        return {fact.fields["opportunity_id"]: fact for fact in self.of(*OUTCOMES)}

    @cached_property
    def account_of_lead(self) -> dict[str, str]:
        """Per lead, the account that the earliest event naming both gives it."""
        found: dict[str, str] = {}
        for fact in self.of(*NAMES_THE_ACCOUNT):
            if fact.fields["lead_id"] and fact.fields["account_id"]:
                found.setdefault(fact.fields["lead_id"], fact.fields["account_id"])
        return found

    def _under_surviving_lead(self, fact: Fact) -> Fact:
        survivor = self.surviving_leads.get(fact.fields["lead_id"])
        if survivor is None or fact.type == MERGE:
            return fact
        return fact._replace(fields=Fields({**fact.fields, "lead_id": survivor}))


def first_by(field: str, facts: Iterable[Fact]) -> dict[str, Fact]:
    """The first of the facts for each value of a field."""
    found: dict[str, Fact] = {}
    for fact in facts:
        found.setdefault(fact.fields[field], fact)
    return found


def is_buyer_signal(fact: Fact) -> bool:
    """Whether the fact is a touch that a human on the buyer's side made."""
    is_touch = fact.type == "TouchRecorded"
    return is_touch and bool(fact.fields["is_inbound"]) and not fact.fields["is_automated"]


def instant_of(text: str) -> int:
    """An ISO-8601 instant with its zone, in microseconds."""
    return microseconds_of(datetime.fromisoformat(text))


def optional_iso(instant: int | None) -> str | None:
    """An instant as a row states it."""
    return None if instant is None else iso(instant)


def surviving_leads(merges: Iterable[Fact]) -> dict[str, str]:
    """Each merged lead with the lead that survives.

    Merges are applied one after the other. Only the first of each lead counts, and one that would close a
    circle does not.
    """
    into: dict[str, str] = {}
    merged: set[str] = set()

    def survivor(lead_id: str) -> str:
        while lead_id in into:
            lead_id = into[lead_id]
        return lead_id

    for merge in sorted(merges, key=chronological):
        kept, gone = merge.fields["lead_id"], merge.fields["merged_lead_id"]
        if gone == kept or gone in merged:
            continue
        merged.add(gone)
        if survivor(kept) != gone:
            into[gone] = kept
    return {lead_id: survivor(lead_id) for lead_id in into}


def _facts(events: Iterable[Mapping[str, Any]]) -> Iterator[Fact]:
    for event in events:
        day = event.get("occurred_on")
        occurred_at = event["occurred_at"] if day is None else f"{day}T00:00:00Z"
        yield Fact(
            instant_of(occurred_at),
            event["event_id"],
            event["type"],
            instant_of(event.get("recorded_at", occurred_at)),
            Fields(event),
        )
