"""An import: every file is looked at first, so that what contradicts itself is known before anything is sent;
then what the log lacks is sent, and what failed is kept.

The outcome does not depend on the order of rows or files, nor on how a file is divided, and a second import
of the same files adds nothing: ids are made of the source and the row's key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import polars as pl

from schemas.catalogue import EventType
from schemas.codec import ROW
from schemas.json_form import json_form
from schemas.validation import Clock, system_clock
from streams.imports.batches import Advance, EvaluatedPart, evaluated_parts
from streams.imports.failed_rows import FailedRow, OpenFailures, count_failed, failed_in, topic_of
from streams.imports.known_events import Known, NothingKnown, as_records, sort_by_log
from streams.mapping.evaluation import KEY
from streams.mapping.language import MappingRules

MOST_LISTED = 1000
MOST_SHOWN_EVENTS = 3
CONTRADICTION = "another row says something else under this id; neither is imported"


class Destination(Protocol):
    """Where events go, as streams/kafka/publisher.py has it. They count once flush() has returned."""

    def publish_record(self, event_type: EventType, record: dict[str, Any]) -> str: ...

    def publish_refused(self, topic: str, refused_id: str, said: dict[str, Any]) -> None: ...

    def flush(self) -> object: ...


@dataclass
class Outcome:
    """What an import found or did. Events by type; failed rows by event type, the first MOST_LISTED in full.

    events: all that the files make, each id once. new, revised, unchanged: what the log made of them;
    without a
    log all are new. copies: rows that say the same again. not_meant: rows that conditions leave out, by
    event.
    stand_ins: stand-ins, defaults and skipped events, by event and field. is_read: the numbers have what was
    sent.
    """

    rows: int = 0
    left_out: int = 0
    events: Counter[str] = field(default_factory=Counter)
    new: Counter[str] = field(default_factory=Counter)
    revised: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    copies: Counter[str] = field(default_factory=Counter)
    not_meant: Counter[str] = field(default_factory=Counter)
    stand_ins: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    failed_rows: list[FailedRow] = field(default_factory=list)
    kept: int = 0
    settled: list[str] = field(default_factory=list)
    is_read: bool = False
    shown: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


class _Contradictions:
    """Which ids stand for two things: 8 bytes an event, and 16 where ids are repeated."""

    def __init__(self) -> None:
        self._seen: dict[str, list[pl.DataFrame]] = {}
        self._said: dict[str, list[pl.DataFrame]] = {}
        self._repeated: dict[str, pl.Series] = {}
        self.ids: dict[str, pl.Series] = {}
        self.copies: Counter[str] = Counter()
        self.events: Counter[str] = Counter()

    def note(self, event: EventType, events: pl.DataFrame) -> None:
        self._seen.setdefault(event.name, []).append(events.select(_id_hash().alias("id")))

    def are_repeated(self) -> bool:
        """Count the ids; whether some are repeated, and what they say has to be noted too."""
        for name, seen in self._seen.items():
            ids = pl.concat(seen)["id"]
            self.events[name] = ids.n_unique()
            if self.events[name] < len(ids):
                self._repeated[name] = ids.filter(ids.is_duplicated()).unique()
        self._seen.clear()
        return bool(self._repeated)

    def note_said(self, event: EventType, events: pl.DataFrame) -> None:
        repeated = self._repeated.get(event.name)
        if repeated is not None:
            said = [f["name"] for f in event.fields if f["name"] not in ("event_id", "recorded_at")]
            found = events.filter(_id_hash().is_in(repeated.implode()))
            self._said.setdefault(event.name, []).append(
                found.select(_id_hash().alias("id"), pl.struct(said).hash(2).alias("said"))
            )

    def close(self) -> None:
        for name, seen in self._said.items():
            every = pl.concat(seen)
            distinct = every.unique()
            twice = distinct["id"].filter(distinct["id"].is_duplicated()).unique()
            self.ids[name] = twice
            self.events[name] -= len(twice)
            sound = every.filter(~pl.col("id").is_in(twice.implode()))
            self.copies[name] = sound.height - sound["id"].n_unique()
        self._said.clear()

    def parted(self, event: EventType, events: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """(events of ids that stand for one thing, those of the others)."""
        ids = self.ids.get(event.name)
        if ids is None or not len(ids):
            return events, events.clear()
        is_one = events.select(_id_hash().is_in(ids.implode()).alias("is"))["is"]
        return events.filter(~is_one), events.filter(is_one)


def _id_hash() -> pl.Expr:
    return pl.col("event_id").hash(1)


class Import:
    """One import of files under a mapping: look() and then, unless it is a trial, send()."""

    def __init__(
        self,
        rules: MappingRules,
        paths: Mapping[str, Sequence[Path]],
        advance: Advance = lambda share, what: None,
        clock: Clock = system_clock,
    ) -> None:
        self.rules, self.paths, self.advance = rules, paths, advance
        recorded_at = clock()
        self._clock: Clock = lambda: recorded_at
        self.outcome = Outcome()
        self._contradictions = _Contradictions()

    def look(self, known: Known | None = None) -> Outcome:
        """Read everything and send nothing. `known`: to say what the log has; that takes a second reading."""
        out = self.outcome
        for found in self._parts("looking at"):
            out.rows += found.part.frame.height + len(found.part.unread)
            out.left_out += found.rows.left_out
            out.failed += count_failed(found)
            if (room := MOST_LISTED - len(out.failed_rows)) > 0 and count_failed(found).total():
                out.failed_rows += failed_in(found, most=room)
            for mapped in found.mapped:
                name = mapped.rule.event.name
                self._contradictions.note(mapped.rule.event, mapped.events)
                out.not_meant[name] += mapped.not_meant
                out.stand_ins.update({f"{name}: {what}": n for what, n in mapped.counts.items()})
                self._show(mapped.rule.event, mapped.events)
        if self._contradictions.are_repeated():
            for found in self._parts("comparing"):
                for mapped in found.mapped:
                    self._contradictions.note_said(mapped.rule.event, mapped.events)
        self._contradictions.close()
        out.events, out.copies = self._contradictions.events, self._contradictions.copies
        if any(len(ids) for ids in self._contradictions.ids.values()) or known is not None:
            self._look_again(known)
        else:
            out.new = Counter(out.events)
        return out

    def _look_again(self, known: Known | None) -> None:
        out = self.outcome
        out.failed_rows, out.failed, out.new = [], Counter(), Counter()
        for found, sorted_, conflicts in self._sorted(known or NothingKnown(), "comparing"):
            out.failed += count_failed(found)
            for mapped, more, events in zip(found.mapped, conflicts, sorted_, strict=True):
                out.failed[mapped.rule.event.name] += more.height
                self._count(mapped.rule.event, *events)
            if (room := MOST_LISTED - len(out.failed_rows)) > 0:
                out.failed_rows += failed_in(found, conflicts, most=room)

    def send(
        self,
        destination: Destination,
        known: Known,
        open_failures: OpenFailures,
    ) -> Outcome:
        """Send what the log lacks or has otherwise, and keep what failed. look() comes first.

        Returns once the destination has all of it. Raises what the destination raises; to import again is
        safe.
        """
        out = self.outcome
        out.failed_rows, out.failed, out.new = [], Counter(), Counter()
        for found, sorted_, conflicts in self._sorted(known, "sending"):
            for mapped, (new, revised, unchanged) in zip(found.mapped, sorted_, strict=True):
                for frame in (new, revised):
                    for record in as_records(frame):
                        destination.publish_record(mapped.rule.event, record)
                self._count(mapped.rule.event, new, revised, unchanged)
            failed = failed_in(found, conflicts)
            for row in failed:
                out.failed[row.event_type] += 1
                refused_id, is_new = open_failures.new_id(row)
                if is_new:
                    said = row.as_said(self.rules.source, refused_id)
                    destination.publish_refused(topic_of(row, self.rules), refused_id, said)
                    out.kept += 1
            out.failed_rows += failed[: max(0, MOST_LISTED - len(out.failed_rows))]
            open_failures.note(found, failed)
        destination.flush()
        out.settled = open_failures.settled()
        return out

    def _parts(self, verb: str) -> Iterator[EvaluatedPart]:
        def advance(share: float, name: str) -> None:
            self.advance(share, f"{verb} {name}")

        return evaluated_parts(self.rules, self.paths, advance, self._clock)

    def _sorted(
        self, known: Known, verb: str
    ) -> Iterator[tuple[EvaluatedPart, list[_ByLog], list[pl.DataFrame]]]:
        """Each part with, for each rule, its events by what the log has, and faults known only now."""
        sent: dict[str, set[int]] = {}
        for found in self._parts(verb):
            events, conflicts = [], []
            for mapped in found.mapped:
                event = mapped.rule.event
                sound, contradicting = self._contradictions.parted(event, mapped.events)
                once = sound.unique("event_id", keep="first", maintain_order=True)
                if self._contradictions.copies[event.name]:
                    once = _not_seen(once, sent.setdefault(event.name, set()))
                by_log = sort_by_log(event, once, known)
                events.append(_ByLog(by_log.new, by_log.revised, by_log.unchanged))
                conflicts.append(pl.concat([_contradicting(contradicting), by_log.faults]))
            yield found, events, conflicts

    def _count(self, event: EventType, new: pl.DataFrame, revised: pl.DataFrame, unchanged: int) -> None:
        self.outcome.new[event.name] += new.height
        self.outcome.revised[event.name] += revised.height
        self.outcome.unchanged[event.name] += unchanged

    def _show(self, event: EventType, events: pl.DataFrame) -> None:
        shown = self.outcome.shown.setdefault(event.name, [])
        for record in as_records(events.head(MOST_SHOWN_EVENTS - len(shown))):
            shown.append(json_form(event, record))


class _ByLog(NamedTuple):
    new: pl.DataFrame
    revised: pl.DataFrame
    unchanged: int


def _not_seen(events: pl.DataFrame, seen: set[int]) -> pl.DataFrame:
    """Those whose id no earlier part had; only for types of which there are copies."""
    hashes = events.select(_id_hash().alias("id"))["id"].to_list()
    is_new = [number not in seen for number in hashes]
    seen.update(hashes)
    return events.filter(pl.Series(is_new, dtype=pl.Boolean))


def _contradicting(events: pl.DataFrame) -> pl.DataFrame:
    return events.select(
        pl.col(ROW),
        pl.lit("").alias("column"),
        pl.col(KEY).alias("value"),
        pl.lit(CONTRADICTION).alias("reason"),
    )
