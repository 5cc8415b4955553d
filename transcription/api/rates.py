"""How often somebody may call the transcribe route."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django_ratelimit.core import get_usage
from rest_framework.request import Request

from transcription.models import ApiToken
from transcription.web.clients import client_network

GROUP = "transcribe"


def count_stranger(request: HttpRequest) -> int | None:
    """Count a call without a usable token by its address.

    Returns the seconds to wait when it is one too many, else None.
    """
    return _count(request, key=f"address:{client_network(request)}", rate=settings.RATE_ANON)


def count_caller(request: Request) -> int | None:
    """Count a call of a known caller, by token, or by user for a session; else as above."""
    if isinstance(request.auth, ApiToken):
        key = f"token:{request.auth.pk}"
    else:
        key = f"user:{request.user.pk}"
    return _count(request._request, key=key, rate=settings.RATE_USER)


def _count(request: HttpRequest, *, key: str, rate: str) -> int | None:
    usage = get_usage(
        request, group=GROUP, key=lambda group, request: key, rate=rate, increment=True
    )
    if usage is None or not usage["should_limit"]:
        return None
    return max(1, int(usage["time_left"]))
