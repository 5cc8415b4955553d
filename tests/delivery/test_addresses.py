"""Which addresses the service connects to for others."""

from __future__ import annotations

import ipaddress

import pytest

from transcription.delivery.addresses import (
    AddressRefused,
    AllowedHosts,
    is_public,
    require_allowed,
    target_of,
)

NOBODY = AllowedHosts()


def reason(url: str, allowed: AllowedHosts = NOBODY) -> str | None:
    try:
        target_of(url, allowed)
    except AddressRefused as error:
        return error.reason
    return None


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "93.184.216.34", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1",
     "2606:4700::1111", "2a00:1450:4001::1",
     "::ffff:8.8.8.8",  # the same as 8.8.8.8
     "64:ff9b::808:808",  # 8.8.8.8 behind a NAT64
     "2002:808:808::1"],
)  # fmt: skip
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.0.9", "10.0.0.1", "172.16.0.1",
     "172.31.255.255", "192.168.1.1",
     "169.254.169.254",  # the metadata of a cloud
     "100.64.0.1", "100.127.255.255",  # carriers' NAT
     "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
     "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
     "::", "::1", "::7f00:1",
     "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
     "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::a00:1",  # the same behind a NAT64
     "64:ff9b:1::808:808",  # somebody's own NAT64
     "2002:7f00:1::", "2002:a00:1::1",  # 6to4
     "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
     "2a00::5efe:7f00:1", "2a00::200:5efe:a00:1",  # ISATAP
     "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1",
     "3fff::1", "100::1", "5f00::1"],
)  # fmt: skip
def test_all_others_are_not(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://example.com/hook?token=1", None),
        ("http://example.com:8080/", None),
        ("https://example.com", None),
        ("https://8.8.8.8/", None),
        ("https://[2606:4700::1111]/", None),
        ("https://xn--bcher-kva.example/", None),
        ("ftp://example.com/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://example.com/", "scheme"),
        ("//example.com/", "scheme"),
        ("", "scheme"),
        ("https://user:word@example.com/", "credentials"),
        ("https://@example.com/", "credentials"),
        ("https:///path", "form"),
        ("https://exa mple.com/", "form"),
        ("https://example.com/\r\nHost: other", "form"),
        ("https://example.com\\@127.0.0.1/", "form"),
        ("https://bücher.example/", "form"),
        ("https://[::1/", "form"),
        ("https://example.com:99999/", "form"),
        ("https://-bad-.com/", "form"),
        ("https://" + "a" * 2000 + ".com/", "form"),
        ("https://example.com:25/", "port"),
        ("https://example.com:0/", "port"),
        ("https://example.com:6667/", "port"),
        ("http://127.0.0.1/", "private"),
        ("http://[::1]/", "private"),
        ("http://[::ffff:127.0.0.1]/", "private"),
        ("http://169.254.169.254/latest/meta-data/", "private"),
        ("http://2130706433/", "form"),  # 127.0.0.1 as a number
        ("http://0177.0.0.1/", "form"),
        ("http://0x7f.1/", "form"),
    ],
)
def test_a_url_is_judged_by_what_it_says(url: str, why: str | None) -> None:
    assert reason(url) == why


def test_private_hosts_are_allowed_by_network_or_by_name() -> None:
    allowed = AllowedHosts.of(["10.1.0.0/16", "::1", "Hooks.Internal."])

    def allows(host: str, address: str) -> bool:
        try:
            require_allowed(host, ipaddress.ip_address(address), allowed)
        except AddressRefused:
            return False
        return True

    assert allows("any.example", "10.1.2.3")
    assert allows("any.example", "::ffff:10.1.2.3")
    assert not allows("any.example", "10.2.0.1")
    assert allows("any.example", "::1")
    assert allows("hooks.internal", "192.168.7.7")
    assert not allows("other.internal", "192.168.7.7")


def test_a_host_that_is_allowed_by_name_still_cannot_be_the_metadata_of_a_cloud() -> None:
    allowed = AllowedHosts.of(["hooks.internal"])
    with pytest.raises(AddressRefused):
        require_allowed("hooks.internal", ipaddress.ip_address("169.254.169.254"), allowed)


def test_an_allowed_host_may_be_reached_on_any_port() -> None:
    allowed = AllowedHosts.of(["10.0.0.0/8", "hooks.internal"])
    assert reason("http://10.0.0.1:81/", allowed) is None
    assert reason("http://hooks.internal:81/", allowed) is None
    assert reason("http://example.com:81/", allowed) == "port"


@pytest.mark.parametrize("word", ["10.0.0.1/8", "two words", "http://host", "", "host:80", "*"])
def test_a_word_that_is_neither_a_name_nor_a_network_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="neither a host name nor a network"):
        AllowedHosts.of([word])


def test_what_is_shown_of_a_url_holds_no_secret() -> None:
    target = target_of("https://example.com/secret?token=1", NOBODY)
    assert target.origin == "https://example.com:443"
    assert target.path == "/secret?token=1"
    with pytest.raises(AddressRefused) as caught:
        target_of("http://10.0.0.1/secret?token=1", NOBODY)
    assert "secret" not in str(caught.value)
