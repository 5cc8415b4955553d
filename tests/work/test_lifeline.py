"""The tie between a process and its launcher."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from transcription.work import stopping
from transcription.work.lifeline import Inherited, Introduction, Leaving, LifelineError, receive
from transcription.work.processes import _parse_stat, in_words

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_an_introduction_brings_the_end_of_a_pipe(pair: Pair) -> None:
    ours, theirs = pair
    reading, writing = os.pipe()
    socket.send_fds(theirs, [b'{"pid": 7, "role": "worker"}'], [reading])
    os.close(reading)
    said = receive(ours)
    assert isinstance(said, Introduction)
    assert (said.pid, said.role) == (7, "worker")
    with pytest.raises(BlockingIOError):
        os.read(said.fd, 1)
    os.close(writing)
    assert os.read(said.fd, 1) == b""
    os.close(said.fd)


def test_a_main_process_can_say_that_it_leaves(pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(b'{"pid": 7, "role": "leaving"}')
    assert receive(ours) == Leaving(pid=7)


def test_the_end_comes_when_nobody_holds_the_other_side(pair: Pair) -> None:
    ours, theirs = pair
    with pytest.raises(BlockingIOError):
        receive(ours)
    theirs.close()
    assert receive(ours) is None


@pytest.mark.parametrize(
    ("message", "pipes"),
    [
        (b"hello", 1),
        (b'{"pid": 7, "role": "worker"}', 0),
        (b'{"pid": 7, "role": "worker"}', 2),
        (b'{"pid": 7, "role": "leaving"}', 1),
        (b'{"role": "worker"}', 1),
        (b"[]", 1),
        (b'{"pid": "' + b"7" * 300 + b'"}', 1),
    ],
)
def test_any_other_message_is_refused_and_leaks_nothing(
    pair: Pair, message: bytes, pipes: int
) -> None:
    ours, theirs = pair
    ends = [os.pipe() for _ in range(pipes)]
    socket.send_fds(theirs, [message], [reading for reading, _ in ends])
    before = open_descriptors()
    if message.endswith(b'"leaving"}'):
        said = receive(ours)  # with a descriptor it is an introduction by a strange name
        assert isinstance(said, Introduction)
        os.close(said.fd)
    else:
        with pytest.raises(LifelineError):
            receive(ours)
    assert open_descriptors() == before
    for end in ends:
        os.close(end[0])
        os.close(end[1])


def test_what_a_cluster_inherits_survives_the_command_line() -> None:
    inherited = Inherited(control_fd=5, holder_fd=6, launcher_pid=4711)
    assert Inherited.parse(inherited.as_argument()) == inherited
    with pytest.raises(ValueError, match="unpack"):
        Inherited.parse("5:6")


def test_the_wish_to_stop_reaches_a_process_that_was_forked_before() -> None:
    asked, asker = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(asked, 1)
        os._exit(7 if stopping.stop_requested() else 1)
    assert not stopping.stop_requested()
    stopping.request_stop()
    os.write(asker, b"\0")
    _, status = os.waitpid(pid, 0)
    stopping.withdraw_stop()
    os.close(asked)
    os.close(asker)
    assert os.waitstatus_to_exitcode(status) == 7


def test_a_process_is_recognised_whatever_its_name() -> None:
    parsed = _parse_stat(b"42 (evil) S 1 (name) Z 7 9 9 0 -1 0")
    assert (parsed.pid, parsed.parent_pid, parsed.session_id) == (42, 7, 9)
    assert parsed.is_zombie


def test_an_end_is_told_in_words() -> None:
    assert in_words(3) == "exit code 3"
    assert in_words(-9) == "killed by SIGKILL"
    assert in_words(-250) == "killed by signal 250"
