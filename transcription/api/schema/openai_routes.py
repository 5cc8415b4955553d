"""Which answers, parameters and errors belong to the routes of OpenAI's API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.utils import OpenApiResponse, extend_schema

from transcription.api.openai.fields import FORMATS
from transcription.api.schema import shapes
from transcription.api.schema.parts import FORM, ONCE, ONE_EVENT, STREAM, codes, described
from transcription.api.schema.refusals import OUTCOMES

_STRINGS = {"type": "array", "items": {"type": "string"}}
#: The form as the official client sends it.
OPENAI_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "model": {
            "type": "string",
            "maxLength": 100,
            "description": "A model of /v1/models; whisper-1 and auto: chosen by the service.",
        },
        "language": {"type": "string", "maxLength": 40},
        "languages[]": {"type": "array", "items": {"type": "string", "maxLength": 40}},
        "prompt": {"type": "string"},
        "keywords[]": {"type": "array", "items": {"type": "string", "maxLength": 200}},
        "response_format": {"type": "string", "enum": list(FORMATS), "default": "json"},
        "temperature": {"type": "number", "minimum": 0, "maximum": 1},
        "stream": {"type": "boolean", "default": False},
        "timestamp_granularities[]": {
            "type": "array",
            "items": {"type": "string", "enum": ["word", "segment"]},
        },
        "include[]": {**_STRINGS, "description": "May be sent and changes nothing."},
        "chunking_strategy": {"type": "string", "description": "Changes nothing."},
    },
}


class OpenAITranscriptions(OpenApiViewExtension):
    """``/v1/audio/transcriptions``."""

    target_class = "transcription.api.openai.transcriptions.TranscriptionsView"

    def view_replacement(self) -> Any:
        return described(
            self.target,
            post=extend_schema(
                parameters=[ONCE],
                request={FORM: OPENAI_FORM},
                responses={
                    (200, "application/json"): shapes.OpenAITranscriptionSerializer,
                    (200, "text/plain"): str,
                    (200, "application/x-subrip"): str,
                    (200, "text/vtt"): str,
                    (200, STREAM): OpenApiResponse(
                        ONE_EVENT,
                        description="The text; with stream=true events `transcript.text.delta` "
                        "and `transcript.text.done`.",
                    ),
                },
                extensions=codes(*OUTCOMES, "no_word_times", "no_speakers", "wait_ended"),
            ),
        )


class OpenAIModels(OpenApiViewExtension):
    """``/v1/models``."""

    target_class = "transcription.api.openai.models.ModelsView"

    def view_replacement(self) -> Any:
        return described(
            self.target,
            get=extend_schema(
                operation_id="v1_models_list", responses=shapes.OpenAIModelListSerializer
            ),
        )


class OpenAIModel(OpenApiViewExtension):
    """``/v1/models/{name}``."""

    target_class = "transcription.api.openai.models.ModelView"

    def view_replacement(self) -> Any:
        return described(self.target, get=extend_schema(responses=shapes.OpenAIModelSerializer))
