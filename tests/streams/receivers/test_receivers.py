"""Receivers against real servers on this machine that take, refuse, hang, die, redirect, and show bad
certificates."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook

from schemas.errors import BatonError
from streams.receivers.address import Refused, is_allowed, resolve
from streams.receivers.configuration import Receiver, read_receivers
from streams.receivers.formats import request_of
from streams.receivers.http import retry_after
from streams.receivers.notification import Attempt, Notification
from streams.receivers.sending import send
from tests.streams.reactions.receiving import SECRET, Got, receiving

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def notification(step: str = "opened", **said: Any) -> Notification:
    fields: dict[str, Any] = {
        "notice_id": f"a1-{step}",
        "alert_id": "a1",
        "step": step,
        "rule": "answer_past_due",
        "severity": "critical",
        "subject": "handoff h-1",
        "summary": "Sales Development owes Marketing an answer on <h-1> & more",
        "facts": (("SLA", "an answer within 2 hours"), ("late by", "5 minutes of business time")),
        "link": "https://baton.example.com/life/handoff/h-1",
        "opened_at": NOW,
        "ended_at": NOW + timedelta(hours=1) if step == "ended" else None,
    }
    return Notification(**{**fields, **said})


def hook(url: str, kind: str = "webhook", **said: Any) -> Receiver:
    given = {"secret": SECRET, "allow_private": ("127.0.0.1",), "timeout_seconds": 0.5, **said}
    return Receiver("hook", kind, url, **given)


def sent(receiver: Receiver, *many: Notification) -> Attempt:
    return asyncio.run(send(receiver, many or [notification()], datetime.now(UTC)))


# --- what HTTP receivers answer ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param((200, {}), Attempt(True, "it answered 200"), id="it takes it"),
        pytest.param((500, {}), Attempt(False, "it answered 500"), id="it fails"),
        pytest.param(
            (429, {"Retry-After": "7"}),
            Attempt(False, "it answered 429", retry_after_seconds=7.0),
            id="it is busy and says for how long",
        ),
        pytest.param((404, {}), Attempt(False, "it answered 404", is_permanent=True), id="it refuses"),
        pytest.param(
            (302, {"Location": "http://169.254.169.254/latest/meta-data"}),
            Attempt(False, "it answered 302; redirects are not followed", is_permanent=True),
            id="it redirects to an address inside",
        ),
    ],
)
def test_what_becomes_of_an_answer(answer: tuple[int, dict[str, str]], expected: Attempt) -> None:
    with receiving() as site:
        site.answer = lambda got: answer
        assert sent(hook(site.url)) == expected
        assert len(site.got) == 1


def test_a_receiver_that_hangs_may_have_taken_it() -> None:
    def hang(got: Got) -> tuple[int, dict[str, str]]:
        time.sleep(1)
        return 200, {}

    with receiving() as site:
        site.answer = hang
        attempt = sent(hook(site.url))
    assert (attempt.is_delivered, attempt.is_unsure, attempt.why) == (False, True, "no answer within 0.5 s")


def test_a_receiver_that_dies_after_accepting_may_have_taken_it() -> None:
    with receiving() as site:
        site.answer = lambda got: None
        attempt = sent(hook(site.url))
        assert len(site.got) == 1
    assert (attempt.is_delivered, attempt.is_unsure, attempt.is_permanent) == (False, True, False)


def test_nobody_listening_is_certain_and_may_pass() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    attempt = sent(hook(f"http://127.0.0.1:{port}/"))
    assert (attempt.is_delivered, attempt.is_unsure, attempt.is_permanent) == (False, False, False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]"])
def test_an_address_inside_is_refused_unless_it_is_named(host: str) -> None:
    with receiving() as site:
        attempt = sent(hook(f"http://{host}:{site.port}/", allow_private=("10.0.0.0/8",)))
        assert site.got == []
    assert attempt.is_permanent and "not public" in attempt.why


def test_a_host_that_is_named_is_reached() -> None:
    with receiving() as site:
        assert sent(hook(f"http://localhost:{site.port}/", allow_private=("localhost",))).is_delivered


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("::1", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:0a00:0001::", False),
        ("224.0.0.1", False),
    ],
)
def test_which_addresses_are_public(address: str, is_public: bool) -> None:
    assert is_allowed(address, ()) is is_public
    assert is_allowed("10.1.2.3", ("10.1.2.0/24",)) and not is_allowed("10.1.3.3", ("10.1.2.0/24",))


def test_a_name_is_judged_by_all_its_addresses() -> None:
    with pytest.raises(Refused, match="localhost is"):
        asyncio.run(resolve("localhost", 80, ()))


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after("12") == 12.0
    assert retry_after("Mon, 02 Mar 2026 12:00:30 GMT", NOW) == 30.0
    assert retry_after("Mon, 02 Mar 2026 11:00:00 GMT", NOW) == 0.0
    assert retry_after("999999") == 3600.0
    assert retry_after("soon") is None and retry_after(None) is None


# --- certificates -----------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return pem, secret


@pytest.mark.parametrize(
    ("name", "is_trusted", "is_delivered"),
    [
        pytest.param("localhost", True, True, id="one that a known authority vouches for"),
        pytest.param("localhost", False, False, id="one that nobody vouches for"),
        pytest.param("elsewhere.example.com", True, False, id="one of somebody else"),
    ],
)
def test_a_certificate_decides_who_is_spoken_to(
    tmp_path: Path, name: str, is_trusted: bool, is_delivered: bool
) -> None:
    pem, key = certificate(tmp_path, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    with receiving(tls=context) as site:
        trusted = {"ca_file": pem} if is_trusted else {}
        receiver = hook(
            f"https://localhost:{site.port}/", allow_private=("localhost",), timeout_seconds=5, **trusted
        )
        attempt = sent(receiver)
        assert bool(site.got) is is_delivered
    assert attempt.is_delivered is is_delivered, attempt
    assert is_delivered or "certificate verify failed" in attempt.why.lower()


# --- what each kind is sent -------------------------------------------------------------------------


def body_of(kind: str, *many: Notification) -> Any:
    _, data, _ = request_of(hook("https://example.com/x", kind), many or [notification()], NOW)
    return json.loads(data)


def test_a_webhook_is_signed_and_keeps_its_id_when_it_is_sent_again() -> None:
    with receiving() as site:
        sent(hook(site.url))
        sent(hook(site.url))
    for got in site.got:
        said = Webhook(SECRET).verify(got.raw, got.headers)
        assert (said["type"], said["data"]["alert_id"]) == ("alert.opened", "a1")
    assert [got.headers["webhook-id"] for got in site.got] == ["a1-opened", "a1-opened"]


def test_a_pager_opens_and_resolves_one_incident() -> None:
    opened, ended = body_of("pagerduty"), body_of("pagerduty", notification("ended"))
    assert (opened["event_action"], ended["event_action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == ended["dedup_key"] == "a1"
    assert opened["payload"]["severity"] == "critical" and opened["payload"]["source"] == "baton"
    assert opened["links"][0]["href"].endswith("/life/handoff/h-1")


def test_alertmanager_gets_the_same_labels_for_both_ends() -> None:
    [opened], [ended] = body_of("alertmanager"), body_of("alertmanager", notification("ended"))
    assert opened["labels"] == ended["labels"]
    assert ended["endsAt"] == "2026-03-02T13:00:00+00:00" and opened["endsAt"] > ended["endsAt"]
    assert opened["annotations"]["late_by"] == "5 minutes of business time"


def test_chats_get_what_is_late_and_a_link_and_cannot_be_told_to_mention_anybody() -> None:
    slack, teams = body_of("slack"), body_of("teams", notification(), notification(subject="handoff h-2"))
    assert slack["blocks"][1]["text"]["text"].endswith("&lt;h-1&gt; &amp; more")
    assert slack["blocks"][-1]["elements"][0]["url"] == notification().link
    card = teams["attachments"][0]["content"]
    assert teams["attachments"][0]["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert card["body"][0]["text"].startswith("2 alerts: ")
    assert [part["type"] for part in card["body"]].count("FactSet") == 2


def test_standard_output_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "alerts.txt"
    sent(Receiver("local", "stdout", path=file), notification(), notification("ended"))
    assert "[critical] answer_past_due: handoff h-1" in file.read_text()
    assert "[resolved] answer_past_due: handoff h-1" in file.read_text()


# --- the file of receivers --------------------------------------------------------------------------

FILE = """
[[receiver]]
id = "chat"
kind = "slack"
url_env = "CHAT_URL"

