"""Who may call, in the description."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from transcription.api.authentication import RESULT_TOKEN_PARAMETER


class ByToken(OpenApiAuthenticationExtension):
    """A token in the Authorization header, of a program or of a browser."""

    target_class = "transcription.api.authentication.TokenAuthentication"
    name = ["apiToken", "apiTokenByName", "browserToken"]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        names = ["apiToken", "apiTokenByName"]
        view, method = auto_schema.view, auto_schema.method
        is_upload = method == "POST" and not getattr(view, "detail", False)
        if getattr(view, "takes_files", False) and (is_upload or method == "GET"):
            names.append("browserToken")
        return [{name: []} for name in names]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        return [
            {
                "type": "http",
                "scheme": "bearer",
                "description": "`Authorization: Bearer asr_…`, with a token of yours.",
            },
            {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "description": "The same token, written `Token asr_…`.",
            },
            {
                "type": "http",
                "scheme": "bearer",
                "description": "A token from /api/v1/browser-token/: sends recordings in and "
                "reads their results, and nothing else.",
            },
        ]


class BySession(OpenApiAuthenticationExtension):
    """The cookie of a logged-in browser."""

    target_class = "transcription.api.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "The session of a logged-in browser; what changes something needs the "
            "header X-CSRFToken as well.",
        }


class ByResultToken(OpenApiAuthenticationExtension):
    """The link to the result of a recording that came without a token."""

    target_class = "transcription.api.authentication.ResultTokenAuthentication"
    name = "resultToken"

    def get_security_requirement(  # type: ignore[override]  # None: not on this route
        self, auto_schema: Any
    ) -> dict[str, list[Any]] | None:
        view = auto_schema.view
        is_about_one = getattr(view, "takes_files", False) and getattr(view, "detail", False)
        return {"resultToken": []} if is_about_one and auto_schema.method == "GET" else None

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "query",
            "name": RESULT_TOKEN_PARAMETER,
            "description": "Part of the link that a caller without a token is given.",
        }
