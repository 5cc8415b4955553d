"""Which answers, parameters and errors belong to which route.

Each class here takes the place of a view while the description is made, and only then.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension, OpenApiViewExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)

from transcription.api.browser_token import BrowserTokenSerializer
from transcription.api.downloads import DOWNLOAD_FORMATS
from transcription.api.filters import ListQuery
from transcription.api.intake import SubmissionSerializer
from transcription.api.openai.fields import FORMATS
from transcription.api.reload_model import ReloadSerializer
from transcription.api.schema import shapes
from transcription.api.schema.refusals import OUTCOMES
from transcription.api.schema.route import ERROR_CODES
from transcription.api.tokens import TokenSerializer
from transcription.api.transcriptions import (
    ChangeSerializer,
    SegmentQuery,
    TranscriptionSerializer,
    WaitSerializer,
)
from transcription.api.webhooks import (
    DeliveryFilter,
    DeliverySerializer,
    NewEndpointSerializer,
    SecretSerializer,
)
from transcription.models import ApiToken
from transcription.services.idempotency import HEADER, MAX_KEY_CHARACTERS
from transcription.text.docx import DOCX_MEDIA_TYPE

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


def _header(name: str, words: str, **schema: Any) -> OpenApiParameter:
    return OpenApiParameter(
        name, {"type": "string", **schema}, OpenApiParameter.HEADER, description=words
    )


def _tells(name: str, words: str) -> OpenApiParameter:
    """A header of an answer."""
    return OpenApiParameter(
        name, str, OpenApiParameter.HEADER, description=words, response=[201, 202]
    )


LOCATION = _tells("Location", "Where what was made can be asked for.")
ONCE = _header(
    HEADER,
    "The same key and the same request make one transcription, however often they are sent.",
    minLength=1,
    maxLength=MAX_KEY_CHARACTERS,
    pattern=r"^[!-~]+$",
)


class Moments(OpenApiSerializerFieldExtension):
    """A day or a moment."""

    target_class = "transcription.api.filters.MomentField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {
            "type": "string",
            "anyOf": [{"format": "date"}, {"format": "date-time"}],
            "description": "A day, or a moment by ISO 8601.",
        }


def _codes(*codes: str) -> dict[str, Any]:
    return {ERROR_CODES: list(codes)}


class Transcriptions(OpenApiViewExtension):
    """``/api/v1/transcriptions/``."""

    target_class = "transcription.api.transcriptions.TranscriptionViewSet"

    def view_replacement(self) -> Any:
        made = {201: shapes.FullTranscriptionSerializer, 202: TranscriptionSerializer}

        @extend_schema_view(
            list=extend_schema(
                parameters=[ListQuery],
                extensions=_codes("invalid", "unknown_language"),
            ),
            create=extend_schema(
                parameters=[WaitSerializer, ONCE, LOCATION],
                request={FORM: SubmissionSerializer},
                responses=made,
                extensions=_codes("not_found"),
            ),
            retrieve=extend_schema(responses=shapes.FullTranscriptionSerializer),
            partial_update=extend_schema(
                request=ChangeSerializer,
                responses=shapes.FullTranscriptionSerializer,
                extensions=_codes("wrong_status", "unknown_language"),
            ),
            cancel=extend_schema(
                request=None,
                responses=TranscriptionSerializer,
                extensions=_codes("wrong_status", "csrf_failed"),
            ),
            retry=extend_schema(
                request=None,
                parameters=[LOCATION],
                responses={202: TranscriptionSerializer},
                extensions=_codes(
                    *("wrong_status", "csrf_failed", "recording_missing"),
                    *("too_many_jobs", "daily_quota_used"),
                ),
            ),
            audio=extend_schema(
                parameters=[
                    _header("Range", "The part that is asked for, as bytes=0-999."),
                    _header("If-Range", "Only if the recording is still this one."),
                    _header("If-None-Match", "Not if the recording is still this one."),
                ],
                responses={
                    (200, "*/*"): OpenApiResponse(BINARY, description="The recording."),
                    (206, "*/*"): OpenApiResponse(BINARY, description="The part of it."),
                    304: OpenApiResponse(description="It is still that one."),
                    (412, "*/*"): OpenApiResponse(description="It is another one."),
                    (416, "*/*"): OpenApiResponse(description="The part is outside of it."),
                },
            ),
            segments=extend_schema(
                parameters=[SegmentQuery],
                responses=shapes.SegmentPageSerializer,
                filters=False,
                extensions=_codes("invalid"),
            ),
            download=extend_schema(
                parameters=[
                    OpenApiParameter("format", str, enum=DOWNLOAD_FORMATS, default="txt"),
                ],
                responses={
                    **{
                        (200, media_type): str
                        for media_type in (
                            *("text/plain", "application/x-subrip", "text/vtt"),
                            "text/tab-separated-values",
                        )
                    },
                    (200, "application/json"): OpenApiTypes.OBJECT,
                    (200, DOCX_MEDIA_TYPE): BINARY,
                },
                extensions=_codes("invalid", "wrong_status"),
            ),
            events=extend_schema(
                parameters=[_header("Last-Event-ID", "The last event that was had.")],
                responses={(200, STREAM): OpenApiResponse(ONE_EVENT, description=EVENTS)},
            ),
        )
        class Described(self.target_class):  # type: ignore[misc, name-defined]
            pass

        return Described


EVENTS = (
    "Events `progress`, `segment`, `reset`, `end` and `gone`, each with JSON in its data, until "
    "the transcription is over."
)


class Transcribe(OpenApiViewExtension):
    """``/api/v1/transcribe``."""

    target_class = "transcription.api.transcribe.TranscribeView"

    def view_replacement(self) -> Any:
        @extend_schema_view(
            post=extend_schema(
                description="Waits for the text; where that takes too long: 202, and where to ask "
                "again. `code` is 0 for a text, and the number of the error otherwise.",
                parameters=[
                    ONCE,
                    LOCATION,
                    OpenApiParameter(
                        "Retry-After",
                        str,
                        OpenApiParameter.HEADER,
                        description="Seconds until it is worth asking.",
                        response=[202],
                    ),
                ],
                request={FORM: SubmissionSerializer},
                responses={
                    200: shapes.TranscribedSerializer,
                    202: shapes.StillProcessingSerializer,
                },
                extensions=_codes(*OUTCOMES),
            )
        )
        class Described(self.target_class):  # type: ignore[misc, name-defined]
            pass

        return Described


class Tokens(OpenApiViewExtension):
    """``/api/v1/tokens/``."""

    target_class = "transcription.api.tokens.TokenViewSet"

    def view_replacement(self) -> Any:
        @extend_schema_view(
            create=extend_schema(
                request=TokenSerializer, responses={201: shapes.NewTokenSerializer}
            ),
        )
        class Described(self.target_class):  # type: ignore[misc, name-defined]
            def get_queryset(self) -> Any:
                return ApiToken.objects.none()  # nobody calls

        return Described


class BrowserTokens(OpenApiViewExtension):
    """``/api/v1/browser-token/``."""

    target_class = "transcription.api.browser_token.BrowserTokenView"

    def view_replacement(self) -> Any:
        @extend_schema_view(
            post=extend_schema(
                request=BrowserTokenSerializer,
                responses={201: shapes.NewBrowserTokenSerializer},
            )
        )
        class Described(self.target_class):  # type: ignore[misc, name-defined]
            pass

        return Described


class ReloadModel(OpenApiViewExtension):
    """``/admin/reload-model``."""

    target_class = "transcription.api.reload_model.ReloadModelView"

    def view_replacement(self) -> Any:
        codes = ("unknown_model", "model_not_named", "model_unavailable")

        @extend_schema_view(
            get=extend_schema(
                parameters=[OpenApiParameter("model", str)],
                responses=shapes.ModelStandingSerializer,
                extensions=_codes(*codes),
            ),
            post=extend_schema(
                parameters=[LOCATION],
                request=ReloadSerializer,
                responses={202: shapes.ReloadingSerializer},
                extensions=_codes(*codes, "weights_not_allowed", "weights_not_found"),
            ),
        )
        class Described(self.target_class):  # type: ignore[misc, name-defined]
            pass

        return Described


class Endpoints(OpenApiViewExtension):
    """``/api/v1/webhook-endpoints/``."""

    target_class = "transcription.api.webhooks.WebhookEndpointViewSet"

    def view_replacement(self) -> Any:
        @extend_schema_view(
            create=extend_schema(
                examples=[
                    OpenApiExample(
                        "All that is completed",
                        value={
                            "url": "https://hooks.example.com/asr",
                            "events": ["transcription.completed"],
                        },
                        request_only=True,
                    )
                ],
                responses={201: NewEndpointSerializer},
                extensions=_codes("address_not_allowed", "too_many_endpoints"),
            ),
            partial_update=extend_schema(extensions=_codes("address_not_allowed")),
            test=extend_schema(
                request=None,
                responses={202: DeliverySerializer},
                extensions=_codes("endpoint_off", "too_many_tests", "csrf_failed"),
            ),
            rotate_secret=extend_schema(
                request=None, responses=SecretSerializer, extensions=_codes("csrf_failed")
            ),
            callback_secret=extend_schema(
                request=None, responses=SecretSerializer, extensions=_codes("csrf_failed")
            ),
        )
        class Described(self.target_class):  # type: ignore[misc, name-defined]
            pass

        return Described


class Deliveries(OpenApiViewExtension):
    """``/api/v1/webhook-deliveries/``."""

    target_class = "transcription.api.webhooks.WebhookDeliveryViewSet"

    def view_replacement(self) -> Any:
        @extend_schema_view(
            list=extend_schema(parameters=[DeliveryFilter], extensions=_codes("invalid")),
            replay=extend_schema(
                request=None,
                responses={202: DeliverySerializer},
                extensions=_codes("delivery_under_way", "endpoint_off", "csrf_failed"),
            ),
        )
        class Described(self.target_class):  # type: ignore[misc, name-defined]
            pass

        return Described


# --- OpenAI's routes --------------------------------------------------------------------------

_STRINGS = {"type": "array", "items": {"type": "string"}}
#: The form as the official client sends it.
OPENAI_FORM = {
    "type": "object",
    "required": ["file", "model"],
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
        @extend_schema_view(
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
                extensions=_codes(*OUTCOMES, "no_word_times", "no_speakers", "wait_ended"),
            )
        )
        class Described(self.target_class):  # type: ignore[misc, name-defined]
            pass

        return Described


class OpenAIModels(OpenApiViewExtension):
    """``/v1/models``."""

    target_class = "transcription.api.openai.models.ModelsView"

    def view_replacement(self) -> Any:
        @extend_schema_view(
            get=extend_schema(
                operation_id="v1_models_list", responses=shapes.OpenAIModelListSerializer
            )
        )
        class Described(self.target_class):  # type: ignore[misc, name-defined]
            pass

        return Described


class OpenAIModel(OpenApiViewExtension):
    """``/v1/models/{name}``."""

    target_class = "transcription.api.openai.models.ModelView"

    def view_replacement(self) -> Any:
        @extend_schema_view(get=extend_schema(responses=shapes.OpenAIModelSerializer))
        class Described(self.target_class):  # type: ignore[misc, name-defined]
            pass

        return Described
