"""One HTTP request to a receiver: to an address that was judged, without redirects, with bounds on
everything."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from socket import AddressFamily
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from streams.receivers.address import Refused, is_allowed, resolve
from streams.receivers.configuration import Receiver
from streams.receivers.notification import Attempt

MOST_SHOWN_BYTES = 300
LONGEST_RETRY_AFTER_SECONDS = 3_600.0
# The same request may be accepted later; any other 4xx is refused again.
_MAY_PASS = (408, 425, 429)


class _Judged(AbstractResolver):
    """Resolves a name once for each connection, and hands on what may be connected to."""

    def __init__(self, allowed: Collection[str]) -> None:
        self.allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises Refused."""
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=AddressFamily.AF_INET6 if ":" in address else AddressFamily.AF_INET,
                proto=0,
                flags=0,
            )
            for address in await resolve(host, port, self.allowed)
        ]

    async def close(self) -> None:
        """Nothing to close."""


async def post(receiver: Receiver, url: str, body: bytes, headers: Mapping[str, str]) -> Attempt:
    """Send once. Never raises for what the network or the receiver does."""
    try:
        host = urlsplit(url).hostname or ""
        # A literal address does not pass the resolver.
        if (
            _is_literal(host)
            and host not in receiver.allow_private
            and not is_allowed(host, receiver.allow_private)
        ):
            raise Refused(f"{host} is not public; allow_private names no such address")
        context = ssl.create_default_context(cafile=receiver.ca_file)
    except Refused as error:
        return Attempt(False, str(error), is_permanent=True)
    except OSError as error:
        return Attempt(False, f"ca_file: {error.strerror or error}", is_permanent=True)
    timeout = aiohttp.ClientTimeout(total=receiver.timeout_seconds)
    connector = aiohttp.TCPConnector(
        resolver=_Judged(receiver.allow_private), ssl=context, use_dns_cache=False, force_close=True
    )
    try:
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session:
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                said = await answer.content.read(MOST_SHOWN_BYTES)
                return _judged(answer.status, answer.headers, said)
    except Refused as error:
        return Attempt(False, str(error), is_permanent=True)
    except aiohttp.ClientConnectorError as error:  # nothing was sent
        if isinstance(error.__cause__, Refused):
            return Attempt(False, str(error.__cause__), is_permanent=True)
        return Attempt(False, _said(error, url))
    except aiohttp.ConnectionTimeoutError as error:
        return Attempt(False, _said(error, url))
    except TimeoutError:
        return Attempt(False, f"no answer within {receiver.timeout_seconds:g} s", is_unsure=True)
    except (aiohttp.ClientError, OSError) as error:
        return Attempt(False, _said(error, url), is_unsure=True)


def _judged(status: int, headers: Mapping[str, str], said: bytes) -> Attempt:
    text = said.decode("utf-8", "replace").strip().replace("\n", " ")
    why = f"it answered {status}" + (f": {text}" if text else "")
    if 200 <= status < 300:
        return Attempt(True, why)
    if 300 <= status < 400:
        return Attempt(False, f"{why}; redirects are not followed", is_permanent=True)
    if 400 <= status < 500 and status not in _MAY_PASS:
        return Attempt(False, why, is_permanent=True)
    return Attempt(False, why, retry_after_seconds=retry_after(headers.get("Retry-After")))


def retry_after(said: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or as a date; at most an hour."""
    if said is None:
        return None
    try:
        seconds = float(said) if said.strip().isdigit() else _until(said, now or datetime.now(UTC))
    except (TypeError, ValueError):
        return None
    return min(max(0.0, seconds), LONGEST_RETRY_AFTER_SECONDS)


def _until(date: str, now: datetime) -> float:
    at = parsedate_to_datetime(date)
    return (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _said(error: BaseException, url: str) -> str:
    """Without the address, which may be the secret itself."""
    said = str(error).replace(url, "its address")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
