"""``GET /health``: an answer at once, however many wait for theirs."""

from __future__ import annotations

import logging
import time
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from transcription.models import SpeechModel
from transcription.services.queue import is_paused

logger = logging.getLogger(__name__)

API_ROOT = "/api/v1/transcribe"
#: How old what is told may be.
REMEMBER_SECONDS = 2.0


@cache
def version() -> str:
    """Return the version of the service, from the project's own description."""
    with (settings.BASE_DIR / "pyproject.toml").open("rb") as file:
        described: str = tomllib.load(file)["project"]["version"]
    return described


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is told of the service beyond that it answers."""

    #: Name of the first enabled model; None: there is none.
    model: str | None
    #: Recordings are accepted and wait.
    queue_paused: bool


class FirstModel:
    """How the service stands, asked for once in a while and not per request."""

    def __init__(self) -> None:
        self._until_seconds = 0.0
        self._standing = Standing(model=None, queue_paused=False)
        self._error: DatabaseError | None = None

    def standing(self) -> Standing:
        """Return how the service stands; raises ``django.db.Error``."""
        now_seconds = time.monotonic()
        if now_seconds >= self._until_seconds:
            # Set first: those who come meanwhile take the old answer and do not ask too.
            self._until_seconds = now_seconds + REMEMBER_SECONDS
            try:
                self._standing = _standing()
                self._error = None
            except DatabaseError as error:
                logger.exception("The database does not answer.")
                self._error = error
        if self._error is not None:
            raise self._error
        return self._standing

    def forget(self) -> None:
        """Ask anew at the next call."""
        self._until_seconds = 0.0


def _standing() -> Standing:
    return Standing(
        model=SpeechModel.objects.filter(enabled=True).values_list("name", flat=True).first(),
        queue_paused=is_paused(),
    )


first_model = FirstModel()


@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Say that the service answers, and with which model; 503 when its database does not."""
    body: dict[str, Any] = {
        "status": "ok",
        "model": None,
        "api_root": API_ROOT,
        "version": version(),
        "queue_paused": False,
    }
    try:
        standing = first_model.standing()
        body["model"] = standing.model
        body["queue_paused"] = standing.queue_paused
    except DatabaseError:
        body["status"] = "unavailable"
        body["message"] = "The database does not answer."
    response = JsonResponse(body, status=200 if body["status"] == "ok" else 503)
    response.headers["Cache-Control"] = "no-store"
    return response
