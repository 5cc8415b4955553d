"""Who calls, and what they may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import User
from rest_framework import authentication, exceptions, permissions
from rest_framework.request import Request

from transcription.models import ApiToken, Transcription
from transcription.services import tokens
from transcription.services.errors import ServiceError

if TYPE_CHECKING:
    # rest_framework.views itself loads this module, by its settings.
    from rest_framework.views import APIView

Scope = ApiToken.Scope


class TokenAuthentication(authentication.BaseAuthentication):
    """``Authorization: Token …`` or ``Authorization: Bearer …``; costs one query."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        header = authentication.get_authorization_header(request).decode("latin-1")
        token = tokens.token_in(header)
        if token is None:
            return None
        row = tokens.find(token)
        if row is None:
            raise exceptions.AuthenticationFailed(code="invalid_token")
        tokens.note_use(row)
        return row.user, row

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class SessionAuthentication(authentication.SessionAuthentication):
    """The session of a logged-in browser; what changes something needs a CSRF token."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except exceptions.PermissionDenied as error:
            raise ServiceError("csrf_failed") from error


class ScopePermission(permissions.BasePermission):
    """Lets those in who are known, as far as the scope of their token goes.

    *read* may use the safe methods. *transcribe* may also change things where the view says so
    by ``write_scope = ApiToken.Scope.TRANSCRIBE``, and only rows of the user's own. *full*, and
    a session, may do what the user may do.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not (request.user and request.user.is_authenticated):
            return False
        scope = scope_of(request)
        if request.method in permissions.SAFE_METHODS or scope == Scope.FULL:
            return True
        return scope == Scope.TRANSCRIBE == getattr(view, "write_scope", Scope.FULL)

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        if request.method in permissions.SAFE_METHODS or scope_of(request) == Scope.FULL:
            return True
        return isinstance(obj, Transcription) and obj.owner_id == request.user.pk


def scope_of(request: Request) -> str:
    """Return the scope of the request's token; a session may do all that its user may do."""
    return request.auth.scope if isinstance(request.auth, ApiToken) else Scope.FULL
