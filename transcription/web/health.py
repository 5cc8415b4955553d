"""Whether the service is there: ``GET /health``, ``/health/live`` and ``/health/ready``.

An answer at once, however many wait for theirs, and however often somebody asks.
"""

from __future__ import annotations

import logging
import threading
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import OperationalError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from transcription.models import SpeechModel
from transcription.services import readiness
from transcription.services.queue import is_paused

logger = logging.getLogger(__name__)

T = TypeVar("T")
API_ROOT = "/api/v1/transcribe"
#: How old what is told may be.
REMEMBER_SECONDS = 2.0
#: How long the database may take to answer before it counts as silent.
PATIENCE_SECONDS = 5.0


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


class Remembered(Generic[T]):
    """What is asked for once in a while and not per request."""

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._asking = threading.Lock()
        self._until_seconds = float("-inf")
        self._told: T | DatabaseError | None = None

    def tell(self) -> T:
        """Return it, as it was ``REMEMBER_SECONDS`` ago at most; raises ``django.db.Error``.

        While somebody asks anew, the others are told what was known; but no longer than
        ``PATIENCE_SECONDS``: a database that keeps him waiting for so long does not answer.
        """
        if time.monotonic() >= self._until_seconds and self._asking.acquire(
            blocking=self._told is None
        ):
            try:
                if time.monotonic() >= self._until_seconds:
                    self._renew()
            finally:
                self._asking.release()
        if isinstance(self._told, DatabaseError):
            raise self._told
        if time.monotonic() > self._until_seconds + PATIENCE_SECONDS:
            raise OperationalError("The database has not answered for too long.")
        return self._told  # type: ignore[return-value]  # it was asked for: above, or by another

    def _renew(self) -> None:
        try:
            self._told = self._ask()
        except DatabaseError as error:
            logger.exception("The database does not answer.")
            self._told = error
        self._until_seconds = time.monotonic() + REMEMBER_SECONDS

    def forget(self) -> None:
        """Ask anew at the next call."""
        self._until_seconds, self._told = float("-inf"), None


def _standing() -> Standing:
    return Standing(
        model=SpeechModel.objects.filter(enabled=True).values_list("name", flat=True).first(),
        queue_paused=is_paused(),
    )


standing = Remembered(_standing)
obstacles = Remembered(readiness.reasons)


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
        found = standing.tell()
        body["model"] = found.model
        body["queue_paused"] = found.queue_paused
    except DatabaseError:
        body["status"] = "unavailable"
        body["message"] = "The database does not answer."
    return _answer(body, is_well=body["status"] == "ok")


@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """Say that this process answers: what fails here is mended by starting it anew."""
    return _answer({"status": "ok", "version": version()}, is_well=True)


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Say whether a recording that comes now would become text, and else why not; then 503."""
    unknown: set[str] = set()
    try:
        found = obstacles.tell()
        if any(reason.code == "no_engine_worker" for reason in found):
            unknown = {"model"}  # whether it can be loaded
    except DatabaseError:
        found, unknown = readiness.reasons_without_database(), {"workers", "model"}
    body: dict[str, Any] = {
        "status": "not_ready" if found else "ready",
        "checks": {
            subject: "unknown" if subject in unknown else "ok" for subject in readiness.SUBJECTS
        },
        "reasons": [{"code": reason.code, "message": reason.words} for reason in found],
    }
    body["checks"].update((reason.subject, "failed") for reason in found)
    return _answer(body, is_well=not found)


def _answer(body: dict[str, Any], *, is_well: bool) -> JsonResponse:
    response = JsonResponse(body, status=200 if is_well else 503)
    response.headers["Cache-Control"] = "no-store"
    return response
