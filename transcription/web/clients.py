"""Where a request comes from."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest

#: An IPv6 customer has a network of this size, and changes addresses in it at will.
IPV6_PREFIX_BITS = 64


def client_network(request: HttpRequest) -> str:
    """Return what the limits by address count: the IPv4 address, or the IPv6 /64 network."""
    return network_of(
        client_address(
            peer=request.META.get("REMOTE_ADDR", ""),
            forwarded_for=request.META.get("HTTP_X_FORWARDED_FOR", ""),
            proxy_count=settings.PROXY_COUNT,
        )
    )


def client_address(*, peer: str, forwarded_for: str, proxy_count: int) -> str:
    """Return the address of the client behind ``proxy_count`` proxies of ours.

    Each proxy appends the address that it was called from, so only that many entries from the
    right are to be believed; what stands left of them the client may have written itself.
    """
    if proxy_count == 0:
        return peer
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()] + [peer]
    # The last proxy is the peer; each one before it left one entry.
    return hops[-(proxy_count + 1)] if len(hops) > proxy_count else hops[0]


def network_of(address: str) -> str:
    """Return the network to count an address under; one that is none counts as itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]  # a Unix socket has no address: all of its callers are one
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, IPV6_PREFIX_BITS), strict=False))
    return str(parsed)
