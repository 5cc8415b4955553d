"""Addresses of the API."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path
from rest_framework import routers

from transcription.api.browser_token import BrowserTokenView
from transcription.api.glossary import GlossaryViewSet
from transcription.api.metrics import MetricsView
from transcription.api.reload_model import ReloadModelView
from transcription.api.review import ReviewViewSet
from transcription.api.schema.views import DocsView, SchemaView
from transcription.api.tokens import TokenViewSet
from transcription.api.transcribe import TranscribeView
from transcription.api.transcriptions import TranscriptionViewSet
from transcription.api.webhooks import WebhookDeliveryViewSet, WebhookEndpointViewSet
from transcription.web.accounts import LogIn, LogOut
from transcription.web.counting import limited_login
from transcription.web.health import health, live, ready


class Router(routers.DefaultRouter):
    """Routes with a last slash, and a root page; no second address with a format's suffix."""

    include_format_suffixes = False


router = Router()
# Before the one that the root page is to name.
router.register("transcriptions", ReviewViewSet, basename="review")
router.register("transcriptions", TranscriptionViewSet, basename="transcription")
router.register("webhook-endpoints", WebhookEndpointViewSet, basename="webhook-endpoint")
router.register("webhook-deliveries", WebhookDeliveryViewSet, basename="webhook-delivery")
router.register("tokens", TokenViewSet, basename="token")
router.register("glossary", GlossaryViewSet, basename="glossary")

# Who leaves the last slash out and posts would be redirected, and lose the recording on the way.
# These have no name of their own in links.
slashless = routers.SimpleRouter(trailing_slash=False)
slashless.register("transcriptions", ReviewViewSet, basename="review-slashless")
slashless.register("transcriptions", TranscriptionViewSet, basename="transcription-slashless")
slashless.register(
    "webhook-endpoints", WebhookEndpointViewSet, basename="webhook-endpoint-slashless"
)
slashless.register(
    "webhook-deliveries", WebhookDeliveryViewSet, basename="webhook-delivery-slashless"
)

reload_model = ReloadModelView.as_view()
slashless.register("tokens", TokenViewSet, basename="token-slashless")
slashless.register("glossary", GlossaryViewSet, basename="glossary-slashless")

#: By these names the browsable API links to them.
auth_urls = [
    path("login/", limited_login(LogIn.as_view()), name="login"),
    path("logout/", LogOut.as_view(), name="logout"),
]

transcribe = TranscribeView.as_view()
browser_token = BrowserTokenView.as_view()
urlpatterns: list[URLPattern | URLResolver] = [
    path("health", health, name="health"),
    path("health/", health),
    path("health/live", live, name="health-live"),
    path("health/ready", ready, name="health-ready"),
    path("metrics", MetricsView.as_view(), name="metrics"),
    # Before the admin's own addresses, which are for people.
    path("admin/reload-model", reload_model, name="reload-model"),
    path("admin/reload-model/", reload_model),
    path("api/v1/transcribe", transcribe, name="transcribe"),
    path("api/v1/transcribe/", transcribe),
    path("api/v1/browser-token/", browser_token, name="browser-token"),
    path("api/v1/browser-token", browser_token),
    path("api/v1/schema/", SchemaView.as_view(), name="schema"),
    path("api/v1/docs/", DocsView.as_view(), name="docs"),
    path("api/v1/", include(router.urls)),
    path("api/v1/", include(slashless.urls)),
    path("v1/", include("transcription.api.openai.urls")),
    path("api/v1/auth/", include((auth_urls, "rest_framework"))),
]
