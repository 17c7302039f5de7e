"""Mail by SMTP, to an address that was judged."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from streams.receivers.address import Refused, resolve
from streams.receivers.configuration import Receiver
from streams.receivers.notification import OPENED, Attempt, Notification


async def send_mail(receiver: Receiver, many: Sequence[Notification], now: datetime) -> Attempt:
    """Send one message once. Never raises for what the network or the server does.

    The same notification has the same Message-ID, by which mailboxes recognise a copy.
    """
    try:
        addresses = await resolve(receiver.host, receiver.port, receiver.allow_private)
    except Refused as error:
        return Attempt(False, str(error), is_permanent=True)
    except OSError as error:
        return Attempt(False, f"{receiver.host}: {error.strerror or error}")
    message = message_of(receiver, many, now)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, _send, receiver, addresses[0], message)


def message_of(receiver: Receiver, many: Sequence[Notification], now: datetime) -> EmailMessage:
    """The mail. Later steps of an alert answer its first, so that a reader sees one thread."""
    one = many[0]
    domain = receiver.sender.rpartition("@")[2].rstrip(">") or "baton"
    message = EmailMessage()
    message["Subject"] = one.title if len(many) == 1 else f"{len(many)} alerts: {one.title} and others"
    message["From"], message["To"] = receiver.sender, ", ".join(receiver.to)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = (
        f"<{one.notice_id}.{len(many)}@{domain}>" if one.notice_id else make_msgid(domain=domain)
    )
    if one.step != OPENED:
        message["In-Reply-To"] = message["References"] = f"<{one.alert_id}-{OPENED}.1@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n\n".join(each.text for each in many))
    return message


class _Pinned(smtplib.SMTP):
    """Connects to the resolved address; TLS checks the name."""

    def __init__(
        self, host: str, address: str, port: int, timeout: float, tls: ssl.SSLContext | None
    ) -> None:
        self._address, self._tls = address, tls
        super().__init__(host, port, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((self._address, port), timeout)
        return plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=host)


def _send(receiver: Receiver, address: str, message: EmailMessage) -> Attempt:
    is_handed_over = False
    try:
        context = ssl.create_default_context(cafile=receiver.ca_file)
        at_once = context if receiver.tls == "tls" else None
        with _Pinned(receiver.host, address, receiver.port, receiver.timeout_seconds, at_once) as server:
            if receiver.tls == "starttls":
                server.starttls(context=context)
            if receiver.secret:
                server.login(receiver.username, receiver.secret)
            server.ehlo_or_helo_if_needed()
            is_handed_over = True
            server.send_message(message)
            is_handed_over = False
        return Attempt(True, "accepted")
    except smtplib.SMTPResponseException as error:
        return _refused(error.smtp_code, error.smtp_error)
    except smtplib.SMTPRecipientsRefused as error:
        return _refused(*next(iter(error.recipients.values())))
    except smtplib.SMTPNotSupportedError as error:
        return Attempt(False, str(error), is_permanent=True)
    except (OSError, smtplib.SMTPException) as error:
        return Attempt(False, f"{type(error).__name__}: {error}", is_unsure=is_handed_over)


def _refused(code: int, said: bytes | str) -> Attempt:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return Attempt(False, f"it answered {code}: {text}", is_permanent=code >= 500)
