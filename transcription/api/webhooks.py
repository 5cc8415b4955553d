"""``/api/v1/webhook-endpoints/`` and ``/api/v1/webhook-deliveries/``: who is told, and what came
of it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response

from transcription.api.transcriptions import NewestFirst, ProblemSerializer
from transcription.models import Delivery, Event, LeasedWork, WebhookEndpoint
from transcription.services import webhooks
from transcription.services.errors import delivery_error_message


class EndpointSerializer(serializers.ModelSerializer[WebhookEndpoint]):
    """An endpoint without its secret."""

    # What an address may be is the service's to say, which has better words for it.
    url = serializers.CharField(help_text="Where messages are posted to, by https or http.")
    events = serializers.MultipleChoiceField(
        choices=Event.choices,
        required=False,
        help_text="What it is told of; left out: everything.",
    )
    enabled = serializers.BooleanField(required=False)
    off_reason = serializers.SerializerMethodField()

    class Meta:
        model = WebhookEndpoint
        fields = [
            "id",
            "url",
            "description",
            "events",
            "include_text",
            "enabled",
            "off_reason",
            "created_at",
        ]
        read_only_fields = ["id", "off_reason", "created_at"]

    def get_off_reason(self, row: WebhookEndpoint) -> str | None:
        return row.off_reason or None

    def to_representation(self, instance: WebhookEndpoint) -> dict[str, Any]:
        # In their order: the field would give a set.
        return {**super().to_representation(instance), "events": list(instance.events)}


class NewEndpointSerializer(EndpointSerializer):
    """An endpoint that was just made, with its secret."""

    secret = serializers.CharField(read_only=True, help_text="Shown here and never again.")

    class Meta(EndpointSerializer.Meta):
        fields = [*EndpointSerializer.Meta.fields, "secret"]
        read_only_fields = [*EndpointSerializer.Meta.read_only_fields, "secret"]


class SecretSerializer(serializers.Serializer[Any]):
    """A new secret."""

    secret = serializers.CharField(read_only=True, help_text="Shown here and never again.")


#: What a message's state is called outside.
STATUSES = {
    LeasedWork.State.PENDING: "waiting",
    LeasedWork.State.LEASED: "sending",
    LeasedWork.State.DONE: "delivered",
    LeasedWork.State.FAILED: "failed",
    LeasedWork.State.CANCELLED: "cancelled",
}
DELIVERY_STATUSES = sorted(STATUSES.values())


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """A message and what came of it."""

    status = serializers.SerializerMethodField()
    message_id = serializers.CharField(read_only=True)
    next_try_at = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    answer = serializers.SerializerMethodField()

    class Meta:
        model = Delivery
        fields = [
            "id",
            "message_id",
            "event",
            "kind",
            "endpoint",
            "transcription",
            "status",
            "tries",
            "http_status",
            "error",
            "answer",
            "created_at",
            "next_try_at",
            "delivered_at",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=DELIVERY_STATUSES))
    def get_status(self, row: Delivery) -> str:
        return STATUSES[LeasedWork.State(row.state)]

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_next_try_at(self, row: Delivery) -> str | None:
        if row.state != LeasedWork.State.PENDING:
            return None
        return serializers.DateTimeField().to_representation(row.not_before)

    @extend_schema_field(ProblemSerializer(allow_null=True))
    def get_error(self, row: Delivery) -> dict[str, str] | None:
        if not row.error_code:
            return None
        return {
            "code": row.error_code,
            "message": delivery_error_message(
                row.error_code, status=row.http_status, detail=row.last_error, answer=row.answer
            ),
        }

    def get_answer(self, row: Delivery) -> str | None:
        return row.answer or None


class WebhookEndpointViewSet(viewsets.ModelViewSet[WebhookEndpoint]):
    """The caller's endpoints. A secret is shown when it is made, and never again."""

    serializer_class = EndpointSerializer
    pagination_class = NewestFirst
    parser_classes = [JSONParser]
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]

    def get_queryset(self) -> QuerySet[WebhookEndpoint]:
        # Staff too: whoever could change another's endpoint would be sent that one's texts.
        return WebhookEndpoint.objects.filter(owner_id=self.request.user.pk)

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        return NewEndpointSerializer if self.action == "create" else super().get_serializer_class()

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make an endpoint; the answer holds its secret, which is not shown again."""
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        enabled = asked.validated_data.pop("enabled", True)
        row, secret = webhooks.create_endpoint(_user(request), **asked.validated_data)
        if not enabled:
            webhooks.change_endpoint(row, enabled=False)
        shown = EndpointSerializer(row).data
        return Response({**shown, "secret": secret}, status=status.HTTP_201_CREATED)

    def perform_update(self, serializer: serializers.BaseSerializer[WebhookEndpoint]) -> None:
        assert serializer.instance is not None
        webhooks.change_endpoint(serializer.instance, **serializer.validated_data)

    @action(detail=True, methods=["post"], serializer_class=DeliverySerializer)
    def test(self, request: Request, pk: str | None = None) -> Response:
        """Send a test message; the answer is its delivery, to be asked for what came of it."""
        delivery = webhooks.send_test(self.get_object())
        delivery.refresh_from_db()
        return Response(DeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)

    @action(
        detail=True,
        methods=["post"],
        url_path="rotate-secret",
        serializer_class=SecretSerializer,
    )
    def rotate_secret(self, request: Request, pk: str | None = None) -> Response:
        """Make a new secret; for 24 hours messages are signed with the old one as well."""
        return Response({"secret": webhooks.rotate_secret(self.get_object())})

    @action(
        detail=False,
        methods=["post"],
        url_path="callback-secret",
        serializer_class=SecretSerializer,
    )
    def callback_secret(self, request: Request) -> Response:
        """Make a new secret for callbacks of single transcriptions; the old one signs 24 hours."""
        return Response({"secret": webhooks.rotate_callback_secret(_user(request))})


class DeliveryFilter(serializers.Serializer[Any]):
    """What a list of messages may be narrowed by."""

    endpoint = serializers.UUIDField(required=False)
    transcription = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(choices=DELIVERY_STATUSES, required=False)


class WebhookDeliveryViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Delivery]
):
    """Messages to the caller's endpoints and callbacks."""

    serializer_class = DeliverySerializer
    pagination_class = NewestFirst
    parser_classes = [JSONParser]

    def get_queryset(self) -> QuerySet[Delivery]:
        rows = Delivery.objects.filter(owner_id=self.request.user.pk).exclude(
            kind=Delivery.Kind.BOT  # staff set those up, and see them in the admin
        )
        if self.action != "list":
            return rows
        asked = DeliveryFilter(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        wanted = dict(asked.validated_data)
        if shown := wanted.pop("status", None):
            wanted["state"] = next(state for state, name in STATUSES.items() if name == shown)
        return rows.filter(**wanted)

    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str | None = None) -> Response:
        """Send a message again, under the same id."""
        delivery = self.get_object()
        webhooks.replay(delivery)
        return Response(DeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)


def _user(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user
