"""A log of events read once into plain Python: distinct, in order, and under the ids of surviving records.

A log is what `baton simulate` writes and `baton publish` reads: one JSON object a line, in any order and with
copies. Memory holds all of it, so it suits logs of up to some millions of events.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from streams.simulator.clock import datetime_of, iso, microseconds_of
from tests.oracle.playbook import Playbook

Row = dict[str, Any]
# Kind of record -> the events that merge two of them and take that back.
MERGES = {
    "lead": ("LeadsMerged", "LeadsUnmerged"),
    "account": ("AccountsMerged", ""),
    "opportunity": ("OpportunitiesMerged", ""),
}
ABOUT_RECORDS = {name for names in MERGES.values() for name in names}
NAMES_THE_ACCOUNT = ("LeadCaptured", "LeadProfiled", "HandoffOffered", "OpportunityOpened")
OUTCOMES = ("OpportunityWon", "OpportunityLost")
BEGINNINGS = ("LeadCaptured", "OpportunityOpened", "CustomerOnboarded")


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

    @property
    def is_day_only(self) -> bool:
        """Whether the source knows the day and no time."""
        return self.fields["occurred_on"] is not None

    @property
    def day(self) -> date:
        """Its day in UTC; of an event known by its day, that day."""
        return datetime_of(self.occurred_at).date()


def chronological(fact: Fact) -> tuple[int, str, str]:
    """How facts are ordered, everywhere."""
    return fact.occurred_at, fact.event_id, fact.type


class Log:
    """The facts of a log in chronological order, by type, lead and deal.

    Facts about a merged lead, account or deal carry the id of the record that survives; merges keep both ids.
    """

    def __init__(self, facts: Iterable[Fact]) -> None:
        """Copies, which share type and event_id, count once."""
        distinct = {(fact.type, fact.event_id): fact for fact in facts}
        in_order = sorted(distinct.values(), key=chronological)
        self._as_written = in_order
        # By kind of record: each merged one with the record that survives, and with the merge that counts.
        self.merged = {kind: merged_records(kind, in_order) for kind in MERGES}
        self.facts = [self._under_survivors(fact) for fact in in_order]
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
    def until(self, as_of: int, playbook: Playbook) -> Log:
        """The log as of an instant: without what happened later, and with days as instants.

        What is known by its day has happened once the day has begun. It counts when the day ends, a beginning
        when it begins.
        """
        facts = []
        for fact in self._as_written:
            if not fact.is_day_only:
                facts += [fact] if fact.occurred_at <= as_of else []
            elif (begins := playbook.begins(fact.day)) < as_of + (fact.type in BEGINNINGS):
                ends = playbook.begins(fact.day + timedelta(days=1)) - 1
                facts.append(fact._replace(occurred_at=begins if fact.type in BEGINNINGS else ends))
        return self if facts == self._as_written else Log(facts)

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
            if fact.type not in ABOUT_RECORDS and fact.fields["lead_id"] is not None:
                found[fact.fields["lead_id"]].append(fact)
        return dict(found)

    @cached_property
    def by_deal(self) -> dict[str, list[Fact]]:
        """Per opportunity, the facts that name it."""
        found: dict[str, list[Fact]] = defaultdict(list)
        for fact in self.facts:
            if fact.type not in ABOUT_RECORDS and fact.fields["opportunity_id"] is not None:
                found[fact.fields["opportunity_id"]].append(fact)
        return dict(found)

    @cached_property
    def record_ids(self) -> dict[tuple[str, str], str | None]:
        """Per event type and id, the lead as the source named it: before any merge."""
        return {(fact.type, fact.event_id): fact.fields["lead_id"] for fact in self._as_written}

    @cached_property
    def of_merged_deals(self) -> set[tuple[str, str]]:
        """Type and id of what opened, reopened or lost a record of a deal before it was merged into another,
        and of each win of it that had been undone by then."""
        merged = self.merged["opportunity"]
        before: dict[str, list[Fact]] = defaultdict(list)
        for fact in self._as_written:
            record = fact.fields["opportunity_id"]
            is_about_deal = fact.type not in ABOUT_RECORDS and record in merged
            if is_about_deal and fact.occurred_at <= merged[record][1].occurred_at:
                before[record].append(fact)
        undoing = ("OpportunityOpened", "OpportunityReopened", "OpportunityLost")
        found = set()
        for facts in before.values():
            last = max((fact.occurred_at for fact in facts if fact.type in undoing), default=-1)
            wins = (fact for fact in facts if fact.type == "OpportunityWon" and fact.occurred_at < last)
            found |= {(f.type, f.event_id) for f in (*wins, *(f for f in facts if f.type in undoing))}
        return found

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

    def _under_survivors(self, fact: Fact) -> Fact:
        if fact.type in ABOUT_RECORDS:
            return fact
        surviving = {
            f"{kind}_id": merged[fact.fields[f"{kind}_id"]][0]
            for kind, merged in self.merged.items()
            if fact.fields[f"{kind}_id"] in merged
        }
        return fact._replace(fields=Fields({**fact.fields, **surviving})) if surviving else fact


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


def merged_records(kind: str, in_order: Iterable[Fact]) -> dict[str, tuple[str, Fact]]:
    """Each merged record with the one that survives it, and the merge of its own that counts.

    Of several merges of a record the first counts that was not taken back, from the moment at which those
    before it were. In a circle the latest does not count.
    """
    merge_type, unmerge_type = MERGES[kind]
    kept, gone, freed = f"{kind}_id", f"merged_{kind}_id", f"unmerged_{kind}_id"
    merges, unmerges = [], []
    for fact in in_order:
        if fact.type == merge_type and fact.fields[kept] != fact.fields[gone]:
            merges.append(fact)
        elif fact.type == unmerge_type:
            unmerges.append(fact)
    counts: dict[str, tuple[int, Fact]] = {}
    free_at: dict[str, int] = {}
    for merge in merges:
        record = merge.fields[gone]
        pair = (merge.fields[kept], record)
        ends = [u.occurred_at for u in unmerges if (u.fields[kept], u.fields[freed]) == pair]
        end = min((at for at in ends if at >= merge.occurred_at), default=None)
        if end is not None:
            free_at[record] = max(end, free_at.get(record, end))
        elif record not in counts:
            counts[record] = max(merge.occurred_at, free_at.get(record, merge.occurred_at)), merge
    into = {record: merge.fields[kept] for record, (_, merge) in counts.items()}
    while circle := _circle(into):
        del into[max(circle, key=lambda record: (counts[record][0], counts[record][1].event_id, record))]

    def survivor(record: str) -> str:
        while record in into:
            record = into[record]
        return record

    return {record: (survivor(record), counts[record][1]) for record in into}


def _circle(into: Mapping[str, str]) -> list[str]:
    """The records of one circle of merges; none when every way ends."""
    ends: set[str] = set()
    for start in into:
        way: list[str] = []
        record = start
        while record in into and record not in ends and record not in way:
            way.append(record)
            record = into[record]
        if record in way:
            return way[way.index(record) :]
        ends.update(way)
    return []


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
