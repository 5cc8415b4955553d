"""Keeps the processes of the service running: crash-only, so that every end is the same end.

When any process of a cluster dies, the whole cluster is killed, its work is given back and it is
started again. Nothing is repaired in place: a worker that dies with a lock in its hand leaves
the rest of its cluster waiting for ever, and a restart takes a second.

One thread, woken by descriptors and signals; it starts every process (see ``lifeline``) and
never waits for the database. ``run`` changes the whole process (signal handlers, adopting
orphans, waiting for any child) and is meant for a process of its own.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType

from transcription.work import processes
from transcription.work.lifeline import adopt_orphans
from transcription.work.locks import Holders
from transcription.work.releasing import Releaser
from transcription.work.supervised import Phase, Program, Supervised, restart_delay_seconds

logger = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: Between two looks whether a killed cluster is gone, where no event tells.
_GONE_POLL_SECONDS = 0.05
#: A process that SIGKILL does not end within this time is reported: it hangs in the kernel.
_HANGS_SECONDS = 10.0
_RELEASE_SECONDS = 10.0
_ANSWER_POLL_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How patient the launcher is; all in seconds."""

    #: From the wish to stop until what still runs is killed.
    stop_seconds: float = 30.0
    #: Longest pause before something that keeps dying is started again.
    restart_limit_seconds: float = 30.0
    #: What is not ready after this time hangs, and is killed and started again.
    start_seconds: float = 120.0
    #: What ran for this long before it died counts as having died for the first time.
    steady_seconds: float = 60.0


