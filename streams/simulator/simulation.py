"""A whole simulation: the stories of all leads, seen through the disorder, as events to publish."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from schemas.errors import BatonError, ExitCode
from schemas.limits import EARLIEST, LATEST
from streams.simulator.clock import DAY, LAST_DAY, iso, microseconds_of
from streams.simulator.company import tell_company
from streams.simulator.customer import was_customer
from streams.simulator.disorder import LONGEST_LATE, Disorder
from streams.simulator.lead import Lead, Told
from streams.simulator.merges import make_one, plan_merges, tell_merges
from streams.simulator.relationship import tell_relationship
from streams.simulator.rules import default_playbook, read_rules
from streams.simulator.story import tell_lead
from streams.simulator.walk_in import walk_in
from streams.simulator.world import World

Event = dict[str, Any]
START = date(2026, 1, 5)
DAYS = 120
DUPLICATES = 0.02
LATE = 0.03
FIRST_START = date(EARLIEST.year + 2, 1, 1)  # old customers were onboarded up to 400 days before the period
LAST_RECORDED = microseconds_of(LATEST)


@dataclass(frozen=True)
class Plan:
    """What is asked of a simulation. start is the first day in UTC, the shares are of all events."""

    seed: int
    leads: int
    start: date = START
    days: int = DAYS
    duplicates: float = DUPLICATES
    late: float = LATE
    playbook: Path = field(default_factory=default_playbook)

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated, with a BatonError."""
        if self.leads < 1:
            raise _refused("--leads", self.leads, "a simulation needs at least 1 lead")
        if not 1 <= self.days <= 3650:
            raise _refused("--days", self.days, "the period is 1 to 3650 days long")
        if not FIRST_START <= self.start or self.as_of + LONGEST_LATE >= LAST_RECORDED:
            why = f"the period begins on {FIRST_START} or later and ends before {LATEST.year}"
            raise _refused("--start", self.start, why)
        for name, share in (("--duplicates", self.duplicates), ("--late", self.late)):
            if not 0 <= share <= 1:
                raise _refused(name, share, "a share lies between 0 and 1")

    def world(self) -> World:
        """The world of this plan. A playbook that cannot be read is a BatonError."""
        start = datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC)
        return World(self.seed, microseconds_of(start), self.days, read_rules(self.playbook))

    @property
    def as_of(self) -> int:
        """The instant at which the period ends, in mid-afternoon UTC; what would happen later is left out."""
        start = datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC)
        return microseconds_of(start) + self.days * DAY + LAST_DAY


class Emitted(NamedTuple):
    """One distinct event: as it is published, when it arrives, and when a copy of it does."""

    event: Event
    arrives_at: int
    repeated_at: int | None


class Chapter(NamedTuple):
    """The emitted events of one lead, or of the company itself."""

    is_lead: bool
    emitted: list[Emitted]


def chapters(plan: Plan) -> Iterator[Chapter]:
    """The company's chapter, then each lead's, in a fixed order. Memory: one account at a time."""
    world = plan.world()
    yield _chapter(plan, world, "company", tell_company(world, plan.leads))
    number = 0
    for account in world.accounts(plan.leads):
        pairs = plan_merges(world, account)
        leads: list[Lead] = []
        for place in range(account.leads):
            number += 1
            lead = Lead(world, account, number, place)
            leads.append(lead)
            make_one(pairs, leads)
            tell_lead(lead)
            if place == 0 and account.is_customer:
                was_customer(lead)
            tell_relationship(lead)
            walk_in(lead)
        tell_merges(world, pairs, leads)
        for lead in leads:
            yield _chapter(plan, world, f"lead/{lead.number}", lead.told)


def _chapter(plan: Plan, world: World, name: str, told: list[Told]) -> Chapter:
    disorder = Disorder(f"{plan.seed}/disorder/{name}", plan.late, plan.duplicates, world.clock_errors)
    emitted, as_of = [], world.as_of
    for at, type_, event_id, source, by, fields in told:
        occurred_at, recorded_at, arrives_at, repeated_at = disorder.see(at, source, by)
        if occurred_at > as_of:
            continue
        event = {
            "type": type_,
            "event_id": event_id,
            "occurred_at": iso(occurred_at),
            "recorded_at": iso(recorded_at),
            "source": source,
        }
        for key, value in fields.items():
            if value is not None:
                event[key] = value
        emitted.append(Emitted(event, arrives_at, repeated_at))
    return Chapter(name != "company", emitted)


class Arrivals:
    """Events on their way to Kafka, each with its copies, sorted by arrival. Memory: all of them."""

    def __init__(self, form: Callable[[Event], Any]) -> None:
        """form: what an event is kept as; made once, so that a copy is the very same thing."""
        self._form = form
        self._queue: list[tuple[int, int, Any]] = []
        self.distinct: Counter[str] = Counter()
        self.copies: Counter[str] = Counter()

    def add(self, chapter: Chapter) -> None:
        """Put a chapter's events in the queue."""
        queue, form = self._queue, self._form
        for event, arrives_at, repeated_at in chapter.emitted:
            kept, type_ = form(event), event["type"]
            self.distinct[type_] += 1
            queue.append((arrives_at, len(queue), kept))
            if repeated_at is not None:
                self.copies[type_] += 1
                queue.append((repeated_at, len(queue), kept))

    def in_order(self) -> Iterator[Any]:
        """All of them by arrival; ties keep the order in which they were added."""
        self._queue.sort()
        return (kept for _, _, kept in self._queue)


def stories(
    seed: int,
    leads: int,
    *,
    start: date = START,
    days: int = DAYS,
    duplicates: float = DUPLICATES,
    late: float = LATE,
    playbook: Path | None = None,
) -> Iterator[Event]:
    """The events of a simulation as dicts in arrival order; a copy is the same dict again."""
    plan = Plan(seed, leads, start, days, duplicates, late, playbook or default_playbook())
    arrivals = Arrivals(lambda event: event)
    for chapter in chapters(plan):
        arrivals.add(chapter)
    return arrivals.in_order()


def _refused(option: str, value: object, why: str) -> BatonError:
    return BatonError(
        f"{option} {value} cannot be simulated",
        why=why,
        next_command="baton simulate --help",
        exit_code=ExitCode.USAGE,
    )
