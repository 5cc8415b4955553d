"""``/admin/reload-model``: new weights without stopping, for operators' programs.

The service goes on serving with what is loaded; the answer says which generation is wanted, and
where to see how far the workers are with it.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from rest_framework import permissions, serializers, status
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from transcription.api.authentication import ScopePermission
from transcription.services import models, queue


class ReloadSerializer(serializers.Serializer[Any]):
    """What may be sent along."""

    model = serializers.CharField(required=False, default="", allow_blank=True, max_length=100)
    weights = serializers.CharField(required=False, default="", allow_blank=True, max_length=500)


class IsOperator(permissions.BasePermission):
    """Staff who may change models; those who may only see them may look at the state."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        may_change = user.has_perm("transcription.change_speechmodel")
        may_view = may_change or user.has_perm("transcription.view_speechmodel")
        safe = request.method in permissions.SAFE_METHODS
        return bool(user.is_staff and (may_view if safe else may_change))


class ReloadModelView(APIView):
    """POST asks for the reload (202), GET tells how far the workers are."""

    permission_classes = [ScopePermission, IsOperator]
    parser_classes = [JSONParser, FormParser, MultiPartParser]

    def post(self, request: Request) -> Response:
        asked = ReloadSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        model = models.enabled_model(asked.validated_data["model"])
        generation = models.reload(model, weights=asked.validated_data["weights"])
        state = f"{reverse('reload-model', request=request)}?{urlencode({'model': model.name})}"
        return Response(
            {
                "status": "reloading",
                "generation": generation,
                "model": model.name,
                "weights": model.weights,
                "state": state,
            },
            status=status.HTTP_202_ACCEPTED,
            headers={"Location": state},
        )

    def get(self, request: Request) -> Response:
        model = models.enabled_model(request.query_params.get("model", ""))
        standing = models.standing_of(model)
        return Response(
            {
                "status": standing.status,
                "generation": standing.generation,
                "model": standing.name,
                "weights": model.weights,
                "last_good": model.last_good,
                "queue_paused": queue.is_paused(),
                "workers": [asdict(worker) for worker in standing.workers],
            }
        )
