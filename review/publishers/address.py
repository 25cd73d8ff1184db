"""Which addresses copydesk connects to: of a URL that the operator wrote, and of what its host's name leads to.

A name is resolved once, all that it leads to is judged, and the connection goes to exactly what was judged: a name that
leads elsewhere a moment later (DNS rebinding) leads nowhere.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from capture import BadSetting
from review.errors import NotSent

Network = IPv4Network | IPv6Network
"""Addresses that begin alike, as `10.1.0.0/16`."""

Resolve = Callable[[str, int], Sequence[str]]
"""From a host and a port to the addresses that its name leads to."""

HTTPS = 443
"""The one port that need not be named."""

# https://www.iana.org/assignments/iana-ipv4-special-registry and multicast; written out, since `is_global` of the
# standard library answers differently from one release to the next (192.88.99.0/24, 64:ff9b::/96).
_NOT_PUBLIC = tuple(
    IPv4Network(network)
    for network in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    ]
)
# Of IPv6 only what is given out, https://www.iana.org/assignments/ipv6-unicast-address-assignments, without what
# carries an IPv4 address (6to4, Teredo; ::ffff:0:0/96 and 64:ff9b::/96 lie outside) or stands in examples.
_GIVEN_OUT = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))

_URL = re.compile(r"https://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?(?:[/?][!-\[\]-~]*)?")
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")


def host_of(url: str, setting: str) -> tuple[str, int]:
    """The host and port of an address, of which there is only one reading.

    Args:
        url: `https://` with a host in ASCII (a name, an address of four numbers, or an IPv6 address in brackets).
        setting: What to call it in an error.

    Raises:
        BadSetting: It is another scheme, has a user, a fragment, a backslash, a host in another notation …
    """
    match = _URL.fullmatch(url)
    if match is not None and "#" not in url:
        host, port = match["host"].lower(), int(match["port"] or HTTPS)
        # The library that connects must not read another host out of it than was judged.
        if 0 < port < 65536 and _is_host(host.strip("[]")) and urlsplit(url).hostname == host.strip("[]"):
            return host.strip("[]"), port
    raise BadSetting(
        f"{setting} is an https address with a plain host, without user or fragment, found {url[:100]!a}",
        hint="write it as https://host.example/path; a host of other letters in its xn-- form",
    )


def check_allowed(host: str, port: int, allowed: Sequence[str], setting: str) -> None:
    """Whether the list of hosts has this one.

    Args:
        host: As `host_of` gives it.
        port: Its port.
        allowed: Hosts; one with a port allows that port, one without allows 443.
        setting: What to call the address in an error.

    Raises:
        BadSetting: The list lacks it.
    """
    name = f"[{host}]" if ":" in host else host
    if f"{name}:{port}" in allowed or (port == HTTPS and name in allowed):
        return
    raise BadSetting(
        f"{setting} leads to {name}:{port}, which is not among the allowed hosts: {', '.join(allowed)}",
        hint=f'if it should be reached, put "{name}:{port}" into hosts',
    )


def system_resolve(host: str, port: int) -> list[str]:
    """What the system's resolver says, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


def judged(host: str, port: int, private: Sequence[Network], resolve: Resolve = system_resolve) -> str:
    """The address to connect to. The name is resolved here, once.

    Args:
        host: A name or an address.
        port: Its port.
        private: Networks that may be reached although they are not public.
        resolve: Resolves the name.

    Raises:
        NotSent: The name leads nowhere, or anything that it leads to must not be reached.
    """
    try:
        found = resolve(host, port)
    except OSError as error:
        raise NotSent(f"the host {host} was not found: {error.strerror or error}") from None
    if not found:
        raise NotSent(f"the host {host} leads to no address")
    for address in found:
        if not may_be_reached(address, private):
            raise NotSent(
                f"the host {host} leads to {address}, which is not a public address",
                hint="if it should be reached, put its network into private_networks",
            )
    return found[0]


def may_be_reached(address: str, private: Sequence[Network]) -> bool:
    """Whether an address is public, or lies in a network that the operator named.

    Args:
        address: As the resolver wrote it.
        private: Networks that may be reached although they are not public.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if any(parsed in network for network in private if network.version == parsed.version):
        return True
    if isinstance(parsed, IPv6Address):
        return parsed in _GIVEN_OUT and not any(parsed in network for network in _NOT_PUBLIC_6)
    return not any(parsed in network for network in _NOT_PUBLIC)


def _is_host(host: str) -> bool:
    # What is neither a name nor an address in its usual form (127.1, 0x7f000001, 2130706433, localhost.) is read by
    # some resolvers as an address: it is refused before anybody reads it.
    try:
        return str(ip_address(host)) == host
    except ValueError:
        return len(host) <= 253 and _NAME.fullmatch(host) is not None
