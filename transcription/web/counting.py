"""How often somebody may call: counted in the cache, by whatever key the rate is meant for."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django_ratelimit.core import get_usage

from transcription.web.clients import client_network

#: Log-in, password reset and new tokens are counted together: they are all ways in.
LOGIN_GROUP = "login"


def count(request: HttpRequest, *, group: str, key: str, rate: str) -> int | None:
    """Count a call; return the seconds to wait when it is one too many, else None."""
    usage = get_usage(
        request, group=group, key=lambda group, request: key, rate=rate, increment=True
    )
    if usage is None or not usage["should_limit"]:
        return None
    return max(1, int(usage["time_left"]))


def count_login(request: HttpRequest) -> int | None:
    """Count a try to log in, by address; return as ``count``."""
    key = f"address:{client_network(request)}"
    return count(request, group=LOGIN_GROUP, key=key, rate=settings.RATE_LOGIN)


def limited_login(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let a view be posted to as often as ASR_RATE_LOGIN says; then 429, with a page of words."""

    @wraps(view)
    def limited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST":
            wait_seconds = count_login(request)
            if wait_seconds is not None:
                response = render(
                    request, "account/too_many.html", {"wait_seconds": wait_seconds}, status=429
                )
                response.headers["Retry-After"] = str(wait_seconds)
                return response
        return view(request, *args, **kwargs)

    return limited
