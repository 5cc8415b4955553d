"""What a page may load and run: only what this service itself serves.

A text that somebody spoke, a file name or a title can never become a script: no page runs inline
scripts, and none can send anything elsewhere (Content Security Policy, level 3).
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

_POLICY = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' blob:",
    "connect-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "form-action": "'self'",
}


def _written(**changes: str) -> str:
    policy = _POLICY | {name.replace("_", "-"): value for name, value in changes.items()}
    return "; ".join(f"{name} {value}" for name, value in policy.items())


POLICY = _written()
#: The browsable API and its documentation bring styles inside their pages.
API_POLICY = _written(style_src="'self' 'unsafe-inline'")


class PagePolicyMiddleware:
    """Sends the policy with every page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            policy = API_POLICY if request.path.startswith("/api/") else POLICY
            response.headers.setdefault("Content-Security-Policy", policy)
            # The home page records; nothing else that a browser could hand out is wanted.
            response.headers.setdefault(
                "Permissions-Policy", "microphone=(self), camera=(), geolocation=()"
            )
        return response
