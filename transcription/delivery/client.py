"""Posts a message to a server that nobody here vouches for.

The name is resolved once, every address that it has is judged, one of those is connected to, and
the connection's other end is looked at again: between judging and connecting nothing is asked
twice, so a name that points elsewhere a moment later gains nothing. Redirects are not followed,
proxies of the environment are not used, and all of it together ends in time: looking the name up,
connecting, TLS, and an answer that comes a byte at a time.
"""

from __future__ import annotations

import email.utils
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import httpcore2

from transcription.delivery.addresses import (
    AddressRefused,
    AllowedHosts,
    Target,
    is_public,
    require_allowed,
    target_of,
)

#: More of an answer is not read.
MAX_ANSWER_BYTES = 4_096
#: Bytes that one read may bring: a server that sends more waits.
_READ_BYTES = 8_192
#: Addresses of one name that are tried.
_MOST_ADDRESSES = 4

#: Family and socket address, as ``socket.getaddrinfo`` gives them.
Place = tuple[socket.AddressFamily, Any]
Resolve = Callable[[str, int], list[Place]]


class DeliveryError(Exception):
    """No answer came."""


class Unreachable(DeliveryError):
    """The name is not known, nobody listens, TLS fails, or the connection breaks."""


class TimedOut(DeliveryError):
    """It took longer than it may."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a server said."""

    status: int
    #: At most ``MAX_ANSWER_BYTES``, and less where the time was over.
    body: bytes
    #: What the server asks to wait; None: nothing, or nothing that can be read.
    retry_after_seconds: float | None
    #: Whether it came from the public internet; else its words are nobody else's business.
    is_public: bool


def look_up(host: str, port: int) -> list[Place]:
    """Return where the system finds a host. Raises ``OSError``."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, place) for family, _type, _proto, _name, place in found]


@cache
def default_tls() -> ssl.SSLContext:
    """Return how servers are recognised: by the system's certificates, and by their name."""
    return ssl.create_default_context()


