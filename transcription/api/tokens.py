"""``/api/v1/tokens/``: one's own tokens are made, named, listed and revoked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import exceptions, mixins, pagination, parsers, serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from transcription.api.authentication import AccountPermission, actor_of
from transcription.models import ApiToken
from transcription.services import tokens
from transcription.web.counting import count_login


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token as its owner sees it: what it is for and how it stands, never itself."""

    class Meta:
        model = ApiToken
        fields = [
            "id",
            "name",
            "shown",
            "scope",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        ]
        read_only_fields = ["shown", "created_at", "last_used_at", "revoked_at"]

    def validate_expires_at(self, value: datetime | None) -> datetime | None:
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError(_("Choose a time that is still to come."))
        return value


class TokenNameSerializer(TokenSerializer):
    """What can be changed afterwards; whoever holds the token relies on the rest."""

    class Meta(TokenSerializer.Meta):
        read_only_fields = [*TokenSerializer.Meta.read_only_fields, "scope", "expires_at"]


class NewestTokens(pagination.CursorPagination):
    """The newest first."""

    ordering = ("-created_at", "-id")
    page_size = 100


class TokenViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[ApiToken],
):
    """The caller's own tokens; staff have no more than theirs here."""

    serializer_class = TokenSerializer
    permission_classes = [AccountPermission]
    pagination_class = NewestTokens
    parser_classes = [parsers.JSONParser, parsers.FormParser]
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]

    def get_queryset(self) -> QuerySet[ApiToken]:
        assert isinstance(self.request.user, User)
        return tokens.of(self.request.user)

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        return TokenNameSerializer if self.action == "partial_update" else TokenSerializer

    def check_throttles(self, request: Request) -> None:
        super().check_throttles(request)
        if self.action == "create":
            wait_seconds = count_login(request._request)
            if wait_seconds is not None:
                raise exceptions.Throttled(wait_seconds)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make a token; its ``token`` is in this answer and in no other."""
        fields = TokenSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        assert isinstance(request.user, User)
        row, token = tokens.create(request.user, **fields.validated_data)
        return Response(
            {**TokenSerializer(row).data, "token": token},
            status=status.HTTP_201_CREATED,
            headers={"Cache-Control": "no-store"},
        )

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Revoke the token for good; its row stays, to be looked at."""
        tokens.revoke(self.get_object(), actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
