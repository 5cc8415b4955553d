"""Signed tokens that need no row: for browsers, and for the results of nobody's recordings.

A web front end must not hold an API token: whoever opens the page could read it. Its server asks
for a browser token instead and hands that to the page. It holds for minutes, sends recordings in
and reads their results: those that were sent in for the same *subject*, and no other of the user.

It ends early with what it was made from: the API token (revoked, expired), the user (deactivated)
or, where a session made it, the user's password (changed).
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

from transcription.models import ApiToken

#: Recognisable, and told from an API token at a glance.
PREFIX = "asrb_"
_BROWSER_SALT = "transcription.browser_token"
_RESULT_SALT = "transcription.result_token"
MAX_SUBJECT_CHARACTERS = 64
#: No token of ours is longer; longer ones are not looked at.
_MAX_CHARACTERS = 1_000


@dataclass(frozen=True, kw_only=True)
class BrowserToken:
    """A browser token that may be used."""

    user: User
    #: For whom it was made: an id of the front end's own, or a random one.
    subject: str
    #: The API token that it was made with; None: a session.
    parent_id: int | None


@dataclass(frozen=True, kw_only=True)
class ResultToken:
    """Lets anybody who has it read one transcription."""

    transcription_id: uuid.UUID


def create(user: User, *, parent: ApiToken | None, subject: str = "") -> tuple[str, str, float]:
    """Return a new token, its subject, and when it ends (seconds since 1970).

    Who names no subject gets a random one: then nothing that was sent in with another token can
    be read with this one.
    """
    subject = subject or uuid.uuid4().hex
    expires = time.time() + settings.BROWSER_TOKEN_SECONDS
    said = {"u": user.pk, "s": subject, "e": int(expires)}
    said |= {"t": parent.pk} if parent else {"h": _password_mark(user)}
    return PREFIX + signing.dumps(said, salt=_BROWSER_SALT), subject, expires


def find(token: str) -> BrowserToken | None:
    """Return what a token stands for if it may be used at this moment; one query."""
    said = _read(token.removeprefix(PREFIX), _BROWSER_SALT)
    if said is None or not token.startswith(PREFIX):
        return None
    if (parent_id := said.get("t")) is not None:
        parent = ApiToken.objects.usable().select_related("user").filter(pk=parent_id).first()
        user = parent.user if parent and parent.user_id == said["u"] else None
    else:
        user = User.objects.filter(pk=said["u"], is_active=True).first()
        if user and not constant_time_compare(_password_mark(user), said["h"]):
            user = None
    return BrowserToken(user=user, subject=said["s"], parent_id=parent_id) if user else None


def create_for_result(transcription_id: uuid.UUID) -> str:
    """Return a token with which the transcription can be read, for as long as the setting says."""
    expires = int(time.time() + settings.RESULT_TOKEN_SECONDS)
    return signing.dumps({"r": str(transcription_id), "e": expires}, salt=_RESULT_SALT)


def find_for_result(token: str) -> ResultToken | None:
    """Return what a result token stands for; None: it is none, or its time is over. No query."""
    said = _read(token, _RESULT_SALT)
    return ResultToken(transcription_id=uuid.UUID(said["r"])) if said else None


def _read(token: str, salt: str) -> dict[str, Any] | None:
    if len(token) > _MAX_CHARACTERS:
        return None
    try:
        said: dict[str, Any] = signing.loads(token, salt=salt)
    except signing.BadSignature:
        return None
    return said if int(said["e"]) > time.time() else None


def _password_mark(user: User) -> str:
    """Return what changes with the user's password and tells nothing of it."""
    return salted_hmac(_BROWSER_SALT, user.get_session_auth_hash()).hexdigest()[:16]
