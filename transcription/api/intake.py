"""What the creating routes read from a request, and how it becomes a transcription."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request

from asr_project.logs import current_request_id
from transcription.api.idempotency import submit_once_of
from transcription.models import Transcription
from transcription.services.errors import ServiceError
from transcription.services.submit import IncomingFile
from transcription.web.uploads import FILE_FIELD, DurableUpload


class SubmissionSerializer(serializers.Serializer[Any]):
    """The fields of a request that brings a recording."""

    file = serializers.FileField(
        allow_empty_file=True,  # refused by the service, which has better words for it
        max_length=None,
        help_text="The recording: WAV, MP3, M4A, OGG, FLAC, WebM, AAC, Opus, AMR or a video.",
    )
    language = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=40,
        help_text="Code of the language that is spoken, as zh or en; empty or auto: detected.",
    )
    prompt = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Names and terms that occur, for the model to write them right.",
    )
    model = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=100,
        help_text="Name of a model; empty or auto: chosen by the service.",
    )
    polish = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=10,
        help_text="Text as the engine writes it (off), by the rules of written text (rules), by a "
        "punctuation model and the rules (model); or true, false; empty: as the service is set.",
    )
    words = serializers.BooleanField(
        default=False,
        help_text="Whether times of single words are wanted as well.",
    )
    callback_url = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Address that is told when this transcription has ended; see docs/webhooks.md.",
    )


def received_file(request: Request) -> IncomingFile:
    """Return the request's one recording; raises ``ServiceError`` or a field's error."""
    files = request.FILES.getlist(FILE_FIELD)
    if not files:
        raise ServiceError("file_missing")
    if len(files) > 1:
        raise serializers.ValidationError({FILE_FIELD: [_("Send one file in each request.")]})
    upload = files[0]
    if not isinstance(upload, DurableUpload):
        raise TypeError("FILE_UPLOAD_HANDLERS must name web.uploads.DurableUploadHandler alone.")
    return IncomingFile(
        path=upload.path,
        file_name=upload.name or "",
        size_bytes=upload.size or 0,
        sha256=upload.sha256,
        head=upload.head,
    )


def accept(request: Request) -> Transcription:
    """Read the request's recording and take it in; raises ``ServiceError`` or a field's error."""
    recording = received_file(request)
    fields = SubmissionSerializer(data=request.data)
    fields.is_valid(raise_exception=True)
    return submit_once_of(
        request,
        recording,
        asked={name: value for name, value in fields.validated_data.items() if name != FILE_FIELD},
        language_hint=fields.validated_data.get("language", ""),
        prompt=fields.validated_data.get("prompt", ""),
        requested_model=fields.validated_data.get("model", ""),
        polish=fields.validated_data.get("polish", ""),
        want_words=fields.validated_data["words"],
        callback_url=fields.validated_data.get("callback_url", ""),
        request_id=current_request_id(),
    )
