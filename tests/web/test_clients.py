"""Whose address counts."""

from __future__ import annotations

import pytest

from transcription.web.clients import client_address, network_of


@pytest.mark.parametrize(
    ("forwarded_for", "proxy_count", "expected"),
    [
        # Nothing in front of us: the header is the caller's own invention.
        ("", 0, "10.0.0.9"),
        ("203.0.113.5", 0, "10.0.0.9"),
        # One proxy: it appended the address that it was called from.
        ("203.0.113.5", 1, "203.0.113.5"),
        ("1.2.3.4, 203.0.113.5", 1, "203.0.113.5"),
        # Two: the inner one appended the outer one's address.
        ("1.2.3.4, 203.0.113.5, 10.0.0.1", 2, "203.0.113.5"),
        ("203.0.113.5, 10.0.0.1", 2, "203.0.113.5"),
        # Fewer hops than there should be: the outermost that is known.
        ("", 1, "10.0.0.9"),
        (" , ", 2, "10.0.0.9"),
    ],
)
def test_forwarded_addresses_count_as_far_as_our_own_proxies_wrote_them(
    forwarded_for: str, proxy_count: int, expected: str
) -> None:
    address = client_address(peer="10.0.0.9", forwarded_for=forwarded_for, proxy_count=proxy_count)

    assert address == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("", ""),
        ("no address", "no address"),
    ],
)
def test_addresses_are_counted_by_the_network_that_one_customer_has(
    address: str, expected: str
) -> None:
    assert network_of(address) == expected
