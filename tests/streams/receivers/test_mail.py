"""Mail against a server on this machine that takes, refuses and dies."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from streams.receivers.configuration import Receiver
from streams.receivers.notification import Attempt
from tests.streams.receivers.test_receivers import notification, sent


@contextmanager
def mail_server(reply: Callable[[str], str | None]) -> Iterator[tuple[int, list[str]]]:
    """A server that speaks as much SMTP as a client needs. reply: to a command, or to the message as ".";
    None
    closes the connection. Its port, and the lines it got."""
    got: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as stream:
                stream.write(b"220 test\r\n")
                stream.flush()
                is_data = False
                for raw in stream:
                    line = raw.decode().rstrip("\r\n")
                    got.append(line)
                    if is_data and line != ".":
                        continue
                    answer = reply(line)
                    if answer is None:
                        break
                    is_data = line.upper() == "DATA"
                    stream.write(answer.encode() + b"\r\n")
                    stream.flush()
                    if line.upper() == "QUIT":
                        break

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1], got
    finally:
        listener.close()


def accepting(line: str) -> str | None:
    said = {"DATA": "354 go on", "QUIT": "221 bye"}
    return said.get(line.upper(), "250 ok")


def mailbox(port: int, **said: Any) -> Receiver:
    given = {"allow_private": ("127.0.0.1",), "timeout_seconds": 1, "tls": "none", **said}
    return Receiver(
        "mail",
        "smtp",
        host="127.0.0.1",
        port=port,
        sender="Baton <b@example.com>",
        to=("x@example.com",),
        **given,
    )


def test_a_mail_has_one_id_however_often_it_is_sent_and_its_end_answers_it() -> None:
    with mail_server(accepting) as (port, got):
        assert sent(mailbox(port)) == Attempt(True, "accepted")
        assert sent(mailbox(port)).is_delivered
        assert sent(mailbox(port), notification("ended")).is_delivered
    ids = [line for line in got if line.startswith("Message-ID: ")]
    assert ids == ["Message-ID: <a1-opened.1@example.com>"] * 2 + ["Message-ID: <a1-ended.1@example.com>"]
    assert "In-Reply-To: <a1-opened.1@example.com>" in got


@pytest.mark.parametrize(
    ("reply", "is_unsure", "is_permanent"),
    [
        pytest.param(lambda line: "451 later" if line == "." else accepting(line), False, False, id="busy"),
        pytest.param(
            lambda line: "550 nobody" if line[:4].upper() == "RCPT" else accepting(line),
            False,
            True,
            id="refused",
        ),
        pytest.param(
            lambda line: None if line == "." else accepting(line), True, False, id="dies after accepting"
        ),
        pytest.param(lambda line: None, False, False, id="dies at once"),
    ],
)
def test_what_becomes_of_a_mail(
    reply: Callable[[str], str | None], is_unsure: bool, is_permanent: bool
) -> None:
    with mail_server(reply) as (port, _):
        attempt = sent(mailbox(port))
    assert not attempt.is_delivered
    assert (attempt.is_unsure, attempt.is_permanent) == (is_unsure, is_permanent), attempt


def test_mail_without_tls_is_no_way_around() -> None:
    with mail_server(accepting) as (port, got):
        attempt = sent(mailbox(port, tls="starttls"))
        assert attempt.is_permanent and not [line for line in got if line.upper().startswith("MAIL")]
        assert sent(mailbox(port, allow_private=())).is_permanent
