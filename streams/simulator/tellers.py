"""What tells the truth of a simulation: it hears every chapter once, and says rows of views."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from streams.simulator.simulation import Chapter

Row = dict[str, Any]


class Teller(Protocol):
    """Counts what is true while the chapters pass. Rows are (view, row); money is a decimal as text.

    It is written from the emitted facts and the playbook, in plain Python, and shares no code and no SQL
    with the views it is held against.
    """

    def add(self, chapter: Chapter) -> Iterable[tuple[str, Row]]:
        """Hear a chapter; the rows that are already certain."""
        ...

    def finish(self) -> Iterable[tuple[str, Row]]:
        """The rows that only the whole story can tell."""
        ...
