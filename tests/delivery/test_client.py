"""Posting to a server that nobody vouches for. The servers are real, on the loopback."""

from __future__ import annotations

import datetime
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.receivers import Receiver, Reply
from transcription.delivery import client
from transcription.delivery.addresses import AddressRefused, AllowedHosts
from transcription.delivery.client import (
    MAX_ANSWER_BYTES,
    Answer,
    Place,
    TimedOut,
    Unreachable,
    post,
)

HERE = AllowedHosts.of(["127.0.0.0/8", "::1"])
NOBODY = AllowedHosts()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def send(url: str, **changes: Any) -> Answer:
    given: dict[str, Any] = {
        "body": b'{"a": 1}',
        "headers": {"Content-Type": "application/json"},
        "limit_seconds": 10.0,
        "allowed": HERE,
        **changes,
    }
    return post(url, **given)


def leads_to(*addresses: str) -> Any:
    """A resolver that gives every name these addresses."""

    def resolve(host: str, port: int) -> list[Place]:
        return [
            (socket.AF_INET6, (one, port, 0, 0)) if ":" in one else (socket.AF_INET, (one, port))
            for one in addresses
        ]

    return resolve


# --- what is sent and what comes back ---------------------------------------------------------


def test_a_message_arrives_whole_and_the_answer_comes_back(receiver: Receiver) -> None:
    receiver.will(Reply(status=202, body="收到".encode(), headers={"Retry-After": "7"}))

    answer = send(receiver.url("/hook?token=1"), body="你好".encode() * 100_000)

    assert (answer.status, answer.body.decode(), answer.retry_after_seconds) == (202, "收到", 7.0)
    (got,) = receiver.received
    assert got.path == "/hook?token=1"
    assert got.body == "你好" * 100_000
    assert got.headers["content-type"] == "application/json"
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_a_redirect_is_an_answer_and_not_followed(receiver: Receiver) -> None:
    with Receiver() as other:
        receiver.will(Reply(status=307, headers={"Location": other.url()}))
        assert send(receiver.url()).status == 307
        assert other.received == []


def test_no_more_of_an_answer_is_read_than_a_few_kilobytes(receiver: Receiver) -> None:
    receiver.will(Reply(body=b"x" * 50_000_000))
    assert send(receiver.url()).body == b"x" * MAX_ANSWER_BYTES


def test_a_compressed_answer_is_not_unpacked(receiver: Receiver) -> None:
    receiver.will(Reply(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"}))
    assert send(receiver.url()).body == b"\x1f\x8b"


def test_a_proxy_of_the_environment_is_not_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setitem(os.environ, name, proxy.url("/"))
        assert send(receiver.url()).status == 200
        assert proxy.received == []


# --- where it may go --------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
def test_this_machine_is_not_called(receiver: Receiver, host: str) -> None:
    with pytest.raises(AddressRefused):
        send(receiver.url(host=host), allowed=NOBODY)
    assert receiver.received == []


def test_a_private_host_that_the_operator_names_is_called(receiver: Receiver) -> None:
    url = receiver.url(host="localhost")
    assert send(url, allowed=AllowedHosts.of(["localhost"])).status == 200
    with pytest.raises(AddressRefused):
        send(url, allowed=AllowedHosts.of(["other"]))


def test_the_answer_of_a_private_host_is_marked_as_such(receiver: Receiver) -> None:
    assert not send(receiver.url()).is_public


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "64:ff9b::7f00:1", "0.0.0.0"]
)
def test_a_name_that_leads_to_a_private_address_is_not_called(
    receiver: Receiver, address: str
) -> None:
    with pytest.raises(AddressRefused) as caught:
        send(receiver.url(host="evil.example"), allowed=NOBODY, resolve=leads_to(address))
    assert caught.value.value == "evil.example"
    assert receiver.received == []


def test_one_private_address_among_public_ones_is_enough_to_refuse(receiver: Receiver) -> None:
    resolve = leads_to("93.184.216.34", "127.0.0.1")
    with pytest.raises(AddressRefused):
        send(receiver.url(host="evil.example"), allowed=NOBODY, resolve=resolve)
    assert receiver.received == []


