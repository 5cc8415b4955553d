"""The admin: transcriptions and their chunks, models, tokens, webhooks, bots, workers."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from django_q import admin as _bell  # noqa: F401  registers its pages, which go below
from django_q.models import Failure, OrmQ, Schedule, Success

from transcription.admin.accounts import OurGroupAdmin, OurUserAdmin
from transcription.admin.bots import BotAdmin
from transcription.admin.chunks import ChunkAdmin
from transcription.admin.deliveries import DeliveryAdmin
from transcription.admin.limits import UserLimitsAdmin
from transcription.admin.speech_models import SpeechModelAdmin
from transcription.admin.tokens import ApiTokenAdmin
from transcription.admin.transcriptions import TranscriptionAdmin
from transcription.admin.webhooks import WebhookEndpointAdmin
from transcription.admin.workers import WorkerAdmin

__all__ = [
    "ApiTokenAdmin",
    "BotAdmin",
    "ChunkAdmin",
    "DeliveryAdmin",
    "OurGroupAdmin",
    "OurUserAdmin",
    "SpeechModelAdmin",
    "TranscriptionAdmin",
    "UserLimitsAdmin",
    "WebhookEndpointAdmin",
    "WorkerAdmin",
]

# django-q2 is the bell, not the queue: its pages would show bells, and take schedules that never
# run. What waits and what failed are transcriptions.
admin.site.unregister([Failure, OrmQ, Schedule, Success])

admin.site.site_header = admin.site.site_title = _("Speech recognition")
