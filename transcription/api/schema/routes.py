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
)

from transcription.api.browser_token import BrowserTokenSerializer
from transcription.api.filters import ListQuery
from transcription.api.intake import SubmissionSerializer
from transcription.api.reload_model import ReloadSerializer
from transcription.api.schema import shapes
from transcription.api.schema.parts import (
    BINARY,
    FORM,
    LOCATION,
    ONCE,
    ONE_EVENT,
    STREAM,
    codes,
    described,
    header,
)
from transcription.api.schema.refusals import OUTCOMES
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
from transcription.services.export import DOWNLOAD_FORMATS
from transcription.text.docx import DOCX_MEDIA_TYPE


class Moments(OpenApiSerializerFieldExtension):
    """A day or a moment."""

    target_class = "transcription.api.filters.MomentField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {
            "type": "string",
            "anyOf": [{"format": "date"}, {"format": "date-time"}],
            "description": "A day, or a moment by ISO 8601.",
        }


EVENTS = (
    "Events `progress`, `segment`, `reset`, `end` and `gone`, each with JSON in its data, until "
    "the transcription is over."
)


def _audio(method: Any) -> Any:
    sent = extend_schema(
        methods=["GET"],
        description="Send the recording as it was sent in, or the range of it that is asked for.",
        parameters=[
            header("Range", "The part that is asked for, as bytes=0-999."),
            header("If-Range", "Only if the recording is still this one."),
            header("If-None-Match", "Not if the recording is still this one."),
        ],
        responses={
            (200, "*/*"): OpenApiResponse(BINARY, description="The recording."),
            (206, "*/*"): OpenApiResponse(BINARY, description="The part of it."),
            304: OpenApiResponse(description="It is still that one."),
            (412, "*/*"): OpenApiResponse(description="It is another one."),
            (416, "*/*"): OpenApiResponse(description="The part is outside of it."),
        },
    )
    deleted = extend_schema(
        methods=["DELETE"],
        description="Delete the recording of a transcription that is over, and keep its text.",
        responses={204: OpenApiResponse(description="The text alone is kept.")},
        extensions=codes("wrong_status", "csrf_failed"),
    )
    return sent(deleted(method))


class Transcriptions(OpenApiViewExtension):
    """``/api/v1/transcriptions/``."""

    target_class = "transcription.api.transcriptions.TranscriptionViewSet"

    def view_replacement(self) -> Any:
        made = {201: shapes.FullTranscriptionSerializer, 202: TranscriptionSerializer}

        return described(
            self.target,
            list=extend_schema(
                parameters=[ListQuery],
                extensions=codes("invalid", "unknown_language"),
            ),
            create=extend_schema(
                parameters=[WaitSerializer, ONCE, LOCATION],
                request={FORM: SubmissionSerializer},
                responses=made,
                extensions=codes("not_found"),
            ),
            retrieve=extend_schema(responses=shapes.FullTranscriptionSerializer),
            partial_update=extend_schema(
                request=ChangeSerializer,
                responses=shapes.FullTranscriptionSerializer,
                extensions=codes("wrong_status", "unknown_language"),
            ),
            cancel=extend_schema(
                request=None,
                responses=TranscriptionSerializer,
                extensions=codes("wrong_status", "csrf_failed"),
            ),
            retry=extend_schema(
                request=None,
                parameters=[LOCATION],
                responses={202: TranscriptionSerializer},
                extensions=codes(
                    *("wrong_status", "csrf_failed", "recording_missing"),
                    *("too_many_jobs", "daily_quota_used"),
                ),
            ),
            audio=_audio,
            peaks=extend_schema(
                responses=shapes.PeaksSerializer, extensions=codes("peaks_missing")
            ),
            segments=extend_schema(
                parameters=[SegmentQuery],
                responses=shapes.SegmentPageSerializer,
                filters=False,
                extensions=codes("invalid"),
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
                extensions=codes("invalid", "wrong_status"),
            ),
            events=extend_schema(
                parameters=[header("Last-Event-ID", "The last event that was had.")],
                responses={(200, STREAM): OpenApiResponse(ONE_EVENT, description=EVENTS)},
            ),
        )


class Transcribe(OpenApiViewExtension):
    """``/api/v1/transcribe``."""

    target_class = "transcription.api.transcribe.TranscribeView"

    def view_replacement(self) -> Any:
        return described(
            self.target,
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
                extensions=codes(*OUTCOMES),
            ),
        )


class Tokens(OpenApiViewExtension):
    """``/api/v1/tokens/``."""

    target_class = "transcription.api.tokens.TokenViewSet"

    def view_replacement(self) -> Any:
        return described(
            self.target,
            create=extend_schema(
                request=TokenSerializer, responses={201: shapes.NewTokenSerializer}
            ),
            rows=ApiToken.objects.none(),
        )


class BrowserTokens(OpenApiViewExtension):
    """``/api/v1/browser-token/``."""

    target_class = "transcription.api.browser_token.BrowserTokenView"

    def view_replacement(self) -> Any:
        return described(
            self.target,
            post=extend_schema(
                request=BrowserTokenSerializer,
                responses={201: shapes.NewBrowserTokenSerializer},
            ),
        )


class ReloadModel(OpenApiViewExtension):
    """``/admin/reload-model``."""

    target_class = "transcription.api.reload_model.ReloadModelView"

    def view_replacement(self) -> Any:
        about_the_model = ("unknown_model", "model_not_named", "model_unavailable")

        return described(
            self.target,
            get=extend_schema(
                parameters=[OpenApiParameter("model", str)],
                responses=shapes.ModelStandingSerializer,
                extensions=codes(*about_the_model),
            ),
            post=extend_schema(
                parameters=[LOCATION],
                request=ReloadSerializer,
                responses={202: shapes.ReloadingSerializer},
                extensions=codes(*about_the_model, "weights_not_allowed", "weights_not_found"),
            ),
        )


class Endpoints(OpenApiViewExtension):
    """``/api/v1/webhook-endpoints/``."""

    target_class = "transcription.api.webhooks.WebhookEndpointViewSet"

    def view_replacement(self) -> Any:
        return described(
            self.target,
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
                extensions=codes("address_not_allowed", "too_many_endpoints"),
            ),
            partial_update=extend_schema(extensions=codes("address_not_allowed")),
            test=extend_schema(
                request=None,
                responses={202: DeliverySerializer},
                extensions=codes("endpoint_off", "too_many_tests", "csrf_failed"),
            ),
            rotate_secret=extend_schema(
                request=None, responses=SecretSerializer, extensions=codes("csrf_failed")
            ),
            callback_secret=extend_schema(
                request=None, responses=SecretSerializer, extensions=codes("csrf_failed")
            ),
        )


class Deliveries(OpenApiViewExtension):
    """``/api/v1/webhook-deliveries/``."""

    target_class = "transcription.api.webhooks.WebhookDeliveryViewSet"

    def view_replacement(self) -> Any:
        return described(
            self.target,
            list=extend_schema(parameters=[DeliveryFilter], extensions=codes("invalid")),
            replay=extend_schema(
                request=None,
                responses={202: DeliverySerializer},
                extensions=codes("delivery_under_way", "endpoint_off", "csrf_failed"),
            ),
        )