def test_a_name_is_asked_for_once_so_that_it_cannot_lead_elsewhere_afterwards(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer is allowed; whoever asked again would be sent to the victim."""
    answers = [leads_to("127.0.0.1"), leads_to("127.0.0.2")]
    asked = []

    def resolve(host: str, port: int) -> list[Place]:
        asked.append(host)
        return answers.pop(0)(host, port)

    def system_resolver(*args: object, **kwargs: object) -> None:
        raise AssertionError("the system was asked as well")

    monkeypatch.setattr(socket, "getaddrinfo", system_resolver)
    url = receiver.url(host="rebinding.example")
    assert send(url, allowed=AllowedHosts.of(["127.0.0.1"]), resolve=resolve).status == 200
    assert asked == ["rebinding.example"]
    with pytest.raises(AddressRefused):
        send(url, allowed=AllowedHosts.of(["127.0.0.1"]), resolve=resolve)


@pytest.mark.parametrize("peer", ["10.0.0.1", "127.0.0.5"])
def test_the_other_end_of_the_connection_is_looked_at_as_well(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, peer: str
) -> None:
    """As behind a kernel that redirects: connected to one address, answered by another."""

    class Redirected(socket.socket):
        def getpeername(self) -> Any:
            return (peer, 80)

    monkeypatch.setattr(client.socket, "socket", Redirected)
    with pytest.raises(AddressRefused):
        send(receiver.url())
    assert receiver.received == []


def test_the_next_address_is_tried_where_one_does_not_answer(receiver: Receiver) -> None:
    resolve = leads_to("127.0.0.9", "127.0.0.1")  # nobody listens at the first
    assert send(receiver.url(host="two.example"), resolve=resolve).status == 200


# --- what can go wrong ------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unreachable, match="refused"):
        send(f"http://127.0.0.1:{port}/")


def test_a_name_that_nobody_knows_is_unreachable() -> None:
    def resolve(host: str, port: int) -> list[Place]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(Unreachable, match="not known"):
        send("http://nowhere.example/", resolve=resolve)


@pytest.mark.parametrize(
    "said", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nA: b" + b"x" * 200_000]
)
def test_what_is_no_http_is_unreachable(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def speak() -> None:
            connected, _ = listening.accept()
            with connected:
                connected.recv(65_536)
                try:
                    connected.sendall(said)
                except ConnectionError:
                    return  # it has heard enough

        thread = threading.Thread(target=speak)
        thread.start()
        with pytest.raises(Unreachable):
            send(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        thread.join()


def test_a_slow_resolver_does_not_hold_us_up(receiver: Receiver) -> None:
    released = threading.Event()

    def resolve(host: str, port: int) -> list[Place]:
        released.wait(30)
        return []

    with pytest.raises(TimedOut):
        send(receiver.url(host="slow.example"), resolve=resolve, limit_seconds=0.1)
    released.set()


def test_a_server_that_never_answers_does_not_hold_us_up(receiver: Receiver) -> None:
    receiver.will(Reply(first=lambda: receiver.over.wait(30)))
    with pytest.raises(TimedOut):
        send(receiver.url(), limit_seconds=0.2)


def test_headers_that_come_a_byte_at_a_time_do_not_hold_us_up(receiver: Receiver) -> None:
    """Each byte comes in time; all of them would take half a minute."""
    receiver.will(Reply(head_drip_seconds=0.05, headers={"A": "x" * 600}))
    began = time.monotonic()
    with pytest.raises(TimedOut):
        send(receiver.url(), limit_seconds=0.5)
    assert time.monotonic() - began < 20


def test_a_body_that_comes_a_byte_at_a_time_does_not_hold_us_up(receiver: Receiver) -> None:
    """The status was there in time, and it is what counts."""
    receiver.will(Reply(status=410, body=b"x" * 600, drip_seconds=0.05))
    began = time.monotonic()
    answer = send(receiver.url(), limit_seconds=0.5)
    assert time.monotonic() - began < 20
    assert answer.status == 410
    assert len(answer.body) < 600


def test_a_server_that_does_not_read_does_not_hold_us_up() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        pytest.raises(TimedOut),
    ):
        send(
            f"http://127.0.0.1:{listening.getsockname()[1]}/",
            body=b"x" * 50_000_000,
            limit_seconds=0.3,
        )


def test_no_error_holds_a_secret_of_the_url(receiver: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unreachable) as caught:
        send(f"http://127.0.0.1:{port}/secret?token=secret")
    assert "secret" not in str(caught.value)


# --- TLS --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of its own issuing for hooks.example, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def secure_receiver(certificate: Path) -> Iterator[Receiver]:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    with Receiver(tls=server) as running:
        yield running


def test_tls_is_verified_against_the_name_though_an_address_is_connected_to(
    secure_receiver: Receiver, certificate: Path
) -> None:
    trusting = ssl.create_default_context(cafile=certificate)
    resolve = leads_to("127.0.0.1")
    good = secure_receiver.url(host="hooks.example")
    assert send(good, resolve=resolve, tls=trusting).status == 200

    with pytest.raises(Unreachable, match=r"other\.example"):
        send(secure_receiver.url(host="other.example"), resolve=resolve, tls=trusting)
    with pytest.raises(Unreachable, match="certificate"):
        send(good, resolve=resolve)
    assert len(secure_receiver.received) == 1


def test_a_tls_server_that_says_nothing_does_not_hold_us_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, pytest.raises(TimedOut):
        send(f"https://127.0.0.1:{listening.getsockname()[1]}/", limit_seconds=0.3)
