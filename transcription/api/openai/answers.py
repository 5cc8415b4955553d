"""A finished transcription in the formats of OpenAI's API."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from transcription.api.openai.fields import Asked
from transcription.api.openai.shape import error_body, error_headers
from transcription.api.transcripts import transcript_of
from transcription.models import Segment, Transcription
from transcription.services.errors import ERRORS, ServiceError, error_message
from transcription.text.exports import FORMATS, render
from transcription.text.languages import english_name

#: response_format -> the name of our export; these are sent as they are, not as JSON.
_EXPORTS = {"text": "txt", "srt": "srt", "vtt": "vtt"}


def answer(row: Transcription, asked: Asked) -> HttpResponseBase:
    """Return a transcription that is over in the format that was asked for; or why it failed."""
    if row.status == Transcription.Status.CANCELLED:
        raise ServiceError("cancelled")
    if row.status == Transcription.Status.FAILED:
        return failure(row)
    if asked.response_format in _EXPORTS:
        export = FORMATS[_EXPORTS[asked.response_format]]
        return HttpResponse(
            render(transcript_of(row), export.name),
            content_type=f"{export.media_type}; charset=utf-8",
        )
    body = verbose_json(row, asked) if asked.response_format == "verbose_json" else plain_json(row)
    return JsonResponse(body, json_dumps_params={"ensure_ascii": False})


def failure(row: Transcription) -> JsonResponse:
    """Return the error of a failed transcription."""
    code = code_of_failure(row)
    return JsonResponse(
        error_body(code, error_message(row)),
        status=ERRORS[code].status,
        headers=error_headers(code),
        json_dumps_params={"ensure_ascii": False},
    )


def code_of_failure(row: Transcription) -> str:
    """Return the stable code of what went wrong with a failed transcription."""
    return row.error_code if row.error_code in ERRORS else "internal_error"


def plain_json(row: Transcription) -> dict[str, Any]:
    return {"text": row.text, "usage": usage_of(row)}


def usage_of(row: Transcription) -> dict[str, Any]:
    return {"type": "duration", "seconds": _seconds(row.duration_seconds or 0.0)}


def verbose_json(row: Transcription, asked: Asked) -> dict[str, Any]:
    """Return the text with its times; raises ``no_word_times`` where words are asked for and the
    engine gave none.
    """
    segments = list(row.segments.order_by("index"))
    shown: dict[str, Any] = {
        "task": "transcribe",
        # No speech, no language; the client's type wants a string.
        "language": english_name(row.language).lower() if row.language else "",
        "duration": _seconds(row.duration_seconds or 0.0),
        "text": row.text,
        "usage": usage_of(row),
    }
    if asked.wants_segments:
        shown["segments"] = [_segment(segment) for segment in segments]
    if asked.wants_words:
        shown["words"] = list(_words(segments))
        if row.text and not shown["words"]:
            raise ServiceError("no_word_times", model=row.model_name)
    return shown


def _segment(segment: Segment) -> dict[str, Any]:
    """One segment. Figures that the engine does not give are 0, since the client's types know no
    null; no token numbers are kept.
    """
    return {
        "id": segment.index,
        "seek": round(segment.start_seconds * 100),
        "start": _seconds(segment.start_seconds),
        "end": _seconds(segment.end_seconds),
        "text": segment.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": segment.avg_logprob or 0.0,
        "compression_ratio": compression_ratio(segment.text),
        "no_speech_prob": segment.no_speech_probability or 0.0,
    }


def compression_ratio(text: str) -> float:
    """Return how well the text compresses, as Whisper counts it: repetitions compress well."""
    raw = text.encode()
    return round(len(raw) / len(zlib.compress(raw)), 4)


def _words(segments: Sequence[Segment]) -> Iterator[dict[str, Any]]:
    for segment in segments:
        for word in segment.words or []:
            yield {
                "word": word["word"],
                "start": _seconds(word["start"]),
                "end": _seconds(word["end"]),
            }


def _seconds(seconds: float) -> float:
    return round(seconds, 3)
