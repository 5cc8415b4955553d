"""What an answer means: delivered, again later, not again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

#: Answers in the 400s that mean "later": the receiver is slow, not yet ready, or is asked too much.
LATER_STATUSES = frozenset({408, 425, 429})
#: A receiver may put a message off for at most so long: twice the longest pause of our own.
MAX_RETRY_AFTER_SECONDS = 24 * 3600.0


class Verdict(Enum):
    """What is to become of a delivery."""

    DELIVERED = "delivered"
    LATER = "later"
    NEVER = "never"
    #: Never, and nothing else to this receiver either.
    GONE = "gone"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one try came to."""

    verdict: Verdict
    #: A code of services/errors; empty: delivered.
    error_code: str = ""
    #: For the operator, in English.
    detail: str = ""
    #: None: no answer came.
    http_status: int | None = None
    #: Beginning of what the receiver said; empty where that is nobody's business.
    answer: str = ""
    retry_after_seconds: float | None = None


def verdict_on(status: int) -> tuple[Verdict, str]:
    """Return what an HTTP status means, and the code of the error that it is.

    Redirects are not followed, and since the receiver would say the same again, not retried.
    """
    if 200 <= status < 300:
        return Verdict.DELIVERED, ""
    if status == 410:
        return Verdict.GONE, "receiver_gone"
    if status in LATER_STATUSES or not 300 <= status < 500:
        return Verdict.LATER, "receiver_failed"
    return Verdict.NEVER, "receiver_refused"


def pause_seconds(
    tries: int, delays: Sequence[float], retry_after_seconds: float | None = None
) -> float | None:
    """Return the pause after so many tries in vain; None: that was the last.

    A receiver may ask for a longer one, within a bound; never for a shorter one.
    """
    if tries > len(delays):
        return None
    asked = min(retry_after_seconds or 0.0, MAX_RETRY_AFTER_SECONDS)
    return max(delays[tries - 1], asked)
