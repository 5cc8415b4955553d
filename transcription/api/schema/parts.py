"""What several routes are described by."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema_view
from rest_framework.views import APIView

from transcription.api.schema.route import ERROR_CODES
from transcription.services.idempotency import HEADER, MAX_KEY_CHARACTERS

BINARY = OpenApiTypes.BINARY
FORM = "multipart/form-data"
STREAM = "text/event-stream"
#: One event of a stream.
ONE_EVENT = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "data": {"type": "string", "description": "JSON."},
        "event": {"type": "string"},
        "id": {"type": "string"},
        "retry": {"type": "integer"},
    },
}


def header(name: str, words: str, **schema: Any) -> OpenApiParameter:
    """Return a header of a request."""
    return OpenApiParameter(
        name, {"type": "string", **schema}, OpenApiParameter.HEADER, description=words
    )


#: Header of an answer.
LOCATION = OpenApiParameter(
    "Location",
    str,
    OpenApiParameter.HEADER,
    description="Where what was made can be asked for.",
    response=[201, 202],
)
ONCE = header(
    HEADER,
    "The same key and the same request make one transcription, however often they are sent.",
    minLength=1,
    maxLength=MAX_KEY_CHARACTERS,
    pattern=r"^[!-~]+$",
)


def codes(*names: str) -> dict[str, Any]:
    """Name errors that a route has besides the common ones; for ``extend_schema``."""
    return {ERROR_CODES: list(names)}


def described(view: type[APIView], *, rows: Any = None, **operations: Any) -> type[APIView]:
    """Return a stand-in for a view with these descriptions of its operations.

    ``rows``: a queryset, where the view's own asks who calls.
    """
    own = {} if rows is None else {"get_queryset": lambda self: rows}
    standing_in: type[APIView] = extend_schema_view(**operations)(type("Described", (view,), own))
    return standing_in
