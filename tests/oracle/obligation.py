"""The view obligation: everything one side ever owed the other on a handoff, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from streams.simulator.clock import Calendar, iso, minutes
from tests.oracle.business_time import open_time
from tests.oracle.handoff_events import FOREVER, Handoff, Period, handoffs, in_order
from tests.oracle.log import Fact, Log, Row, optional_iso
from tests.oracle.playbook import Playbook, Sla

KEY = ("handoff_id", "sla", "episode")


class Episode(NamedTuple):
    """One time something was owed: when it began, was done, made no sense any more, and was moot."""

    starts_at: int
    done_at: int | None
    lapsed_at: int | None
    is_suspect: bool = False


class Obligation:
    """An episode of a clause on a handoff, as it stands at an instant."""

    def __init__(
        self, playbook: Playbook, handoff: Handoff, sla: Sla, number: int, episode: Episode, as_of: int
    ) -> None:
        self._playbook = playbook
        self.handoff, self.sla, self.number = handoff, sla, number
        self.starts_at = episode.starts_at
        self.is_clock_suspect = handoff.is_clock_suspect or episode.is_suspect
        merged_at = handoff.merged_at
        moot_at = merged_at if merged_at is not None and merged_at >= self.starts_at else None
        without = _earliest(episode.lapsed_at, moot_at)
        done = episode.done_at
        if sla.id != "answer" and done is not None and (episode.lapsed_at or FOREVER) < done:
            done = None
        if without is not None:
            without = max(without, self.starts_at)
        self._known_until = _first_of(done, without, FOREVER)
        in_time = done is not None and self.used(done) <= sla.allowed
        is_done = done is not None and (in_time or without is None or done <= without)
        self.met_at = done if is_done else None
        self.ended_at = done if is_done else without
        end = as_of if self.ended_at is None else self.ended_at
        self.used_time = self.used(end)
        self.paused_time = sum(
            max(0, min(p.until_at, end) - max(p.from_at, self.starts_at))
            for p in self._periods()
            if p.pause_reason is not None
        )
        if self.used_time > sla.allowed:
            self.outcome = "missed"
        elif self.ended_at is None:
            self.outcome = "open"
        elif is_done:
            self.outcome = "met"
        else:
            is_lapsed = (episode.lapsed_at or FOREVER) <= (FOREVER if moot_at is None else moot_at)
            self.outcome = "lapsed" if is_lapsed else "moot"

    @property
    def due_at(self) -> int | None:
        """The first instant at which all allowed time is used."""
        left = self.sla.allowed
        periods = [p for p in self._periods() if p.until_at > self.starts_at]
        known = [p for p in periods if p.from_at <= self.starts_at or p.from_at < self._known_until]
        for number, period in enumerate(known, start=1):
            begins = max(period.from_at, self.starts_at)
            ends = FOREVER if number == len(known) else period.until_at
            if period.pause_reason is not None:
                continue
            if self.sla.is_business:
                calendar = self._calendar(period)
                due = calendar.after(begins, left)
                spent = left if due <= ends else open_time(calendar, begins, ends)
            else:
                due, spent = begins + left, min(left, ends - begins)
            if due <= ends:
                return due
            left -= spent
        return None

    def used(self, end: int) -> int:
        """Time of the clock from the start to an instant, each owner's part by that owner's calendar."""
        if end < self.starts_at:
            if self.sla.id in ("first_attempt", "attempts"):
                return 0
            (period,) = (p for p in self._periods() if p.from_at <= self.starts_at < p.until_at)
            return 0 if period.pause_reason else -self._time(period, end, self.starts_at)
        return sum(
            self._time(p, max(p.from_at, self.starts_at), min(p.until_at, end))
            for p in self._periods()
            if p.from_at < end and p.until_at > self.starts_at and p.pause_reason is None
        )

    @property
    def is_nearly_due(self) -> bool:
        """Whether the playbook's share of the allowed time is gone."""
        return minutes(self.used_time) >= self._playbook.at_risk_share * minutes(self.sla.allowed)

    def _periods(self) -> list[Period]:
        if self.sla.is_owed_by_receiver:
            return self.handoff.periods
        return [Period(-FOREVER, FOREVER, None, None)]

    def _calendar(self, period: Period) -> Calendar:
        team = self.handoff.to_team if self.sla.is_owed_by_receiver else self.handoff.from_team
        return self._playbook.calendar(period.owner, team)

    def _time(self, period: Period, start: int, end: int) -> int:
        return open_time(self._calendar(period), start, end) if self.sla.is_business else end - start


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per handoff, clause and time it was owed."""
    for owed in obligations(log, playbook, as_of):
        handoff, sla = owed.handoff, owed.sla
        is_missed = owed.outcome == "missed"
        yield {
            "handoff_id": handoff.handoff_id,
            "sla": sla.id,
            "episode": owed.number,
            "owed_by": handoff.to_team if sla.is_owed_by_receiver else handoff.from_team,
            "starts_at": iso(owed.starts_at),
            "due_at": optional_iso(owed.due_at),
            "met_at": optional_iso(owed.met_at),
            "ended_at": optional_iso(owed.ended_at),
            "outcome": owed.outcome,
            "used_minutes": minutes(owed.used_time),
            "paused_minutes": minutes(owed.paused_time),
            "allowed_minutes": minutes(sla.allowed),
            "is_missed": is_missed,
            "is_past_due": is_missed and owed.ended_at is None,
            "is_at_risk": owed.outcome == "open" and owed.is_nearly_due,
            "is_clock_suspect": owed.is_clock_suspect,
        }


def obligations(log: Log, playbook: Playbook, as_of: int) -> Iterator[Obligation]:
    """Everything owed on any handoff."""
    for handoff in handoffs(log).values():
        yield from obligations_of(handoff, playbook, as_of)


def obligations_of(handoff: Handoff, playbook: Playbook, as_of: int) -> Iterator[Obligation]:
    """Everything owed on one handoff."""
    for sla in playbook.slas.get((handoff.from_team, handoff.to_team), ()):
        for number, episode in enumerate(_episodes(handoff, sla), start=1):
            yield Obligation(playbook, handoff, sla, number, episode, as_of)


def _episodes(handoff: Handoff, sla: Sla) -> Iterator[Episode]:
    if sla.id == "answer":
        lapses = _instants(handoff.reached, handoff.opportunities)
        yield Episode(handoff.offered_at, handoff.answered_at, min(lapses, default=None))
    elif sla.id == "acknowledge_return":
        for number, returned in enumerate(sorted(handoff.returned, key=in_order)):
            yield _acknowledgement(handoff, returned, is_first=number == 0)
    else:
        yield from _attempts(handoff, sla)


def _acknowledgement(handoff: Handoff, returned: Fact, *, is_first: bool) -> Episode:
    at = returned.occurred_at
    after = [fact.occurred_at for fact in handoff.acknowledged if in_order(fact) > in_order(returned)]
    before = [fact.occurred_at for fact in handoff.acknowledged if in_order(fact) < in_order(returned)]
    done = min(after, default=max(before, default=None) if is_first else None)
    taken = [fact.occurred_at for fact in handoff.accepted if in_order(fact) > in_order(returned)]
    deals = _instants(handoff.opportunities)
    lapses = [*taken, *(instant for instant in [*deals, *handoff.offered_again] if instant >= at)]
    return Episode(at, done, min(lapses, default=None), is_suspect=done is not None and done < at)


def _attempts(handoff: Handoff, sla: Sla) -> Iterator[Episode]:
    answers = handoff.answers
    counts_from = -FOREVER
    for number, answer in enumerate(answers):
        if answer.type == "HandoffReturned":
            counts_from = answer.occurred_at
            continue
        if number and answers[number - 1].type == "HandoffAccepted":
            continue
        returned = [f.occurred_at for f in answers[number:] if f.type == "HandoffReturned"]
        tries = [at for at in _instants(handoff.human_attempts) if at >= counts_from]
        wanted = 1 if sla.id == "first_attempt" else sla.attempts
        talks = [at for at in _instants(handoff.reached) if at >= counts_from]
        deals = [at for at in _instants(handoff.opportunities) if at >= counts_from]
        done = min([*tries[wanted - 1 : wanted], *talks], default=None)
        yield Episode(answer.occurred_at, done, min([*returned, *deals], default=None))


def _instants(*facts: Iterable[Fact]) -> list[int]:
    return sorted(fact.occurred_at for each in facts for fact in each)


def _earliest(*instants: int | None) -> int | None:
    return min((at for at in instants if at is not None), default=None)


def _first_of(*instants: int | None) -> int:
    return next(at for at in instants if at is not None)
