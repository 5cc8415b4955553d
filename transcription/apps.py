"""The app's configuration."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TranscriptionConfig(AppConfig):
    name = "transcription"
    verbose_name = _("Speech recognition")

    def ready(self) -> None:
        from transcription import checks  # noqa: F401  registers the checks
