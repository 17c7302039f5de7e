"""Sending notifications to a receiver, whatever kind it is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from streams.receivers.configuration import Receiver
from streams.receivers.formats import request_of
from streams.receivers.http import post
from streams.receivers.mail import send_mail
from streams.receivers.notification import Attempt, Notification


async def send(receiver: Receiver, many: Sequence[Notification], now: datetime | None = None) -> Attempt:
    """One attempt to send these notifications as one message. Never raises for what the receiver does."""
    now = now or datetime.now(UTC)
    if receiver.kind == "smtp":
        return await send_mail(receiver, many, now)
    if receiver.kind == "stdout":
        return _write(receiver, many)
    url, body, headers = request_of(receiver, many, now)
    return await post(receiver, url, body, headers)


def _write(receiver: Receiver, many: Sequence[Notification]) -> Attempt:
    text = "".join(f"{one.text}\n\n" for one in many)
    try:
        if receiver.path is None:
            sys.stdout.write(text)
            sys.stdout.flush()
        else:
            with receiver.path.open("a", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        return Attempt(False, f"{receiver.path or 'standard output'}: {error.strerror or error}")
    return Attempt(True, "written")
