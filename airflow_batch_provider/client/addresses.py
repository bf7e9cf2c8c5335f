"""Which network addresses are public, and which only this machine or its network can reach."""

from __future__ import annotations

import ipaddress
import re
import socket

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_MAYBE_IPV4 = re.compile(r"[0-9a-fx.]+", re.IGNORECASE)


def parse_address(text: str) -> IPAddress | None:
    """Return the address that a host is, in any spelling that the C library takes; None for a name.

    :param text: the host of a URL, such as ``127.0.0.1``, ``[::1]``, ``2130706433`` or ``0x7f.1``
    """
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        pass
    if not _MAYBE_IPV4.fullmatch(text):
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(text))
    except OSError:
        return None


def is_local_name(host: str) -> bool:
    """Return whether a name is this machine's by definition (RFC 6761), whatever a proxy makes of it."""
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost")


def is_public(address: IPAddress) -> bool:
    """Return whether an address is one of the public Internet; of an IPv4 address within an IPv6 one, that decides."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    return address.is_global and not (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )


def is_link_local(address: IPAddress) -> bool:
    """Return whether an address is link-local; clouds give the credentials of a machine away there."""
    inner = _inner(address) if isinstance(address, ipaddress.IPv6Address) else None
    return (inner or address).is_link_local


def resolve(host: str, port: int) -> list[IPAddress]:
    """Return all addresses of a host.

    :raises OSError: it cannot be resolved
    """
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(address[0]) for *_, address in found]


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that packets to an IPv6 address end up at."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
