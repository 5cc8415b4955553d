"""How far many files are: one bar on a terminal, and a line for each that is done."""

from __future__ import annotations

import shutil
import time
import unicodedata
from collections.abc import Callable, Iterable

from django.core.management.base import OutputWrapper

from transcription.management.local import FileProgress

_BAR_COLUMNS = 24
_EVERY_SECONDS = 0.1


def clock(seconds: float) -> str:
    """83.4 → "1:23", 3,723 → "1:02:03"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class ProgressLine:
    """A line that is written over on a terminal; elsewhere only the lines of finished files.

    ``quiet``: neither.
    """

    def __init__(
        self,
        output: OutputWrapper,
        *,
        files: int,
        quiet: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._output = output
        self._live = output.isatty() and not quiet
        self._quiet = quiet
        self._now = now
        self._started = now()
        self._files = files
        self._done_files = 0
        self._done_seconds = 0.0
        self._last = float("-inf")
        self._shown = False

    def update(self, under_way: Iterable[FileProgress]) -> None:
        """Show how far the unfinished files are."""
        now = self._now()
        if not self._live or now - self._last < _EVERY_SECONDS:
            return
        self._last = now
        self._write(self.text(list(under_way)))

    def text(self, under_way: list[FileProgress]) -> str:
        """The line: bar, share, files, audio done of the audio known of, speed."""
        known = [one.seconds for one in under_way if one.seconds]
        done = self._done_seconds + sum((one.seconds or 0.0) * one.share for one in under_way)
        total = self._done_seconds + sum(known)
        # Of the others nobody knows the length yet: let them be as long as the usual one.
        counted = self._done_files + len(known)
        share = done / (total / counted * self._files) if total and counted else 0.0
        filled = round(min(share, 1.0) * _BAR_COLUMNS)
        elapsed = max(self._now() - self._started, 1e-9)
        return (
            f"{'█' * filled}{'░' * (_BAR_COLUMNS - filled)} {min(share, 1.0):4.0%}  "
            f"{self._done_files} of {self._files} files  {clock(done)} of {clock(total)}  "
            f"{done / elapsed:.1f} × real time"
        )

    def say(self, line: str) -> None:
        """Write a line that stays."""
        if not self._quiet:
            self.clear()
            self._output.write(line)
            self._output.flush()

    def note(self, line: str) -> None:
        """Write a line that stays, for somebody who watches: on a terminal alone."""
        if self._live:
            self.say(line)

    def finished(self, *, seconds: float) -> None:
        """One more file has come to its end, of this duration (0: it failed)."""
        self._done_files += 1
        self._done_seconds += seconds

    def clear(self) -> None:
        """Take the line away, before something else is written on the same terminal."""
        if self._shown:
            self._output.write("\r\033[K", ending="")
            self._output.flush()
            self._shown = False

    def _write(self, text: str) -> None:
        columns = shutil.get_terminal_size().columns - 1
        self._output.write(f"\r{_cut(text, columns)}\033[K", ending="")
        self._output.flush()
        self._shown = True


def _cut(text: str, columns: int) -> str:
    """The beginning of a text that fits: a line that wraps could not be written over."""
    kept = ""
    for character in text:
        columns -= 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if columns < 0:
            break
        kept += character
    return kept
