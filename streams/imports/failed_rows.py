"""Rows that failed: what is reported of each, how it is kept in the log, and when it is settled."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from hashlib import blake2b
from typing import Any

import polars as pl

from schemas.codec import LONGEST_REASON, ROW
from schemas.field_checks import shown
from schemas.refused import IMPORT, LONGEST_ROW_TEXT
from streams.imports.batches import EvaluatedPart
from streams.mapping.evaluation import KEY
from streams.mapping.language import MappingRules
from streams.queries.values import printable

# A line of a file that was corrected is still much like it was; another row on that line is not.
LIKE = 0.6
# Of a row and of one value: enough to recognise it, and less than Kafka takes in a record.
MOST_COMPARED = 2_000
MOST_SHOWN = 1_000


@dataclass(frozen=True)
class FailedRow:
    """A row that did not become an event. event_type: empty when the row fails as a whole. line: of a table
    without lines, the number of the row."""

    file: str
    line: int
    event_type: str
    column: str
    value: str | None
    reason: str
    text: str
    kind: str
    key: str | None

    def __str__(self) -> str:
        what = f"{self.column} {shown(self.value)}" if self.value is not None else self.column
        event = f" ({self.event_type})" if self.event_type else ""
        return printable(f"{self.file}:{self.line}: {what + ' ' if what else ''}{self.reason}{event}")

    def refused_id(self, source: str, number: int) -> str:
        """The same row that fails again has the same; `number`: which of equal ones it is."""
        said = "\0".join((source, self.kind, self.event_type, self.text, str(number)))
        return blake2b(said.encode(errors="replace"), digest_size=12).hexdigest()

    def as_said(self, source: str, refused_id: str) -> dict[str, Any]:
        """How it is kept in the log."""
        return {
            "stage": IMPORT,
            "reason": str(self)[:LONGEST_REASON],
            "event_type": self.event_type,
            "refused_id": refused_id,
            "source": source,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "value": self.value and self.value[:MOST_SHOWN],
            "why": self.reason,
            "kind": self.kind,
            "key": self.key if self.key is not None and len(self.key) <= MOST_SHOWN else None,
            "row": self.text[:LONGEST_ROW_TEXT],
        }


def topic_of(row: FailedRow, rules: MappingRules) -> str:
    """The topic of the event it would have been; of the file's first event when the row fails as a whole."""
    for rule in rules.events:
        if rule.event.name == row.event_type or (not row.event_type and rule.file == row.kind):
            return rule.event.topic
    return rules.events[0].event.topic


def failed_in(
    found: EvaluatedPart, conflicts: Sequence[pl.DataFrame] = (), most: int | None = None
) -> list[FailedRow]:
    """The failed rows of a part, in their order; `conflicts`: beside each rule, faults that are known only
    once all is read. `most`: no more than these are looked up."""
    named = [("", found.rows.faults)]
    named += [(mapped.rule.event.name, mapped.faults) for mapped in found.mapped]
    named += [(mapped.rule.event.name, more) for mapped, more in zip(found.mapped, conflicts, strict=False)]
    faults = [
        (row, event_type, column, value, reason)
        for event_type, frame in named
        for row, column, value, reason in frame.iter_rows()
    ]
    faults.sort(key=lambda fault: fault[0])
    faults = faults[:most]
    rows = sorted({fault[0] for fault in faults})
    places, name, kind = found.part.places(rows), found.path.name, found.file.name
    keyed = found.rows.frame.filter(pl.col(ROW).is_in(rows)).select(ROW, KEY) if rows else None
    keys = dict(keyed.iter_rows()) if keyed is not None else {}
    failed = [
        FailedRow(name, places[row][0], event, column, value, reason, places[row][1], kind, keys.get(row))
        for row, event, column, value, reason in faults
    ]
    unread = [
        FailedRow(found.path.name, bad.line, "", "", None, bad.why, bad.text, found.file.name, None)
        for bad in found.part.unread
    ]
    return sorted([*failed, *unread], key=lambda row: row.line)[:most]


def count_failed(found: EvaluatedPart) -> Counter[str]:
    """How many rows of a part failed, by event type."""
    counts = Counter({"": found.rows.faults.height + len(found.part.unread)})
    for mapped in found.mapped:
        counts[mapped.rule.event.name] += mapped.faults.height
    return counts


class OpenFailures:
    """The failed rows of earlier imports that nobody has settled: which fail again, and which no longer
    do."""

    def __init__(self, source: str, open_rows: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """`open_rows`: (place in Kafka, what it says), of the source or of others."""
        self._source = source
        self._places: dict[str, list[str]] = defaultdict(list)
        self._said: dict[str, dict[str, Any]] = {}
        self._lines: dict[tuple[str, str], dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        self._keys: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for place, said in open_rows:
            if said.get("source") != source or not isinstance(said.get("refused_id"), str):
                continue
            refused_id = said["refused_id"]
            self._places[refused_id].append(place)
            self._said[refused_id] = said
            self._lines[said["kind"], said["file"]][said["line"]].append(refused_id)
            if said.get("key") is not None and said["event_type"]:
                self._keys[said["kind"], said["event_type"]][said["key"]].append(refused_id)
        self._numbers: Counter[str] = Counter()
        self._failing: set[str] = set()
        self._fine: set[str] = set()

    def new_id(self, row: FailedRow) -> tuple[str, bool]:
        """(its id, whether the log does not have it yet)."""
        first = row.refused_id(self._source, 0)
        self._numbers[first] += 1
        refused_id = row.refused_id(self._source, self._numbers[first])
        self._failing.add(refused_id)
        return refused_id, refused_id not in self._places

    def note(self, found: EvaluatedPart, failed: Sequence[FailedRow]) -> None:
        """Look which of the open ones no longer fail: their key became its event, or their line is fine."""
        for mapped in found.mapped:
            keys = self._keys.get((found.file.name, mapped.rule.event.name))
            if keys:
                made = mapped.events.filter(pl.col(KEY).is_in(list(keys)))[KEY]
                self._fine |= {refused_id for key in made for refused_id in keys[key]}
        lines = self._lines.get((found.file.name, found.path.name))
        if not lines or not found.part.frame.height:
            return
        still = {(row.line, row.event_type) for row in failed}
        for line, text in found.part.places(range(found.part.frame.height)).values():
            for refused_id in lines.get(line, ()):
                said = self._said[refused_id]
                is_same = _likeness(said["row"], text) >= LIKE
                if is_same and not {(line, ""), (line, said["event_type"])} & still:
                    self._fine.add(refused_id)

    def settled(self) -> list[str]:
        """The places of those that no longer fail."""
        return [
            place for refused_id in sorted(self._fine - self._failing) for place in self._places[refused_id]
        ]


def _likeness(before: str, now: str) -> float:
    return SequenceMatcher(None, before[:MOST_COMPARED], now[:MOST_COMPARED], autojunk=False).ratio()
