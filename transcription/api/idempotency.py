"""What creating routes take from a request besides its fields: whose it is, and its key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from rest_framework.request import Request

from transcription.api.authentication import subject_of
from transcription.models import Transcription
from transcription.services import idempotency
from transcription.services.submit import IncomingFile
from transcription.web.clients import client_network


def submit_once_of(
    request: Request, recording: IncomingFile, *, asked: Mapping[str, Any], **submission: Any
) -> Transcription:
    """Submit the request's recording for its caller, once for each ``Idempotency-Key``.

    ``asked``: every field that decides about the work; see ``services.idempotency.submit_once``.
    """
    owner = request.user if isinstance(request.user, User) else None
    return idempotency.submit_once(
        recording,
        caller=caller_of(request),
        key=request.headers.get(idempotency.HEADER),
        asked=asked,
        owner=owner,
        subject=subject_of(request),
        **submission,
    )


def caller_of(request: Request) -> str:
    """Return whose keys a request's are: of a user, of a browser token's subject, of an address."""
    if isinstance(request.user, User):
        return f"user:{request.user.pk}:{subject_of(request)}"
    return f"address:{client_network(request._request)}"
