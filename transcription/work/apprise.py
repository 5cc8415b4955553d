"""Sends by Apprise, in a process of its own.

Apprise knows a hundred services and opens its connections as it likes. In another process it can
be ended in time, and what its many parts load does not stay in the worker.
"""

from __future__ import annotations

import json
import subprocess
import sys

from django.conf import settings

from transcription.delivery.outcome import Outcome, Verdict

LIMIT_SECONDS = 30.0
_WORDS_CHARACTERS = 500


def send_by_apprise(url: str, text: str) -> Outcome:
    """Send a text to an Apprise address and say what came of it."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "transcription.delivery.apprise_child"],
            cwd=settings.BASE_DIR,
            # Not as an argument, which every process of the machine could read.
            input=json.dumps({"url": url, "text": text}),
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome(verdict=Verdict.LATER, error_code="receiver_timeout")
    if done.returncode == 0:
        return Outcome(verdict=Verdict.DELIVERED)
    return Outcome(
        # An address that it cannot read will not get better.
        verdict=Verdict.NEVER if done.returncode == 2 else Verdict.LATER,
        error_code="apprise_failed",
        detail=done.stderr.strip()[-_WORDS_CHARACTERS:],
    )
