"""Addresses of the API."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path
from rest_framework import routers

from transcription.api.reload_model import ReloadModelView
from transcription.api.transcribe import TranscribeView
from transcription.api.transcriptions import TranscriptionViewSet
from transcription.api.webhooks import WebhookDeliveryViewSet, WebhookEndpointViewSet
from transcription.web.health import health


class Router(routers.DefaultRouter):
    """Routes with a last slash, and a root page; no second address with a format's suffix."""

    include_format_suffixes = False


router = Router()
router.register("transcriptions", TranscriptionViewSet, basename="transcription")
router.register("webhook-endpoints", WebhookEndpointViewSet, basename="webhook-endpoint")
router.register("webhook-deliveries", WebhookDeliveryViewSet, basename="webhook-delivery")

# Who leaves the last slash out and posts would be redirected, and lose the recording on the way.
# These have no name of their own in links.
slashless = routers.SimpleRouter(trailing_slash=False)
slashless.register("transcriptions", TranscriptionViewSet, basename="transcription-slashless")
slashless.register(
    "webhook-endpoints", WebhookEndpointViewSet, basename="webhook-endpoint-slashless"
)
slashless.register(
    "webhook-deliveries", WebhookDeliveryViewSet, basename="webhook-delivery-slashless"
)

transcribe = TranscribeView.as_view()
reload_model = ReloadModelView.as_view()
urlpatterns: list[URLPattern | URLResolver] = [
    path("health", health, name="health"),
    path("health/", health),
    # Before the admin's own addresses, which are for people.
    path("admin/reload-model", reload_model, name="reload-model"),
    path("admin/reload-model/", reload_model),
    path("api/v1/transcribe", transcribe, name="transcribe"),
    path("api/v1/transcribe/", transcribe),
    path("api/v1/", include(router.urls)),
    path("api/v1/", include(slashless.urls)),
    path("api/v1/auth/", include("rest_framework.urls")),
    path("v1/", include("transcription.api.openai.urls")),
]
