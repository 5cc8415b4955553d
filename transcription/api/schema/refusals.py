"""Errors in the description: in which shape each route tells them, and with which status."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from rest_framework import serializers

from transcription.api.errors import ENVELOPE_PATHS
from transcription.api.openai.shape import is_openai
from transcription.api.schema.shapes import NullField
from transcription.services.errors import ERRORS

#: What every route may say.
EVERYWHERE = (
    *("authentication_required", "invalid_token", "permission_denied", "rate_limited"),
    "browser_token_limited",
    *("malformed_request", "internal_error", "service_unavailable"),
)
#: What a route may say that reads a body.
WITH_A_BODY = ("invalid", "unsupported_media_type", "no_upload_here", "csrf_failed")
#: What a route may say that takes a recording.
WITH_A_RECORDING = (
    *("body_too_large", "body_too_large_without_token", "storage_full"),
    *("file_missing", "empty_file", "unknown_language", "unknown_model", "prompt_too_long"),
    *("polish_model_unavailable", "words_unavailable", "address_not_allowed"),
    *("idempotency_conflict", "idempotency_deleted", "origin_not_allowed"),
    *("too_many_jobs", "storage_quota_used", "daily_quota_used"),
)
#: What becomes of a recording, where a route waits for it.
OUTCOMES = (
    *("not_audio", "no_audio_track", "audio_too_short", "audio_too_long", "damaged_audio"),
    *("decode_timeout", "decode_out_of_memory", "decoder_crashed", "worker_crashed"),
    *("recognition_failed", "model_unavailable", "cancelled", "recording_missing", "not_found"),
)


class FieldErrorSerializer(serializers.Serializer[Any]):
    """What is wrong with one field."""

    field = serializers.CharField(allow_blank=True)
    message = serializers.CharField()


class ConflictSerializer(serializers.Serializer[Any]):
    """A segment that others have changed meanwhile."""

    id = serializers.IntegerField()
    text = serializers.CharField(
        allow_blank=True, allow_null=True, help_text="As it is now; null: it is gone."
    )
    revision = serializers.IntegerField()
    author = serializers.CharField(allow_null=True)
    changed_at = serializers.DateTimeField(allow_null=True)


class ConflictsSerializer(serializers.Serializer[Any]):
    """What stands in the way of a review_conflict."""

    revision = serializers.IntegerField(help_text="Of the transcription, now.")
    conflicts = ConflictSerializer(many=True)


class ErrorSerializer(serializers.Serializer[Any]):
    """An error of the API."""

    code = serializers.CharField(help_text="Stable; docs/errors.md lists all of them.")
    message = serializers.CharField(help_text="What is wrong and what to do, for people.")
    request_id = serializers.CharField(allow_blank=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # A serializer has properties called errors and data.
        return {
            **super().get_fields(),
            "errors": FieldErrorSerializer(many=True, required=False),
            "data": ConflictsSerializer(required=False, help_text="Of review_conflict alone."),
        }


class EnvelopeErrorSerializer(serializers.Serializer[Any]):
    """An error of the transcribe route."""

    code = serializers.IntegerField(
        min_value=1, help_text="Stable number; docs/errors.md lists all of them."
    )
    message = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # A serializer has a property called data.
        return {**super().get_fields(), "data": NullField()}


class OpenAIErrorFieldsSerializer(serializers.Serializer[Any]):
    """The four keys of an error."""

    message = serializers.CharField()
    type = serializers.CharField()
    param = serializers.CharField(allow_null=True)
    code = serializers.CharField()


class OpenAIErrorSerializer(serializers.Serializer[Any]):
    """An error as OpenAI's API tells it."""

    error = OpenAIErrorFieldsSerializer()


def shape_at(path: str) -> type[serializers.Serializer[Any]]:
    """Return the shape in which the address tells its errors."""
    if path in ENVELOPE_PATHS:
        return EnvelopeErrorSerializer
    return OpenAIErrorSerializer if is_openai(path) else ErrorSerializer


def by_status(codes: Iterable[str]) -> dict[int, list[str]]:
    """Return the stable codes that share a status of HTTP, by that status."""
    found: dict[int, list[str]] = defaultdict(list)
    for code in dict.fromkeys(codes):
        found[ERRORS[code].status].append(code)
    return dict(sorted(found.items()))
