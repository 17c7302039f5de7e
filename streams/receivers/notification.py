"""What a notification says, and what became of sending it: shared by all kinds of receivers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

OPENED, ESCALATED, ENDED = "opened", "escalated", "ended"


@dataclass(frozen=True)
class Notification:
    """One step of one alert, in the words and figures of people.

    notice_id: the same however often it is sent. alert_id: the same for all steps of the alert. facts:
    label and value, in order. is_retracted: the alert never was.
    """

    notice_id: str
    alert_id: str
    step: str
    rule: str
    severity: str
    subject: str
    summary: str
    facts: Sequence[tuple[str, str]]
    link: str
    opened_at: datetime
    ended_at: datetime | None = None
    is_retracted: bool = False

    @property
    def title(self) -> str:
        """What it is about, in a line."""
        state = {OPENED: self.severity, ESCALATED: "escalated"}.get(self.step)
        state = state or ("retracted" if self.is_retracted else "resolved")
        return f"[{state}] {self.rule}: {self.subject}"

    @property
    def text(self) -> str:
        """All of it, as plain text."""
        return "\n".join(
            [self.title, self.summary, *(f"{name}: {value}" for name, value in self.facts), self.link]
        )


@dataclass(frozen=True)
class Attempt:
    """What became of one attempt. is_unsure: it may have arrived. is_permanent: the same would be refused
    again. retry_after_seconds: what the receiver asked for."""

    is_delivered: bool
    why: str = ""
    is_unsure: bool = False
    is_permanent: bool = False
    retry_after_seconds: float | None = None
