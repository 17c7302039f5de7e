"""Who is to be notified of an alert, of what and when: a function of what its events said.

Per alert and receiver there is at most one notice of each step: opened, escalated, ended. An ended notice
goes to whoever got another one before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from projections.alert_rules import AlertRule

OPENED, ESCALATED, ENDED = "opened", "escalated", "ended"
DELIVERED, FAILED, GIVEN_UP = "delivered", "failed", "given_up"
UNCERTAIN, TRYING, REDRIVEN = "uncertain", "trying", "redriven"
# After these nothing is tried again by itself.
SETTLED = (DELIVERED, GIVEN_UP, UNCERTAIN)
# An alert that is recorded so much later than it opened is history: a log that is read for the first time.
NEWS_WITHIN = timedelta(hours=24)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# What is known of an alert, as JSON: "opened", "ended" and "acknowledged" are what those events said,
# instants in microseconds; "escalated" is when it was; "notices" maps "receiver|step" to [outcome, tries].
Known = dict[str, Any]


@dataclass(frozen=True)
class Notice:
    """One message to one receiver about one step of an alert. at: from when on it may be sent. is_unsure: an
    attempt was begun, and the table does not say how it went."""

    alert_id: str
    receiver: str
    step: str
    at: datetime
    tries: int = 0
    is_unsure: bool = False

    @property
    def key(self) -> str:
        """Identifies it beside the alert."""
        return f"{self.receiver}|{self.step}"

    @property
    def notice_id(self) -> str:
        """Identifies it everywhere, however often it is sent."""
        return f"{self.alert_id}-{self.step}"


def with_event(known: Known | None, name: str, event: dict[str, Any]) -> Known:
    """What is known after another event of the alert. Of several that say the same thing the earliest counts,
    of acknowledgements the latest, so that the order of arrival does not matter."""
    known = dict(known or {})
    said = {key: _as_json(value) for key, value in event.items()}
    if name == "AlertNotified":
        key, outcome = f"{said['receiver']}|{said['step']}", said["outcome"]
        notices = dict(known.get("notices", {}))
        if outcome == REDRIVEN:
            if key in notices and notices[key][0] != DELIVERED:
                del notices[key]
        elif notices.get(key, [""])[0] != DELIVERED:
            notices[key] = [outcome, said["tries"]]
        known["notices"] = notices
    elif name == "AlertAcknowledged":
        known["acknowledged"] = max(known.get("acknowledged") or said, said, key=_order)
    elif name == "AlertEscalated":
        known["escalated"] = min(known.get("escalated") or said["occurred_at"], said["occurred_at"])
    elif name == "AlertOpened":
        known["opened"] = min(known.get("opened") or said, said, key=_order)
    else:
        said["how"] = "retracted" if name == "AlertRetracted" else "resolved"
        before = known.get("ended")
        # A retraction says that it never was, whatever else was said.
        is_stronger = before is not None and said["how"] == "retracted" and before["how"] == "resolved"
        if before is None or is_stronger:
            known["ended"] = said
        elif before["how"] == said["how"]:
            known["ended"] = min(before, said, key=_order)
    return known


def _order(said: dict[str, Any]) -> tuple[int, str, int]:
    return said["occurred_at"], said["event_id"], said["recorded_at"]


def waiting(alert_id: str, known: Known, rule: AlertRule | None) -> Iterator[Notice]:
    """The notices that are still to be sent. None of an alert that is history, or that was over before the
    quiet hours were."""
    if "opened" not in known or rule is None:
        return
    opened, ended = known["opened"], known.get("ended")
    if instant(opened["recorded_at"]) - instant(opened["occurred_at"]) > NEWS_WITHIN:
        return
    for step, receivers, since in _steps(known, rule):
        for receiver in receivers:
            notice = _notice(alert_id, known, receiver, step, rule, since)
            is_over = ended is not None and notice is not None and instant(ended["recorded_at"]) < notice.at
            if notice is not None and not (is_over and notice.at > since):
                yield notice
    if ended is not None:
        for receiver in dict.fromkeys((*rule.receivers, *rule.escalate_to)):
            before = [_outcome(known, receiver, step) for step in (OPENED, ESCALATED)]
            is_open_waiting = receiver in rule.receivers and before[0] not in SETTLED
            if before.count(DELIVERED) + before.count(UNCERTAIN) and not is_open_waiting:
                notice = _notice(alert_id, known, receiver, ENDED, rule, instant(ended["recorded_at"]))
                if notice is not None:
                    yield notice


def _steps(known: Known, rule: AlertRule) -> Iterator[tuple[str, Sequence[str], datetime]]:
    opened_at = instant(known["opened"]["recorded_at"])
    yield OPENED, rule.receivers, max(opened_at, _snoozed_until(known) or opened_at)
    if "escalated" in known and "ended" not in known:
        yield ESCALATED, rule.escalate_to, max(opened_at, instant(known["escalated"]))


def _notice(
    alert_id: str, known: Known, receiver: str, step: str, rule: AlertRule, since: datetime
) -> Notice | None:
    outcome, tries = known.get("notices", {}).get(f"{receiver}|{step}", ["", 0])
    if outcome in SETTLED:
        return None
    at = rule.quiet_hours.until(since) if rule.quiet_hours and step != ENDED else since
    return Notice(alert_id, receiver, step, at, tries, outcome == TRYING)


def _outcome(known: Known, receiver: str, step: str) -> str:
    found: str = known.get("notices", {}).get(f"{receiver}|{step}", [""])[0]
    return found


def _snoozed_until(known: Known) -> datetime | None:
    until = (known.get("acknowledged") or {}).get("snoozed_until")
    return None if until is None else instant(until)


def escalates_at(known: Known, rule: AlertRule | None) -> datetime | None:
    """When it escalates unless somebody acknowledges it or it ends; None when it does not. A snooze that ran
    out is an acknowledgement no more."""
    if rule is None or rule.escalate_after is None or "opened" not in known:
        return None
    if "ended" in known or "escalated" in known:
        return None
    since = instant(known["opened"]["recorded_at"])
    if since - instant(known["opened"]["occurred_at"]) > NEWS_WITHIN:
        return None
    if "acknowledged" in known:
        until = _snoozed_until(known)
        if until is None:
            return None
        since = max(since, until)
    return since + rule.escalate_after


def instant(micros: int) -> datetime:
    """An instant of what is known."""
    return _EPOCH + timedelta(microseconds=micros)


def _as_json(value: Any) -> Any:
    return (value - _EPOCH) // timedelta(microseconds=1) if isinstance(value, datetime) else value
