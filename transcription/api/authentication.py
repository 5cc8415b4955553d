"""Who calls, and what they may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import QuerySet
from rest_framework import authentication, exceptions, permissions
from rest_framework.request import Request

from transcription.models import ApiToken, Transcription
from transcription.services import audit, browser_tokens, tokens
from transcription.services.access import known_to
from transcription.services.browser_tokens import BrowserToken, ResultToken
from transcription.services.errors import ServiceError

if TYPE_CHECKING:
    # rest_framework.views itself loads this module, by its settings.
    from rest_framework.views import APIView

Scope = ApiToken.Scope

#: Parameter of a link that carries its own permission to be read.
RESULT_TOKEN_PARAMETER = "result_token"


class TokenAuthentication(authentication.BaseAuthentication):
    """``Authorization: Token …`` or ``Authorization: Bearer …``; costs one query."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken | BrowserToken] | None:
        header = authentication.get_authorization_header(request).decode("latin-1")
        token = tokens.token_in(header)
        if token is None:
            return None
        if token.startswith(browser_tokens.PREFIX):
            found = browser_tokens.find(token)
            if found is None:
                raise exceptions.AuthenticationFailed(code="invalid_token")
            return found.user, found
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


class ResultTokenAuthentication(authentication.BaseAuthentication):
    """The link that the caller without a token was given to the result of his recording."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ResultToken] | None:
        token = request.query_params.get(RESULT_TOKEN_PARAMETER)
        if token is None:
            return None
        found = browser_tokens.find_for_result(token)
        if found is None:
            raise exceptions.AuthenticationFailed(code="invalid_token")
        return AnonymousUser(), found


class ScopePermission(permissions.BasePermission):
    """Lets those in who are known, as far as the scope of their token goes.

    *read* may use the safe methods. *transcribe* may also change things where the view says so
    by ``write_scope = ApiToken.Scope.TRANSCRIBE``, and only rows of the user's own. *full*, and
    a session, may do what the user may do. A browser token sends in recordings and reads them,
    where the view takes files. A result token reads one transcription. Nobody at all may post
    where the view says ``allows_anonymous = True`` and the setting agrees.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        is_safe = request.method in permissions.SAFE_METHODS
        if isinstance(request.auth, ResultToken):
            return is_safe and _is_about_recordings(view) and getattr(view, "detail", False)
        if not (request.user and request.user.is_authenticated):
            return is_anonymous_allowed(view) and _comes_from_here(request)
        if isinstance(request.auth, BrowserToken):
            is_upload = request.method == "POST" and getattr(view, "action", None) in {
                None,
                "create",
            }
            if _is_about_recordings(view) and (is_safe or is_upload):
                return True
            raise ServiceError("browser_token_limited")
        scope = scope_of(request)
        if is_safe or scope == Scope.FULL:
            return True
        return scope == Scope.TRANSCRIBE == getattr(view, "write_scope", Scope.FULL)

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        if request.method in permissions.SAFE_METHODS or scope_of(request) == Scope.FULL:
            return True
        return isinstance(obj, Transcription) and obj.owner_id == request.user.pk


class AccountPermission(permissions.BasePermission):
    """Lets a session in, or a token that may do everything: what is done here is the user's own
    business, and a lesser token must not make itself a greater one."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.auth, BrowserToken):
            raise ServiceError("browser_token_limited")
        return bool(request.user and request.user.is_authenticated) and (
            scope_of(request) == Scope.FULL
        )


def scope_of(request: Request) -> str:
    """Return the scope of the request's token; a session may do all that its user may do."""
    if isinstance(request.auth, (BrowserToken, ResultToken)):
        return Scope.READ
    return request.auth.scope if isinstance(request.auth, ApiToken) else Scope.FULL


def actor_of(request: Request) -> audit.Actor:
    """Return who calls, for the audit: with a session it is a page, with a token the API."""
    if isinstance(request.auth, ResultToken):
        return audit.Actor(via=audit.Via.LINK)
    token = request.auth if isinstance(request.auth, ApiToken) else None
    if isinstance(request.auth, BrowserToken) and request.auth.parent_id:
        token = ApiToken.objects.filter(pk=request.auth.parent_id).first()
    return audit.Actor(
        via=audit.Via.API if request.auth else audit.Via.PAGE,
        user=request.user if isinstance(request.user, User) else None,
        token_name=str(token or ""),
    )


def subject_of(request: Request) -> str:
    """Return for whom the request's browser token was made; "": it has none."""
    return request.auth.subject if isinstance(request.auth, BrowserToken) else ""


def visible_to(request: Request, rows: QuerySet[Transcription]) -> QuerySet[Transcription]:
    """Return those of the transcriptions that the caller may know of.

    A signed token narrows it to what it was made for; else ``services.access`` says it.
    """
    if isinstance(request.auth, ResultToken):
        return rows.filter(pk=request.auth.transcription_id)
    if isinstance(request.auth, BrowserToken):
        return rows.filter(owner_id=request.user.pk, subject=request.auth.subject)
    return known_to(request.user, rows)


def is_anonymous_allowed(view: Any) -> bool:
    """Whether callers without a token may use a view (or the class of one)."""
    return settings.ALLOW_ANONYMOUS and getattr(view, "allows_anonymous", False)


def _is_about_recordings(view: APIView) -> bool:
    return getattr(view, "takes_files", False)


def _comes_from_here(request: Request) -> bool:
    """Refuse what a page of an unknown origin sends.

    A browser sends a form with a file to any address without asking, and only keeps the answer
    from the page: any page in the world could have its visitors send us work.
    """
    origin = request.headers.get("Origin")
    if origin is None or origin in settings.CORS_ALLOWED_ORIGINS:
        return True
    # By host alone: where a proxy ends TLS, we may not know that our own page came by https.
    if origin.partition("://")[2] == request._request.get_host():
        return True
    raise ServiceError("origin_not_allowed", origin=origin[:200])
