"""``GET /metrics``: for Prometheus, with the token of an account that may see the engine room."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST
from rest_framework.request import Request
from rest_framework.views import APIView

from transcription.api.authentication import ScopePermission
from transcription.api.reload_model import IsOperator
from transcription.web.metrics import exposition


class MetricsView(APIView):
    """Names of models and machines, and how much there is to do: for operators."""

    permission_classes = [ScopePermission, IsOperator]
    # Of no client that was made from the description.
    schema = None

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[Any, str]:
        # Prometheus asks for formats of its own, which are no reason to refuse it.
        negotiated: tuple[Any, str] = super().perform_content_negotiation(request, force=True)
        return negotiated

    def get(self, request: Request) -> HttpResponse:
        response = HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)
        response.headers["Cache-Control"] = "no-store"
        return response
