"""A cluster of the real shape, main, sentinel, worker, monitor and pusher, that does nothing.

usage: cluster.py BEHAVIOUR --tie …

Everything it does is a line of JSON on the standard output, which is the test's pipe.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from transcription.work import stopping
from transcription.work.lifeline import Inherited, Tie

LEAVES = ("worker", "monitor", "pusher")


def say(event: str, **details: Any) -> None:
    line = {"event": event, "pid": os.getpid(), "cluster": os.environ["ASR_CLUSTER"], **details}
    try:
        os.write(1, json.dumps(line).encode() + b"\n")
    except BrokenPipeError:
        os._exit(0)  # the test is over


def wait_until_told(pipe: int) -> None:
    """Wait for the end of the pipe that the main process closes when it stops."""
    os.read(pipe, 1)


def leaf(role: str, behaviour: str, told: int) -> None:
    if behaviour == "with_stray" and role == "worker":
        stray = os.posix_spawnp("sleep", ["sleep", "1000"], os.environ, setsid=True)
        say("stray", stray=stray)
    say("up", role=role)
    wait_until_told(told)
    say("finished", role=role, stop_requested=stopping.stop_requested())


def sentinel(tie: Tie, behaviour: str, told: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    children = []
    for role in LEAVES:
        with tie.forking(role):
            pid = os.fork()
        if pid == 0:
            leaf(role, behaviour, told)
            os._exit(0)
        children.append(pid)
    say("up", role="sentinel")
    for child in children:
        os.waitpid(child, 0)


def main(behaviour: str, inherited: Inherited) -> int:
    tie = Tie.hold(inherited)
    if behaviour == "failing":
        say("failing")
        return 1
    if behaviour == "hanging":
        say("hanging")
        signal.pause()
    told, teller = os.pipe()
    asked, asker = os.pipe()
    signal.signal(signal.SIGTERM, lambda number, frame: os.write(asker, b"\0"))
    if behaviour == "stubborn":
        signal.signal(signal.SIGTERM, lambda number, frame: say("ignored"))
    pid = os.fork()
    if pid == 0:
        os.close(teller)
        sentinel(tie, behaviour, told)
        os._exit(0)
    say("up", role="main")
    os.read(asked, 1)
    tie.leave()
    stopping.request_stop()
    os.close(teller)
    os.waitpid(pid, 0)
    return 0


def main_alone(inherited: Inherited) -> int:
    """A program of one process, as the web is."""
    asked, asker = os.pipe()
    signal.signal(signal.SIGTERM, lambda number, frame: os.write(asker, b"\0"))
    Tie.hold(inherited)
    say("up", role="main")
    os.read(asked, 1)
    say("finished", role="main")
    return 0


if __name__ == "__main__":
    tie_argument = Inherited.parse(sys.argv[sys.argv.index("--tie") + 1])
    if sys.argv[1] == "alone":
        sys.exit(main_alone(tie_argument))
    sys.exit(main(sys.argv[1], tie_argument))
