"""The admin: transcriptions and their chunks, models, tokens, workers."""

from django.contrib import admin

from transcription.admin.chunks import ChunkAdmin
from transcription.admin.limits import UserLimitsAdmin
from transcription.admin.speech_models import SpeechModelAdmin
from transcription.admin.tokens import ApiTokenAdmin
from transcription.admin.transcriptions import TranscriptionAdmin
from transcription.admin.workers import WorkerAdmin

__all__ = [
    "ApiTokenAdmin",
    "ChunkAdmin",
    "SpeechModelAdmin",
    "TranscriptionAdmin",
    "UserLimitsAdmin",
    "WorkerAdmin",
]

admin.site.site_header = admin.site.site_title = "Speech recognition"
