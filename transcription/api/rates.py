"""How often somebody may call: the transcribe route by its own rates, the rest of the API by
throttles of the REST framework. All are counted in the same way, in ``web.counting``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from transcription.models import ApiToken
from transcription.services.browser_tokens import BrowserToken
from transcription.web.clients import client_network
from transcription.web.counting import count

if TYPE_CHECKING:
    from rest_framework.views import APIView

GROUP = "transcribe"


def count_stranger(request: HttpRequest) -> int | None:
    """Count a call without a usable token by its address.

    Returns the seconds to wait when it is one too many, else None.
    """
    key = f"address:{client_network(request)}"
    return count(request, group=GROUP, key=key, rate=settings.RATE_ANON)


def count_caller(request: Request) -> int | None:
    """Count a call of a known caller, by token, or by user for a session; else as above."""
    if not request.user.is_authenticated:
        return count_stranger(request._request)
    key = _token_key(request) or f"user:{request.user.pk}"
    return count(request._request, group=GROUP, key=key, rate=settings.RATE_USER)


def _token_key(request: Request) -> str:
    if isinstance(request.auth, ApiToken):
        return f"token:{request.auth.pk}"
    if isinstance(request.auth, BrowserToken):
        # However many of them somebody gets for one subject.
        return f"subject:{request.user.pk}:{request.auth.subject}"
    return ""


class _Throttle(BaseThrottle):
    """Counts under a key of its own; no key: not counted."""

    group = "api"

    def __init__(self) -> None:
        self._wait_seconds: int | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        key = self.key(request, view)
        if key:
            self._wait_seconds = count(
                request._request, group=self.group, key=key, rate=self.rate(view)
            )
        return self._wait_seconds is None

    def wait(self) -> int | None:
        return self._wait_seconds

    def key(self, request: Request, view: Any) -> str:
        raise NotImplementedError

    def rate(self, view: Any) -> str:
        raise NotImplementedError


class UserThrottle(_Throttle):
    """All calls of a user; of callers that are none, by address."""

    def key(self, request: Request, view: Any) -> str:
        if request.user and request.user.is_authenticated:
            return f"user:{request.user.pk}"
        return f"address:{client_network(request._request)}"

    def rate(self, view: Any) -> str:
        return str(settings.RATE_API_USER)


class TokenThrottle(_Throttle):
    """The calls of one token."""

    def key(self, request: Request, view: Any) -> str:
        return _token_key(request)

    def rate(self, view: Any) -> str:
        return str(settings.RATE_API_TOKEN)


class ScopeThrottle(_Throttle):
    """A user's posts to a view that has a rate of its own: ``throttle_scope`` names its setting.

    RATE_API_UPLOADS for ``throttle_scope = "uploads"``. For posts that make something; those to
    a single row (an action) are not counted here.
    """

    def key(self, request: Request, view: Any) -> str:
        scope = getattr(view, "throttle_scope", "")
        if not scope or request.method != "POST" or getattr(view, "detail", False):
            return ""
        return f"{scope}:user:{request.user.pk}"

    def rate(self, view: Any) -> str:
        return str(getattr(settings, f"RATE_API_{view.throttle_scope.upper()}"))