[[receiver]]
id = "hook"
kind = "webhook"
url = "https://hooks.example.com/baton"
secret_file = "hook.key"
"""


def test_secrets_come_from_the_environment_or_a_file_and_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "receivers.toml").write_text(FILE)
    (tmp_path / "hook.key").write_text(SECRET + "\n")
    found = read_receivers(tmp_path / "receivers.toml", {"CHAT_URL": "https://chat.example.com/T0/B0/secret"})
    assert found["chat"].url.endswith("secret") and found["hook"].secret == SECRET
    assert "secret" not in repr(found["chat"]).replace("secret=", "") and SECRET not in repr(found)
    assert found["chat"].shown == "chat.example.com"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param('kind = "fax"', "kind is one of", id="an unknown kind"),
        pytest.param('kind = "slack"\nurl_env = "NOT_SET"', "NOT_SET is not set", id="an unset variable"),
        pytest.param('kind = "webhook"\nurl = "https://x.example.com"', "signing secret", id="no secret"),
        pytest.param(
            'kind = "webhook"\nurl = "https://x.example.com"\nsecret = "x"',
            "no 'secret'",
            id="a secret in it",
        ),
        pytest.param('kind = "slack"\nurl = "http://chat.example.com"', "without TLS", id="no TLS"),
        pytest.param(
            'kind = "smtp"\nhost = "m"\nfrom = "a@b"\nto = ["c@d"]\ntls = "none"\nsecret_env = "S"',
            "does not cross",
            id="a password without TLS",
        ),
    ],
)
def test_what_is_wrong_with_the_file_is_said(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "receivers.toml").write_text(f'[[receiver]]\nid = "r"\n{text}\n')
    with pytest.raises(BatonError) as error:
        read_receivers(tmp_path / "receivers.toml", {"S": "x"})
    assert why in error.value.why
