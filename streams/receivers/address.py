"""Addresses of receivers: resolved once, judged, and connected to as resolved."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Collection

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """An address that Baton does not connect to."""


async def resolve(host: str, port: int, allowed: Collection[str]) -> list[str]:
    """The addresses of a host, of which any may be connected to.

    All must be public, unless `allowed` names the host, or a network that holds the address: a name that also
    points inside is refused as a whole. Raises Refused, and OSError when there is no such host.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(place[0]).partition("%")[0] for *_, place in found))
    for address in addresses:
        if host not in allowed and not is_allowed(address, allowed):
            raise Refused(f"{host} is {address}, which is not public; allow_private names no such address")
    return addresses


def is_allowed(text: str, allowed: Collection[str]) -> bool:
    """Whether an address is public, or in one of the networks named."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    if address.is_global and not address.is_multicast:
        return True
    return any(address in network for network in map(_network, allowed) if network is not None)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None
