"""Signatures by the rules of Standard Webhooks (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks import Webhook

SECRET_PREFIX = "whsec_"
_SECRET_BYTES = 32


def new_secret() -> str:
    """Return a fresh secret, as receivers are given it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")


def signed_headers(
    message_id: str, body: str, secrets_of_receiver: Sequence[str], *, now: datetime
) -> dict[str, str]:
    """Return the three headers by which a receiver knows the message.

    One signature for each secret: while a secret is being changed, the old and the new one are
    both good. ``now`` must be aware; the id is the same at every try, the time is that of the try.
    """
    signatures = [Webhook(secret).sign(message_id, now, body) for secret in secrets_of_receiver]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
