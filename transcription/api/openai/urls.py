"""Addresses of the routes of OpenAI's API, with and without a last slash."""

from __future__ import annotations

from django.urls import path

from transcription.api.openai.models import ModelsView, ModelView
from transcription.api.openai.transcriptions import TranscriptionsView

transcriptions = TranscriptionsView.as_view()
models = ModelsView.as_view()
model = ModelView.as_view()
urlpatterns = [
    path("audio/transcriptions", transcriptions, name="openai-transcriptions"),
    path("audio/transcriptions/", transcriptions),
    path("models", models, name="openai-models"),
    path("models/", models),
    path("models/<str:name>", model, name="openai-model"),
    path("models/<str:name>/", model),
]
