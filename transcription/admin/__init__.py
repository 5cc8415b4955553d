"""The admin: transcriptions and their chunks, models, tokens, webhooks, bots, workers."""

from transcription.admin.accounts import OurGroupAdmin, OurUserAdmin
from transcription.admin.audit import AuditEntryAdmin
from transcription.admin.bots import BotAdmin
from transcription.admin.chunks import ChunkAdmin
from transcription.admin.deliveries import DeliveryAdmin
from transcription.admin.glossary import GlossaryTermAdmin
from transcription.admin.limits import UserLimitsAdmin
from transcription.admin.quality import ReviewScoreAdmin
from transcription.admin.speech_models import SpeechModelAdmin
from transcription.admin.tokens import ApiTokenAdmin
from transcription.admin.transcriptions import TranscriptionAdmin
from transcription.admin.webhooks import WebhookEndpointAdmin
from transcription.admin.workers import WorkerAdmin

__all__ = [
    "ApiTokenAdmin",
    "AuditEntryAdmin",
    "BotAdmin",
    "ChunkAdmin",
    "DeliveryAdmin",
    "GlossaryTermAdmin",
    "OurGroupAdmin",
    "OurUserAdmin",
    "ReviewScoreAdmin",
    "SpeechModelAdmin",
    "TranscriptionAdmin",
    "UserLimitsAdmin",
    "WebhookEndpointAdmin",
    "WorkerAdmin",
]
