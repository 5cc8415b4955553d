"""What is true of every route: its errors, its headers, and one address of two."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework.negotiation import DefaultContentNegotiation

from transcription.api.authentication import is_anonymous_allowed
from transcription.api.schema.health import probes
from transcription.api.schema.refusals import (
    EVERYWHERE,
    WITH_A_BODY,
    WITH_A_RECORDING,
    by_status,
    shape_at,
)
from transcription.services.errors import ERRORS
from transcription.web.health import version

#: Key of ``extend_schema(extensions=…)`` for the codes of errors that only this route has.
ERROR_CODES = "x-error-codes"
#: Headers of answers, described once.
HEADERS = {
    "RequestId": {
        "description": "Names the request in the service's log.",
        "schema": {"type": "string"},
    },
    "RetryAfter": {
        "description": "Seconds to wait before the next try.",
        "schema": {"type": "string", "pattern": r"^\d+$"},
    },
    "Location": {
        "description": "Where what was made can be asked for.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
}
#: Statuses whose answers say when to come again.
SAY_WHEN = frozenset({"429", "503"})


class RouteSchema(AutoSchema):
    """Describes a route as the framework does, with what every route here has besides."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        codes = [*operation.pop(ERROR_CODES, []), *self._common_codes("requestBody" in operation)]
        shape = self.resolve_serializer(shape_at(self.path), "response").ref
        for status, of_status in by_status(codes).items():
            operation["responses"][str(status)] = {
                "description": "  \n".join(f"`{code}`: {ERRORS[code].words}" for code in of_status),
                "content": {"application/json": {"schema": shape}},
            }
        for status, response in operation["responses"].items():
            headers = response.setdefault("headers", {})
            headers["X-Request-ID"] = _header("RequestId")
            if status in SAY_WHEN:
                headers["Retry-After"] = _header("RetryAfter")
        operation["responses"] = dict(sorted(operation["responses"].items()))
        return operation

    def get_auth(self) -> list[Any]:
        # Nobody's token is asked for where the operator has set it so.
        anybody: list[Any] = [{}] if is_anonymous_allowed(self.view) else []
        return [*super().get_auth(), *anybody]

    def get_tags(self) -> list[str]:
        parts = self.path.strip("/").split("/")
        return ["OpenAI"] if parts[0] == "v1" else [parts[2] if parts[0] == "api" else parts[-1]]

    def _common_codes(self, has_body: bool) -> list[str]:
        codes = list(EVERYWHERE)
        if has_body or self.method == "DELETE":
            codes += WITH_A_BODY
        if has_body and getattr(self.view, "takes_files", False):
            codes += WITH_A_RECORDING
        # Of an id, of a page.
        if "{" in self.path or self._is_list_view():
            codes.append("not_found")
        negotiation = getattr(self.view, "content_negotiation_class", None)
        if negotiation is DefaultContentNegotiation:
            codes.append("not_acceptable")
        return codes


def _header(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}


def one_address_each(endpoints: list[Any]) -> list[Any]:
    """Leave out the second address of each route, which differs in its last slash alone.

    The one that is kept is the one that has a name, and so the one that links lead to.
    """
    paths = {path for path, *_ in endpoints}
    return [one for one in endpoints if not _is_second(one[0], paths)]


def _is_second(path: str, paths: set[str]) -> bool:
    with_slash = path.startswith("/api/") and path.rstrip("/") != "/api/v1/transcribe"
    other = path.rstrip("/") if path.endswith("/") else f"{path}/"
    return other in paths and path.endswith("/") != with_slash


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add what no view says: the probes, which are plain views of Django's, headers, version."""
    result["paths"].update(probes({"X-Request-ID": _header("RequestId")}))
    result.setdefault("components", {})["headers"] = HEADERS
    result["info"]["version"] = version()
    return result
