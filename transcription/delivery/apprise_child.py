"""``python -m transcription.delivery.apprise_child``: sends one message by Apprise.

Reads ``{"url": …, "text": …}`` from its standard input. Exit status 0: sent; 1: not sent;
2: the address is none that Apprise knows.
"""

from __future__ import annotations

import json
import logging
import sys

import apprise

UNKNOWN_ADDRESS = 2


def main() -> int:
    """Send what stands in the standard input; return the exit status."""
    # Its warnings go to standard error, where the worker reads them. It masks addresses.
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    asked = json.load(sys.stdin)
    sender = apprise.Apprise(asset=apprise.AppriseAsset(secure_logging=True))
    if not sender.add(asked["url"]):
        return UNKNOWN_ADDRESS
    return 0 if sender.notify(body=asked["text"]) else 1


if __name__ == "__main__":
    sys.exit(main())
