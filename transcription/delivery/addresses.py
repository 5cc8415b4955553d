"""Which addresses the service connects to for others: public ones, and those that are named.

Whoever may name a URL could otherwise have the service call its neighbours: databases, the
metadata of a cloud, the router. A name is no protection, since it may point anywhere, and
elsewhere a second later; so the judgement is on the address that is connected to.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_URL_CHARACTERS = 2_000
DEFAULT_PORTS = {"http": 80, "https": 443}
#: Ports above 1023 on which no web server is reached, as browsers know them
#: (https://fetch.spec.whatwg.org/#port-blocking).
BAD_PORTS = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668}
    | {6669, 6679, 6697, 10080}
)

#: What IANA's registry of special-purpose addresses does not give to the public internet
#: (https://www.iana.org/assignments/iana-ipv4-special-registry), and multicast.
NOT_PUBLIC_IPV4 = [
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24",
        "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
]  # fmt: skip
#: Of IPv6 only 2000::/3 is given out; these parts of it lead elsewhere
#: (https://www.iana.org/assignments/iana-ipv6-special-registry).
PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
NOT_PUBLIC_IPV6 = [
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # Teredo among them: an IPv4 address in disguise
        "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20",
    )
]  # fmt: skip
#: IPv6 addresses that carry an IPv4 address, and the bits to its right (RFC 6052, RFC 3056).
NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), 0)
SIX_TO_FOUR = (ipaddress.IPv6Network("2002::/16"), 80)
#: ISATAP writes the IPv4 address behind these 32 bits, in any network (RFC 5214).
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)

#: What a private host that is allowed by its name may be: never multicast, never the metadata
#: of a cloud, which somebody who can change a name would have it point at.
PRIVATE_NETWORKS: list[Network] = [
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8",
        "fc00::/7", "::1/128",
    )
]  # fmt: skip


class AddressRefused(Exception):
    """The service does not connect there; ``reason`` says why, in one word."""

    def __init__(self, reason: str, value: str = "") -> None:
        #: "form", "scheme", "credentials", "port" (of the URL) or "private" (of the address).
        self.reason = reason
        #: What it is about: never more of a URL than its host or port, since the rest is secret.
        self.value = value
        super().__init__(f"{reason}: {value}" if value else reason)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A URL in parts, as it is to be connected to and asked for."""

    scheme: str
    #: In lower case, an IPv6 address without its brackets.
    host: str
    port: int
    #: Path and query, as they go into the request.
    path: str

    @property
    def origin(self) -> str:
        """Scheme, host and port: all of a URL that may be shown in a log."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class AllowedHosts:
    """Private hosts that the operator allows, by name or by network."""

    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, words: Iterable[str]) -> AllowedHosts:
        """Read names ("hooks.internal") and networks ("10.1.0.0/16", "::1").

        Raises ``ValueError`` for a word that is neither.
        """
        names, networks = set(), []
        for word in words:
            try:
                networks.append(ipaddress.ip_network(word.strip("[]")))
            except ValueError:
                name = word.rstrip(".").lower()
                if not is_host_name(name):
                    raise ValueError(f"{word!r} is neither a host name nor a network.") from None
                names.add(name)
        return cls(names=frozenset(names), networks=tuple(networks))

    def allow(self, host: str, address: Address) -> bool:
        """Whether the address, found under this host name, is one that the operator allows."""
        if any(address in network for network in self.networks):
            return True
        return host.rstrip(".") in self.names and any(
            address in network for network in PRIVATE_NETWORKS
        )


def is_host_name(text: str) -> bool:
    """Whether this is a host name as DNS knows them, in lower case."""
    labels = text.split(".")
    return len(text) <= 253 and all(
        0 < len(label) <= 63
        and set(label) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_")
        and label[0] != "-" != label[-1]
        for label in labels
    ) and not labels[-1].isdigit()  # fmt: skip


def target_of(url: str, allowed: AllowedHosts) -> Target:
    """Return the parts of a URL that the service may call as far as the URL itself tells.

    Raises ``AddressRefused``. The addresses behind a name are judged when it is connected to.
    """
    if (
        not url.isascii()
        or not url.isprintable()
        or " " in url
        or "\\" in url
        or len(url) > MAX_URL_CHARACTERS
    ):
        raise AddressRefused("form")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressRefused("form") from None
    scheme, host = parts.scheme.lower(), parts.hostname or ""
    if scheme not in DEFAULT_PORTS:
        raise AddressRefused("scheme")
    if "@" in parts.netloc:
        raise AddressRefused("credentials")
    address = _literal(host)
    if address is None and not is_host_name(host.rstrip(".")):
        raise AddressRefused("form")
    port = DEFAULT_PORTS[scheme] if port is None else port
    # On a private host that the operator named, any port.
    is_ours = host.rstrip(".") in allowed.names or (
        address is not None and allowed.allow(host, address)
    )
    if not is_ours and ((port < 1024 and port not in DEFAULT_PORTS.values()) or port in BAD_PORTS):
        raise AddressRefused("port", str(port))
    if address is not None:
        require_allowed(host, address, allowed)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme=scheme, host=host, port=port, path=path)


def require_allowed(host: str, address: Address, allowed: AllowedHosts) -> None:
    """Raise ``AddressRefused`` unless the service may connect to this address of this host."""
    if not is_public(address) and not allowed.allow(host, _unmapped(address)):
        raise AddressRefused("private", host)


def is_public(address: Address) -> bool:
    """Whether the address is one of the public internet, whatever form it is written in."""
    address = _unmapped(address)
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in NOT_PUBLIC_IPV4)
    bits = int(address)
    for network, right in (NAT64, SIX_TO_FOUR):
        if address in network:
            return is_public(ipaddress.IPv4Address((bits >> right) & 0xFFFF_FFFF))
    if address not in PUBLIC_IPV6 or any(address in network for network in NOT_PUBLIC_IPV6):
        return False
    if (bits >> 32) & 0xFFFF_FFFF in _ISATAP:
        return is_public(ipaddress.IPv4Address(bits & 0xFFFF_FFFF))
    return True


def _unmapped(address: Address) -> Address:
    """Return the IPv4 address that ``::ffff:a.b.c.d`` is; the system connects to that."""
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
