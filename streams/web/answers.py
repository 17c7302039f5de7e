"""Answers of all panels, asked once for everybody who looks: each of one moment, and kept until the numbers
move."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from schemas.errors import BatonError
from streams.queries.panel import Circumstances, Look, Panel, circumstances, circumstances_statement
from streams.queries.panels import PANELS
from streams.web.source import Position, Row, Source

ANSWER_SECONDS = 120.0
# Within so long an answer is given again without a look at the source.
FRESH_SECONDS = 2.0
# Clocks run although nothing arrives: what is open grows older, and becomes late.
CLOCK_SECONDS = 60.0
# An answer that is older is not shown while a new one is computed: whoever asks waits for the new one.
STALE_SECONDS = 120.0
# A look is kept up for those who see it live, and for a while after somebody opened it.
LIVE_SECONDS, OPENED_SECONDS = 30.0, 600.0
# While numbers move all the time: after an answer a pause of so many times what it took, and at least so long
# where nobody sees it live. The page takes a part of the machine, never most of it.
PAUSE, IDLE_SECONDS = 3.0, 30.0
# Without a worker each look opens the file, and a worker that starts meanwhile would find it held.
AWAY_SECONDS = 10.0
# A panel that looks at every event is asked again no sooner.
SLOW_SECONDS = 60.0
MOST_KEPT = 64
MOST_VALUES = 200
_AS_OF = "select as_of from warehouse.as_of"


@dataclass(frozen=True)
class Answer:
    """The rows of every panel at one moment. values: those of the dimension sliced by.
    earlier: slow panel -> the earlier moment it is of. stamps: panel -> changes when its rows do."""

    found: Circumstances
    panels: dict[str, list[Row]]
    earlier: dict[str, datetime]
    values: list[str]
    stamps: dict[str, str]
    position: Position
    notice: str
    asked_at: float
    took: float

    @property
    def as_of(self) -> datetime:
        """The instant of all these numbers."""
        return self.found.as_of

    @property
    def stamp(self) -> str:
        """Changes when any number does."""
        return _digest("".join(self.stamps.values()))


@dataclass(frozen=True)
class _Slow:
    rows: list[Row]
    as_of: datetime
    token: str
    asked_at: float


class Answers:
    """Answers by look. One thread asks for a look at a time; others get what is there, or wait for it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._kept: OrderedDict[Look, Answer] = OrderedDict()
        self._slow: dict[str, _Slow] = {}
        self._live: dict[Look, float] = {}
        self._opened: dict[Look, float] = {}
        self._turns: dict[Look, threading.Lock] = {}
        self._lock = threading.Lock()
        self.failure: BatonError | None = None
        # How far the numbers were at the last look, at most a second or so ago; empty before the first.
        self.token = ""

    def of(self, look: Look) -> Answer:
        """The answer to a look. Raises BatonError when there is none, not even an older one, and ValueError
        for a window that is not understood."""
        with self._lock:
            self._opened[look] = time.monotonic()
        kept = self._find(look)
        if kept is not None and _age(kept) < FRESH_SECONDS:
            return kept
        if kept is not None and _age(kept) < max(STALE_SECONDS, 2 * PAUSE * kept.took):
            self._in_background(look)
            return kept
        with self._turn(look):
            kept = self._find(look)
            if kept is not None and _age(kept) < FRESH_SECONDS:
                return kept
            return self._ask(look)

    def latest(self, look: Look) -> Answer | None:
        """What is there, for those who wait until it changes."""
        with self._lock:
            self._live[look] = time.monotonic()
        return self._find(look)

    def watch(self, is_ending: Callable[[float], bool]) -> None:
        """Until it is ending (waiting so many seconds): ask again what somebody looks at, when numbers moved.

        The first look is asked at once, so that nobody has to wait for it.
        """
        self._opened[Look()] = time.monotonic()
        while not is_ending(AWAY_SECONDS if self.source.notice() else 1.0):
            try:
                position = self.source.position()
                self.failure, self.token = None, position.token
            except BatonError as error:
                self.failure, self.token = error, ""
                continue
            for look, least in self._looked_at().items():
                kept = self._find(look)
                is_due = kept is None or _age(kept) > least + PAUSE * kept.took
                if is_due and (kept is None or _is_behind(kept, position)):
                    self._refresh(look)

    def _looked_at(self) -> dict[Look, float]:
        """The looks to keep up, and how old an answer must be at least to be asked again."""
        now = time.monotonic()
        with self._lock:
            self._live = {look: at for look, at in self._live.items() if at > now - LIVE_SECONDS}
            self._opened = {look: at for look, at in self._opened.items() if at > now - OPENED_SECONDS}
            return dict.fromkeys(self._opened, IDLE_SECONDS) | dict.fromkeys(self._live, 0.0)

    def _find(self, look: Look) -> Answer | None:
        with self._lock:
            if look in self._kept:
                self._kept.move_to_end(look)
            return self._kept.get(look)

    def _turn(self, look: Look) -> threading.Lock:
        with self._lock:
            if len(self._turns) > 4 * MOST_KEPT:
                self._turns = {at: turn for at, turn in self._turns.items() if turn.locked()}
            return self._turns.setdefault(look, threading.Lock())

    def _in_background(self, look: Look) -> None:
        if not self._turn(look).locked():
            threading.Thread(target=self._refresh, args=(look,), name="baton-page", daemon=True).start()

    def _refresh(self, look: Look) -> None:
        turn = self._turn(look)
        if not turn.acquire(blocking=False):
            return
        try:
            kept = self._find(look)
            if kept is None or _is_behind(kept, self.source.position()):
                self._ask(look)
        except BatonError as error:
            self.failure = error
        finally:
            turn.release()

    def _slow_rows(self, panel: Panel, position: Position) -> _Slow | None:
        """The rows of a slow panel, unless they have to be asked again. They are the same for every look.
        That there were none is not kept: asking costs nothing then, and the page would go on saying so."""
        slow = self._slow.get(panel.id)
        is_kept = (
            slow is not None
            and bool(slow.rows)
            and (
                time.monotonic() - slow.asked_at < SLOW_SECONDS
                or (slow.token == position.token and position.is_pinned)
            )
        )
        return slow if is_kept else None

    def _ask(self, look: Look) -> Answer:
        asked_at = time.monotonic()
        position = self.source.position()
        [[row]] = self.source.ask([circumstances_statement(look)], ANSWER_SECONDS)
        found = circumstances(look, tuple(row.values()))
        kept = {panel.id: slow for panel in PANELS if (slow := self._slow_rows(panel, position)) is not None}
        asked = [panel for panel in PANELS if panel.id not in kept]
        statements = [_AS_OF, values_statement(look), *(panel.statement(found) for panel in asked)]
        [[moment], values, *rows] = self.source.ask(statements, ANSWER_SECONDS)
        found = replace(found, as_of=moment["as_of"])
        panels = {panel.id: answer for panel, answer in zip(asked, rows, strict=True)}
        for panel in asked:
            if panel.is_slow:
                slow = _Slow(panels[panel.id], found.as_of, position.token, time.monotonic())
                self._slow[panel.id] = slow
        panels |= {panel_id: slow.rows for panel_id, slow in kept.items()}
        now = (found.as_of, position.token)
        earlier = {name: slow.as_of for name, slow in kept.items() if (slow.as_of, slow.token) != now}
        stamps = {name: _digest(repr(_steady(answer))) for name, answer in panels.items()}
        known, took = [row["value"] for row in values], time.monotonic() - asked_at
        answer = Answer(found, panels, earlier, known, stamps, position, self.source.notice(), asked_at, took)
        with self._lock:
            self._kept[look] = answer
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        self.failure = None
        return answer


def values_statement(look: Look) -> str:
    """The SELECT of the values of the dimension that is sliced by, to choose another one."""
    if look.dimension == "all":
        return "select null::varchar as value limit 0"
    column = look.dimension  # one of DIMENSIONS, see read_address
    return f"select distinct {column} as value from funnel.lead_dimension order by value limit {MOST_VALUES}"


def _is_behind(kept: Answer, position: Position) -> bool:
    if kept.position.token != position.token:
        return True
    if kept.earlier and _age(kept) > SLOW_SECONDS:
        return True
    return not position.is_pinned and _age(kept) > CLOCK_SECONDS


def _age(kept: Answer) -> float:
    return time.monotonic() - kept.asked_at


def _steady(rows: list[Row]) -> list[list[Any]]:
    """The values without the last digits of sums that depend on their order."""
    return [[f"{v:.9g}" if isinstance(v, float) else v for v in row.values()] for row in rows]


def _digest(text: str) -> str:
    return hashlib.blake2s(text.encode(), digest_size=8).hexdigest()
