"""Whether a request comes from somebody known, found out before its body is let in."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from importlib import import_module

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.db import connection

from transcription.services import browser_tokens, tokens

#: How long an answer holds. Whoever is let in by an outdated one is refused by the view.
REMEMBER_SECONDS = 5.0
#: Guessed tokens must not fill the memory.
REMEMBER_COUNT = 1024


class KnownCallers:
    """Tells callers with a usable token or a session from those without; one query, remembered.

    Only a first look, that keeps large bodies of strangers off the disk: who may do what is
    decided by the views.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._remembered: OrderedDict[bytes, tuple[float, bool]] = OrderedDict()

    async def knows(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether the request's headers (lower-case names) name a caller that may come in.

        Raises ``django.db.Error`` where the database cannot tell.
        """
        for kind, secret in _credentials_in(headers):
            # The secrets themselves do not stay in memory.
            key = hashlib.sha256(f"{kind}:{secret}".encode()).digest()
            known = self._recall(key)
            if known is None:
                known = await asyncio.to_thread(_ask, kind, secret)
                self._remember(key, known)
            if known:
                return True
        return False

    def _recall(self, key: bytes) -> bool | None:
        with self._lock:
            until, known = self._remembered.get(key, (0.0, False))
        return known if self._clock() < until else None

    def _remember(self, key: bytes, known: bool) -> None:
        with self._lock:
            self._remembered[key] = (self._clock() + REMEMBER_SECONDS, known)
            self._remembered.move_to_end(key)
            while len(self._remembered) > REMEMBER_COUNT:
                self._remembered.popitem(last=False)


def _credentials_in(headers: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    found = []
    for name, value in headers:
        text = value.decode("latin-1")
        if name == b"authorization":
            if token := tokens.token_in(text):
                found.append(("token", token))
        elif name == b"cookie" and (session := _session_key_in(text)):
            found.append(("session", session))
    return found


def _session_key_in(cookies: str) -> str:
    try:
        morsel = SimpleCookie(cookies).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return ""  # a header that cannot be read holds no session
    return morsel.value if morsel else ""


def _ask(kind: str, secret: str) -> bool:
    try:
        if kind == "token" and secret.startswith(browser_tokens.PREFIX):
            return browser_tokens.find(secret) is not None
        if kind == "token":
            return tokens.is_usable(secret)
        store = import_module(settings.SESSION_ENGINE).SessionStore(secret)
        return SESSION_KEY in store.load()
    finally:
        # The thread belongs to a pool that other things use too.
        connection.close()
