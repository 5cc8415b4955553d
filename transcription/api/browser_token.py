"""``POST /api/v1/browser-token/``: a token that a web page may hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from rest_framework import exceptions, parsers, serializers, status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from transcription.api.authentication import scope_of
from transcription.models import ApiToken
from transcription.services import browser_tokens
from transcription.services.browser_tokens import BrowserToken
from transcription.services.errors import ServiceError
from transcription.web.counting import count_login


class BrowserTokenSerializer(serializers.Serializer[Any]):
    """For whom the token is."""

    subject = serializers.RegexField(
        r"^[\w.@:+-]+$",
        required=False,
        allow_blank=True,
        max_length=browser_tokens.MAX_SUBJECT_CHARACTERS,
        help_text="An id of your own for the person at the browser. Tokens for the same subject "
        "see the same recordings; without one the token sees what it sent in itself.",
    )


class MayTranscribe(BasePermission):
    """Lets in who may send recordings in himself; no browser token makes another."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.auth, BrowserToken):
            raise ServiceError("browser_token_limited")
        return bool(request.user and request.user.is_authenticated) and (
            scope_of(request) in {ApiToken.Scope.TRANSCRIBE, ApiToken.Scope.FULL}
        )


class BrowserTokenView(APIView):
    """Makes a browser token; see ``services.browser_tokens`` for what it can do and how it ends.

    The server of a front end asks for one for each of its visitors, all from one address: so
    they are counted by user, and by address only those who have no token that is good.
    """

    permission_classes = [MayTranscribe]
    parser_classes = [parsers.JSONParser, parsers.FormParser]
    throttle_scope = "browser_tokens"
    http_method_names = ["post", "options"]

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, (exceptions.NotAuthenticated, exceptions.AuthenticationFailed)):
            wait_seconds = count_login(self.request._request)
            if wait_seconds is not None:
                exc = exceptions.Throttled(wait_seconds)
        return super().handle_exception(exc)

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        fields = BrowserTokenSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        assert isinstance(request.user, User)
        token, subject, expires = browser_tokens.create(
            request.user,
            parent=request.auth if isinstance(request.auth, ApiToken) else None,
            subject=fields.validated_data.get("subject", ""),
        )
        return Response(
            {
                "token": token,
                "subject": subject,
                "expires_at": datetime.fromtimestamp(int(expires), UTC),
                "expires_in_seconds": settings.BROWSER_TOKEN_SECONDS,
            },
            status=status.HTTP_201_CREATED,
            headers={"Cache-Control": "no-store"},
        )
