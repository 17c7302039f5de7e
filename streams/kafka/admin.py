"""An admin connection to Kafka (kafka-python), with every failure raised as a BatonError."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from schemas.errors import BatonError, ExitCode
from streams.project import Project, broker_hosts


class _LastWarning(logging.Handler):
    """Keeps kafka-python's latest warning: the client retries silently, and only this says why.

    As a handler, it also keeps these lines off the terminal when logging is not configured.
    """

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        # The repeated deadline and the pauses between retries are not reasons.
        is_reason = not text.startswith("Bootstrap failed") and "not ready; waiting" not in text
        # A refused login is the reason however later attempts end; a deadline is one if none is known.
        if is_reason and "AuthenticationFailed" not in self.text and not (self.text and "timed out" in text):
            self.text = text


_last_warning = _LastWarning(level=logging.WARNING)
logging.getLogger("kafka").addHandler(_last_warning)


def connection(where: Project | str) -> dict[str, Any]:
    """Client keywords for a project, or for bare bootstrap servers (no TLS, no login)."""
    if isinstance(where, Project):
        return where.client_settings()
    return {"bootstrap_servers": where, "security_protocol": "PLAINTEXT"}


@contextmanager
def admin(where: Project | str, timeout_seconds: float = 10.0) -> Iterator[KafkaAdminClient]:
    """An admin client whose broker has answered a metadata request.

    Raises BatonError (exit 4) when no broker answers within timeout_seconds, and for any error Kafka
    returns to the caller's requests.
    """
    settings = connection(where)
    servers = settings["bootstrap_servers"]
    _refuse_dead_ports(servers)
    _last_warning.text = ""
    try:
        client = KafkaAdminClient(
            **settings,
            client_id="baton-admin",
            bootstrap_timeout_ms=int(timeout_seconds * 1000),
            request_timeout_ms=int(max(timeout_seconds, 10.0) * 1000),
        )
    except (KafkaError, OSError, ValueError) as error:
        why = f"{error}; {_last_warning.text}".strip("; ")
        if "socket disconnected" in why and settings["security_protocol"] != "PLAINTEXT":
            why += "; brokers hang up like this on a login or client certificate that they refuse"
        raise unreachable(servers, why) from error
    try:
        if isinstance(where, Project):
            where.refuse_open_login([node["host"] for node in client.describe_cluster()["brokers"]])
        yield client
    except KafkaError as error:
        raise BatonError(
            "Kafka refused a request",
            where=servers,
            why=f"{type(error).__name__}: {error}",
            next_command="baton doctor",
            exit_code=ExitCode.UNREACHABLE,
        ) from error
    finally:
        client.close()


def unreachable(servers: str, why: str) -> BatonError:
    """The error for a broker that does not answer, the same everywhere."""
    return BatonError(
        "Kafka does not answer",
        where=servers,
        why=why,
        next_command="baton doctor",
        exit_code=ExitCode.UNREACHABLE,
    )


def _refuse_dead_ports(servers: str) -> None:
    """Fail at once when nothing listens, instead of letting the client retry until its deadline."""
    reasons = {}
    for server, host in zip(servers.split(","), broker_hosts(servers), strict=True):
        try:
            socket.create_connection((host, int(server.rpartition(":")[2])), timeout=5).close()
            return
        except OSError as error:
            reasons[server.strip()] = error.strerror or str(error)
    if len(reasons) == 1:
        raise unreachable(servers, reasons.popitem()[1])
    raise unreachable(servers, "; ".join(f"{server}: {reason}" for server, reason in reasons.items()))