def post(
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    limit_seconds: float,
    allowed: AllowedHosts,
    resolve: Resolve = look_up,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Post ``body`` and return the answer, whatever its status.

    All together takes at most ``limit_seconds``. Raises ``AddressRefused`` for a URL or address
    that is not for us to call, ``Unreachable`` and ``TimedOut`` where no answer came.
    """
    deadline = _Deadline.after(limit_seconds)
    target = target_of(url, allowed)
    backend = _GuardedBackend(target, allowed=allowed, deadline=deadline, resolve=resolve)
    host = target.host.encode("ascii")
    connection = httpcore2.HTTPConnection(
        origin=httpcore2.Origin(target.scheme.encode("ascii"), host, target.port),
        ssl_context=tls or default_tls(),
        network_backend=backend,
    )
    sent: dict[bytes | str, bytes | str] = {
        "Host": _host_header(target),
        "Content-Length": str(len(body)),
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    sent.update(headers)
    request = httpcore2.Request(
        b"POST",
        httpcore2.URL(
            scheme=target.scheme.encode("ascii"),
            host=host,
            port=target.port,
            target=target.path.encode("ascii"),
        ),
        headers=sent,
        content=body,
    )
    try:
        with connection:
            response = connection.handle_request(request)
            try:
                return Answer(
                    status=response.status,
                    body=_beginning_of(response, deadline),
                    retry_after_seconds=_retry_after(response),
                    is_public=backend.peer_is_public,
                )
            finally:
                response.close()
    except httpcore2.TimeoutException as error:
        raise TimedOut(_words(error)) from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError, ValueError) as error:
        if deadline.is_over:
            raise TimedOut(_words(error)) from error
        raise Unreachable(_words(error)) from error


def _host_header(target: Target) -> str:
    default = target.port == {"http": 80, "https": 443}[target.scheme]
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if default else f"{host}:{target.port}"


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _beginning_of(response: httpcore2.Response, deadline: _Deadline) -> bytes:
    """Return the first bytes of the body; the status is there already, so it may break off."""
    found = b""
    try:
        for piece in response.iter_stream():
            found += piece
            if len(found) >= MAX_ANSWER_BYTES or deadline.is_over:
                break
    except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError):
        return found[:MAX_ANSWER_BYTES]
    return found[:MAX_ANSWER_BYTES]


def _retry_after(response: httpcore2.Response) -> float | None:
    """Return the Retry-After header in seconds: a number, or a date (RFC 9110, 10.2.3)."""
    for name, value in response.headers:
        if name.lower() == b"retry-after":
            return seconds_of_retry_after(value.decode("latin-1"), now=datetime.now(UTC))
    return None


def seconds_of_retry_after(text: str, *, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for; None: it cannot be read."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        date = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


@dataclass(frozen=True, kw_only=True)
class _Deadline:
    #: Monotonic seconds.
    at: float

    @classmethod
    def after(cls, seconds: float) -> _Deadline:
        return cls(at=time.monotonic() + seconds)

    @property
    def left_seconds(self) -> float:
        return self.at - time.monotonic()

    @property
    def is_over(self) -> bool:
        return self.left_seconds <= 0

    def require(self, error: type[Exception] = httpcore2.ReadTimeout) -> float:
        """Return the seconds that are left; raises ``error`` where none are."""
        left = self.left_seconds
        if left <= 0:
            raise error("the time is over")
        return left


@dataclass
class _GuardedBackend(httpcore2.NetworkBackend):
    """Connects to the target's addresses, judged, and to nothing else."""

    target: Target
    allowed: AllowedHosts = field(kw_only=True)
    deadline: _Deadline = field(kw_only=True)
    resolve: Resolve = field(kw_only=True)
    peer_is_public: bool = field(default=False, init=False)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        places = self._places()
        for _family, place in places:
            # One that is not for us among them, and none is tried: no honest name has that.
            require_allowed(self.target.host, _address_of(place), self.allowed)
        failure: OSError | None = None
        for number, (family, place) in enumerate(places):
            seconds = self.deadline.require(httpcore2.ConnectTimeout) / (len(places) - number)
            connected = socket.socket(family, socket.SOCK_STREAM)
            try:
                connected.settimeout(seconds)
                connected.connect(place)
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peer = _address_of(connected.getpeername())
                if peer != _address_of(place):
                    raise AddressRefused("private", self.target.host)
                require_allowed(self.target.host, peer, self.allowed)
            except OSError as error:
                connected.close()
                failure = error
            except BaseException:
                connected.close()
                raise
            else:
                self.peer_is_public = is_public(peer)
                return _BoundedStream(connected, self.deadline)
        if isinstance(failure, TimeoutError):
            raise httpcore2.ConnectTimeout("nobody answered") from failure
        raise httpcore2.ConnectError(_words(failure or OSError("no address"))) from failure

    def _places(self) -> list[Place]:
        """Resolve the host in a thread, since the system's resolver knows no limit of time."""
        found: queue.SimpleQueue[list[Place] | Exception] = queue.SimpleQueue()

        def ask() -> None:
            try:
                found.put(self.resolve(self.target.host, self.target.port))
            except Exception as error:
                found.put(error)

        threading.Thread(target=ask, name="resolver", daemon=True).start()
        try:
            answer = found.get(timeout=self.deadline.require(httpcore2.ConnectTimeout))
        except queue.Empty:
            raise httpcore2.ConnectTimeout("the name was not resolved in time") from None
        if isinstance(answer, (OSError, UnicodeError)):
            raise httpcore2.ConnectError(f"the name is not known: {answer}") from answer
        if isinstance(answer, Exception):
            raise answer
        return answer[:_MOST_ADDRESSES]


def _address_of(place: Any) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(place[0])


class _BoundedStream(httpcore2.NetworkStream):
    """A connection on which no single wait is longer than what is left of the whole."""

    def __init__(self, connected: socket.socket, deadline: _Deadline) -> None:
        self._socket = connected
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._socket.settimeout(self._deadline.require())
        try:
            return self._socket.recv(min(max_bytes, _READ_BYTES))
        except TimeoutError as error:
            raise httpcore2.ReadTimeout("no answer came in time") from error
        except OSError as error:
            raise httpcore2.ReadError(_words(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left = memoryview(buffer)
        while left:
            self._socket.settimeout(self._deadline.require(httpcore2.WriteTimeout))
            try:
                left = left[self._socket.send(left) :]
            except TimeoutError as error:
                raise httpcore2.WriteTimeout("the message was not taken in time") from error
            except OSError as error:
                raise httpcore2.WriteError(_words(error)) from error

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            # The whole handshake ends in this time, not each of its reads.
            self._socket.settimeout(self._deadline.require(httpcore2.ConnectTimeout))
            self._socket = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except TimeoutError as error:
            self.close()
            raise httpcore2.ConnectTimeout("no TLS handshake in time") from error
        except OSError as error:
            self.close()
            raise httpcore2.ConnectError(_words(error)) from error
        except BaseException:
            self.close()
            raise
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object" and isinstance(self._socket, ssl.SSLSocket):
            return self._socket
        return None
