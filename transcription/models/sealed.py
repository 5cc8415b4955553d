"""Secrets of others that must be known again: kept in the database under the service's own key.

A copy of the database alone gives none of them away. They are sealed with a key that is made of
``SECRET_KEY``; the keys in ``SECRET_KEY_FALLBACKS`` open what was sealed before a change of it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.encoding import force_bytes

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class Unreadable(Exception):
    """The value was sealed under a key that the service no longer has."""


def seal(secret: str) -> str:
    """Return the secret as it may be stored."""
    return _locks().encrypt(secret.encode()).decode("ascii")


def unseal(sealed: str) -> str:
    """Return the secret again. Raises ``Unreadable``."""
    from cryptography.fernet import InvalidToken

    try:
        return _locks().decrypt(sealed).decode()
    except InvalidToken as error:
        raise Unreadable("SECRET_KEY has changed since this secret was stored.") from error


def is_readable(sealed: str) -> bool:
    """Whether the secret can be known again."""
    try:
        unseal(sealed)
    except Unreadable:
        return False
    return True


# The library takes 8 MB; most processes never open a secret, so it is imported where one is.


def _locks() -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet

    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_key_of(key)) for key in keys])


def _key_of(secret_key: str | bytes) -> bytes:
    # A key of its own: what is signed with SECRET_KEY elsewhere must not open anything here.
    made = hmac.digest(force_bytes(secret_key), b"transcription.models.sealed", hashlib.sha256)
    return base64.urlsafe_b64encode(made)