class Launcher:
    """Starts the programs, starts them again when they die, stops them in order."""

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        holders: Holders,
        release: Callable[[str], int],
        answers: Callable[[], bool] = lambda: True,
        on_ready: Callable[[float], None] = lambda seconds: None,
        on_stop: Callable[[], None] = lambda: None,
        timing: Timing | None = None,
    ) -> None:
        """Nothing starts before ``run``.

        ``release(name)`` gives back the leases of a cluster that is gone and returns their
        number; it is called in a thread. ``answers()``, called in a thread, says whether the
        service can be reached. ``on_ready(seconds)`` is called once, when it can be and every
        worker is there. ``on_stop()`` is called when the stop begins.
        """
        self._timing = timing or Timing()
        self._selector = selectors.DefaultSelector()
        # In the order in which they stop: each looks at those before it.
        ordered = sorted(programs, key=lambda program: not program.stops_first)
        self._programs = [Supervised(program, holders, self._selector) for program in ordered]
        self._releaser = Releaser(holders, release)
        self._answers = answers
        self._answered = threading.Event()
        self._on_ready = on_ready
        self._on_stop = on_stop
        self._ready = False
        self._begun = 0.0
        self._stop_asked = 0
        self._stop_begun: float | None = None
        self._kill_now = False
        self._children_changed = False

    def run(self) -> int:
        """Serve until told to stop by SIGTERM, SIGINT or SIGHUP; a second one kills.

        Returns 0 if everything ended by itself, 1 if something had to be killed. Must be called
        in the main thread. Raises ``lifeline.LifelineError`` where the system lacks what it needs.
        """
        adopt_orphans()
        self._begun = time.monotonic()
        with self._signals():
            self._releaser.start()
            for supervised in self._programs:
                self._start(supervised)
            threading.Thread(target=self._ask_until_it_answers, name="prober", daemon=True).start()
            clean = self._serve()
        left = self._releaser.close(_RELEASE_SECONDS)
        if left:
            logger.warning("Work to be given back at the next start: %s", ", ".join(left))
        self._selector.close()
        return 0 if clean else 1

    # --- what wakes it ------------------------------------------------------------------------

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        self._wakeup, waker = socket.socketpair()
        self._waker = waker
        for end in (self._wakeup, waker):
            end.setblocking(False)
        self._selector.register(self._wakeup, selectors.EVENT_READ, self._on_wakeup)
        handlers = {number: signal.getsignal(number) for number in (*STOP_SIGNALS, signal.SIGCHLD)}
        wakeup_before = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_stop_signal)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup_before)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            self._selector.unregister(self._wakeup)
            self._wakeup.close()
            waker.close()

    def _on_stop_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop_asked += 1

    def _on_wakeup(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while numbers := self._wakeup.recv(4096):
                self._children_changed |= signal.SIGCHLD in numbers

    def _ask_until_it_answers(self) -> None:
        pause_seconds = _ANSWER_POLL_SECONDS
        while self._stop_begun is None:
            if self._answers():
                self._answered.set()
                with contextlib.suppress(OSError):  # the loop has ended meanwhile
                    self._waker.send(b"\0")
                return
            time.sleep(pause_seconds)
            pause_seconds = min(1.0, pause_seconds * 1.2)

    # --- the loop -----------------------------------------------------------------------------

    def _serve(self) -> bool:
        """Return whether nothing had to be killed in the end."""
        clean = True
        while any(supervised.phase is not Phase.OVER for supervised in self._programs):
            for key, _events in self._selector.select(self._pause_seconds()):
                key.data()
            if self._children_changed:
                self._children_changed = False
                processes.clear_orphans({supervised.pid for supervised in self._programs})
            if self._stop_asked and self._stop_begun is None:
                self._begin_to_stop()
            if self._stop_asked > 1 and not self._kill_now:
                logger.warning("Told a second time to stop: killing what still runs.")
                self._kill_now = True
            for supervised in self._programs:
                clean = self._attend(supervised) and clean
            self._say_ready()
        return clean

    def _pause_seconds(self) -> float | None:
        dues = [supervised.due for supervised in self._programs if supervised.due is not None]
        return max(0.0, min(dues) - time.monotonic()) if dues else None

    def _begin_to_stop(self) -> None:
        self._stop_begun = time.monotonic()
        logger.info("Stopping.")
        self._on_stop()

    def _attend(self, supervised: Supervised) -> bool:
        """Do what is due for one program; False: it had to be killed in an orderly stop."""
        now = time.monotonic()
        if self._stop_begun is not None:
            self._lead_to_the_end(supervised, now)
        if supervised.phase is Phase.WAITING and (supervised.due or 0.0) <= now:
            self._start(supervised)
        elif supervised.phase is Phase.RUNNING and (supervised.fault or supervised.has_exited()):
            self._end(supervised, supervised.fault or "its main process ended")
        elif (
            supervised.phase is Phase.RUNNING
            and not supervised.was_ready
            and supervised.started + self._timing.start_seconds <= now
        ):
            self._end(supervised, f"it was not ready within {self._timing.start_seconds:g} s")
        elif supervised.phase is Phase.STOPPING:
            if supervised.due is None:  # told by somebody else
                supervised.due = now + self._timing.stop_seconds
            if supervised.has_exited():
                self._end(supervised, "")
            elif supervised.due <= now or self._kill_now:
                self._end(supervised, "it did not stop in time")
                return False
        if supervised.phase is Phase.ENDING:
            self._bury(supervised)
        return True

    def _lead_to_the_end(self, supervised: Supervised, now: float) -> None:
        """Stop a program whose turn it is: the web first, then the clusters that serve it."""
        assert self._stop_begun is not None
        if supervised.phase is Phase.WAITING:
            supervised.phase, supervised.due = Phase.OVER, None
        if supervised.phase is not Phase.RUNNING:
            return
        first_are_over = all(
            other.phase is Phase.OVER for other in self._programs if other.program.stops_first
        )
        turn = self._stop_begun + self._timing.stop_seconds / 2
        if supervised.program.stops_first or first_are_over or now >= turn or self._kill_now:
            supervised.phase = Phase.STOPPING
            supervised.due = self._stop_begun + self._timing.stop_seconds
            supervised.tell_to_stop()
        else:
            supervised.due = turn

    def _start(self, supervised: Supervised) -> None:
        try:
            supervised.start()
            supervised.due = supervised.started + self._timing.start_seconds
        except OSError as error:
            supervised.deaths += 1
            pause_seconds = max(
                1.0, restart_delay_seconds(supervised.deaths, self._timing.restart_limit_seconds)
            )
            supervised.due = time.monotonic() + pause_seconds
            logger.error(
                "%s cannot be started, trying again in %g s: %s",
                supervised.program.name,
                pause_seconds,
                error,
            )

    def _end(self, supervised: Supervised, fault: str) -> None:
        supervised.fault = fault
        supervised.died_itself |= supervised.has_exited()
        supervised.phase = Phase.ENDING
        supervised.ended = time.monotonic()
        supervised.kill()

    def _bury(self, supervised: Supervised) -> None:
        """Look whether a killed program is gone; then decide what comes next."""
        now = time.monotonic()
        how = supervised.take_leave()
        if how is None:
            supervised.kill()
            if not supervised.is_hanging and now - supervised.ended > _HANGS_SECONDS:
                supervised.is_hanging = True
                logger.error(
                    "%s was killed and is not gone: it hangs in the system (a driver, a disk). "
                    "It is started again as soon as it is gone.",
                    supervised.program.name,
                )
            supervised.due = now + _GONE_POLL_SECONDS
            return
        self._releaser.give([supervised.holder_name])
        self._decide(supervised, how, now)

    def _decide(self, supervised: Supervised, how: str, now: float) -> None:
        name, lived_seconds = supervised.program.name, now - supervised.started
        if self._stop_begun is not None:
            supervised.phase, supervised.due = Phase.OVER, None
            if supervised.fault:
                logger.warning("%s was killed: %s.", name, supervised.fault)
            else:
                logger.info("%s stopped after %.1f s.", name, now - self._stop_begun)
            return
        supervised.phase = Phase.WAITING
        if not supervised.fault:  # it was told to stop by somebody else, and did
            supervised.due = now
            logger.info("%s stopped (%s); starting it again.", name, how)
            return
        if lived_seconds >= self._timing.steady_seconds:
            supervised.deaths = 0
        supervised.deaths += 1
        pause_seconds = restart_delay_seconds(supervised.deaths, self._timing.restart_limit_seconds)
        supervised.due = now + pause_seconds
        logger.error(
            "%s ended after %.1f s: %s%s. Starting it again %s.",
            name,
            lived_seconds,
            supervised.fault,
            f" ({how})" if supervised.died_itself else "",
            f"in {pause_seconds:g} s" if pause_seconds else "now",
        )

    def _say_ready(self) -> None:
        now = time.monotonic()
        for supervised in self._programs:
            if supervised.is_ready and not supervised.was_ready:
                supervised.was_ready = True
                supervised.due = None
                if supervised.ended:
                    logger.info(
                        "%s works again, %.1f s after its end.",
                        supervised.program.name,
                        now - supervised.ended,
                    )
        if (
            not self._ready
            and self._stop_begun is None
            and self._answered.is_set()
            and all(supervised.is_ready for supervised in self._programs)
        ):
            self._ready = True
            self._on_ready(now - self._begun)
