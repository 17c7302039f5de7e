"""What each kind of HTTP receiver takes: the address, the headers and the body of one notification."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from standardwebhooks import Webhook

from streams.receivers.configuration import Receiver
from streams.receivers.notification import ENDED, Notification

Request = tuple[str, bytes, dict[str, str]]
_COLOURS = {"info": "Accent", "warning": "Warning", "critical": "Attention"}
# Alertmanager resolves by itself what it does not get again within minutes; until this long it stays.
_ACTIVE_FOR = timedelta(days=90)
_MOST_CHARACTERS = 2_900  # of a section in Slack


def request_of(receiver: Receiver, notifications: Sequence[Notification], now: datetime) -> Request:
    """URL, body and headers. Only chats take more than one notification."""
    url, body, headers = _FORMATS[receiver.kind](receiver, notifications, now)
    data = json.dumps(body, separators=(",", ":")).encode()
    if receiver.kind == "webhook":
        headers = _signed(receiver, notifications[0], data, now)
    return url, data, {"Content-Type": "application/json", **headers}


def _signed(receiver: Receiver, one: Notification, data: bytes, now: datetime) -> dict[str, str]:
    """Standard Webhooks: the receiver knows the sender, and what it got before by the same webhook-id."""
    signature = Webhook(receiver.secret).sign(one.notice_id, now, data.decode())
    stamp = str(int(now.timestamp()))
    return {"webhook-id": one.notice_id, "webhook-timestamp": stamp, "webhook-signature": signature}


def _webhook(
    receiver: Receiver, many: Sequence[Notification], now: datetime
) -> tuple[str, Any, dict[str, str]]:
    one = many[0]
    state = "retracted" if one.is_retracted else "resolved" if one.step == ENDED else one.step
    data = {
        "alert_id": one.alert_id,
        "rule": one.rule,
        "severity": one.severity,
        "subject": one.subject,
        "summary": one.summary,
        "facts": dict(one.facts),
        "link": one.link,
        "opened_at": one.opened_at.isoformat(),
        "ended_at": one.ended_at.isoformat() if one.ended_at else None,
    }
    return receiver.url, {"type": f"alert.{state}", "timestamp": now.isoformat(), "data": data}, {}


def _pagerduty(
    receiver: Receiver, many: Sequence[Notification], now: datetime
) -> tuple[str, Any, dict[str, str]]:
    one = many[0]
    body: dict[str, Any] = {"routing_key": receiver.secret, "dedup_key": one.alert_id}
    if one.step == ENDED:
        return receiver.url, {**body, "event_action": "resolve"}, {}
    payload = {
        "summary": one.summary[:1024],
        "source": "baton",
        "severity": one.severity,
        "timestamp": one.opened_at.isoformat(),
        "component": one.subject,
        "class": one.rule,
        "custom_details": dict(one.facts),
    }
    links = [{"href": one.link, "text": "Evidence"}]
    return receiver.url, {**body, "event_action": "trigger", "payload": payload, "links": links}, {}


def _alertmanager(
    receiver: Receiver, many: Sequence[Notification], now: datetime
) -> tuple[str, Any, dict[str, str]]:
    one = many[0]
    ends_at = one.ended_at or now + _ACTIVE_FOR
    alert = {
        "labels": {
            "alertname": one.rule,
            "severity": one.severity,
            "subject": one.subject,
            "alert_id": one.alert_id,
            "service": "baton",
        },
        "annotations": {"summary": one.summary, **{_label(name): value for name, value in one.facts}},
        "startsAt": one.opened_at.isoformat(),
        "endsAt": max(ends_at, one.opened_at).isoformat(),
        "generatorURL": one.link,
    }
    return f"{receiver.url.rstrip('/')}/api/v2/alerts", [alert], {}


def _label(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in name.lower())


def _slack(
    receiver: Receiver, many: Sequence[Notification], now: datetime
) -> tuple[str, Any, dict[str, str]]:
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _heading(many)[:150]}}
    ]
    for one in many[:15]:
        said = _escaped(one.summary)[:_MOST_CHARACTERS]
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": said}})
        fields = [
            {"type": "mrkdwn", "text": f"*{_escaped(name)}*\n{_escaped(value)}"[:1900]}
            for name, value in one.facts[:10]
        ]
        if fields:
            blocks.append({"type": "section", "fields": fields})
        link = {"type": "button", "text": {"type": "plain_text", "text": "Evidence"}, "url": one.link}
        blocks.append({"type": "actions", "elements": [link]})
    return receiver.url, {"text": _heading(many), "blocks": blocks}, {}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(
    receiver: Receiver, many: Sequence[Notification], now: datetime
) -> tuple[str, Any, dict[str, str]]:
    colour = "Good" if many[0].step == ENDED else _COLOURS[many[0].severity]
    body: list[dict[str, Any]] = [
        {
            "type": "TextBlock",
            "size": "Medium",
            "weight": "Bolder",
            "wrap": True,
            "color": colour,
            "text": _heading(many),
        }
    ]
    for one in many[:15]:
        body.append({"type": "TextBlock", "wrap": True, "text": one.summary})
        facts = [{"title": name, "value": value} for name, value in one.facts]
        body.append({"type": "FactSet", "facts": facts})
        opens = {"type": "Action.OpenUrl", "title": "Evidence", "url": one.link}
        body.append({"type": "ActionSet", "actions": [opens]})
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return receiver.url, {"type": "message", "attachments": [attachment]}, {}


def _heading(many: Sequence[Notification]) -> str:
    return many[0].title if len(many) == 1 else f"{len(many)} alerts: {many[0].title} and others"


_FORMATS: Mapping[
    str, Callable[[Receiver, Sequence[Notification], datetime], tuple[str, Any, dict[str, str]]]
] = {
    "webhook": _webhook,
    "pagerduty": _pagerduty,
    "alertmanager": _alertmanager,
    "slack": _slack,
    "teams": _teams,
}


def example(now: datetime | None = None) -> Notification:
    """A notification that says that it is a test."""
    at = now or datetime.now(UTC)
    return Notification(
        f"baton-test-{int(at.timestamp())}",
        f"baton-test-{int(at.timestamp())}",
        "opened",
        "test",
        "info",
        "a test of Baton",
        "This is a test of the receiver: nothing is late.",
        (("what to do", "nothing"),),
        "https://example.com/",
        at,
    )
