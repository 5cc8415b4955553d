"""``GET /v1/models``: the models that a request may name."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from transcription.api.openai.fields import ALIASES
from transcription.api.transcribe import AlwaysJson
from transcription.models import SpeechModel

#: Names that stand for the service's own choice.
CHOSEN_BY_THE_SERVICE = frozenset({"auto", *ALIASES})


class _ModelsBase(APIView):
    renderer_classes = [JSONRenderer]
    content_negotiation_class = AlwaysJson
    http_method_names = ["get", "head"]


class ModelsView(_ModelsBase):
    """The enabled models, in the order in which the service prefers them."""

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        enabled = SpeechModel.objects.filter(enabled=True)
        return Response({"object": "list", "data": [_model(row.name, row) for row in enabled]})


class ModelView(_ModelsBase):
    """One model. OpenAI's own names are there too: they stand for the service's choice."""

    def get(self, request: Request, name: str, *args: Any, **kwargs: Any) -> Response:
        enabled = list(SpeechModel.objects.filter(enabled=True))
        for row in enabled:
            if row.name == name:
                return Response(_model(name, row))
        if enabled and name in CHOSEN_BY_THE_SERVICE:
            return Response(_model(name, enabled[0]))
        raise Http404


def _model(name: str, row: SpeechModel) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": int(row.updated_at.timestamp()),
        "owned_by": "asr-service",
    }
