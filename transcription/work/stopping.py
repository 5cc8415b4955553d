"""The wish to stop, known to every process of a cluster.

One byte of memory that is shared with every fork: the main process sets it when it is told to
stop, and the workers look at it between batches. There is no file that could be left over.
"""

from __future__ import annotations

import mmap

# Anonymous and shared: made at import, so in the main process and before any fork of it.
_flag = mmap.mmap(-1, 1)


def stop_requested() -> bool:
    """Whether this process is to finish what it has in hand and take no more.

    True in every process of a cluster from the moment its main process got SIGTERM, and in a web
    process from the moment it got it: whoever waits or streams there should come to an end.
    Costs no system call.
    """
    return _flag[0] != 0


def request_stop() -> None:
    """Ask this process and every fork of it, or of a parent that it shares the flag with."""
    _flag[0] = 1


def withdraw_stop() -> None:
    """Take the wish back; for tests, since a process that was told to stop never goes on."""
    _flag[0] = 0
