"""``POST /v1/audio/transcriptions``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connections
from django.http import QueryDict
from django.http.response import HttpResponseBase
from django.urls import reverse
from rest_framework.request import Request

from asr_project.logs import current_request_id
from transcription.api import sse
from transcription.api.authentication import subject_of
from transcription.api.idempotency import submit_once_of
from transcription.api.intake import received_file
from transcription.api.openai import repeats
from transcription.api.openai.answers import answer
from transcription.api.openai.fields import ALIASES, Asked, read_fields
from transcription.api.openai.form import RecordingFormParser
from transcription.api.openai.stream import text_events
from transcription.api.transcribe import RecordingView, when_the_client_leaves
from transcription.models import SpeechModel, Transcription
from transcription.services import idempotency
from transcription.services.errors import ServiceError
from transcription.web.watcher import wait_until_final


class TranscriptionsView(RecordingView):
    """Waits until the transcription is over, the client leaves, or the time is up.

    Nothing is sent before the result, since its status is not known before: a proxy in front
    must be as patient as the client. ``stream=true`` is for those who cannot wait in silence.
    """

    parser_classes = [RecordingFormParser]

    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        recording = received_file(request)
        assert isinstance(request.data, QueryDict)  # as our parser gives it
        asked = read_fields(request.data)
        model = model_asked_for(asked.model)
        assert isinstance(request.user, User)
        row = None
        # Whoever sends a key of his own has said which requests are one.
        if repeats.is_repeated(request) and idempotency.HEADER not in request.headers:
            row = repeats.earlier_work(
                request.user, recording, asked, model=model, subject=subject_of(request)
            )
        if row is None:
            row = submit_once_of(
                request,
                recording,
                asked={**asdict(asked), "route": "openai"},
                language_hint=asked.language,
                prompt=asked.prompt,
                requested_model=model,
                want_words=asked.wants_words,
                request_id=current_request_id(),
            )
        return _when_over(request, row, asked)


def _when_over(request: Request, row: Transcription, asked: Asked) -> HttpResponseBase:
    # Nobody else could use this thread's connection while it waits.
    connections.close_all()
    wait_until_final(
        row.pk,
        # A stream that fails at once can still say so by its status.
        settings.KEEP_ALIVE_SECONDS if asked.stream else settings.OPENAI_WAIT_SECONDS,
        on_give_up=when_the_client_leaves(request),
        enough=lambda seen: asked.stream and seen.processed_seconds > 0,
    )
    standing = Transcription.objects.filter(pk=row.pk).first()
    if standing is None:
        raise ServiceError("not_found")
    if asked.stream and standing.status not in {
        Transcription.Status.FAILED,
        Transcription.Status.CANCELLED,
    }:
        return sse.stream(text_events(row.pk))
    if not standing.is_final:
        raise ServiceError("wait_ended", url=reverse("transcription-detail", args=[row.pk]))
    return answer(standing, asked)


def model_asked_for(name: str) -> str:
    """Return the name of a model of ours; "": the service chooses. Raises ``unknown_model``."""
    if name in ALIASES and not SpeechModel.objects.filter(name=name, enabled=True).exists():
        return ""
    return "" if name == "auto" else name
