"""The models that the service may use."""

from __future__ import annotations

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models


class SpeechModel(models.Model):
    """One speech-recognition model: which engine, which weights, for which recordings."""

    class Engine(models.TextChoices):
        QWEN3_ASR = "qwen3_asr", "Qwen3-ASR (transformers)"
        WHISPER = "whisper", "Whisper (CTranslate2)"
        FAKE = "fake", "Fake (for tests and front-end work)"

    name = models.CharField(
        max_length=100,
        unique=True,
        validators=[
            RegexValidator(
                r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z",
                "Enter a valid name: letters, digits, dots, hyphens and underscores.",
            )
        ],
        help_text="As the API calls it, for example qwen3-asr-0.6b.",
    )
    title = models.CharField(max_length=100, blank=True, default="")
    engine = models.CharField(max_length=20, choices=Engine.choices)
    weights = models.CharField(
        max_length=500,
        blank=True,
        default="",
        help_text="Directory of the weights: a name below models_weights, or an absolute path.",
    )
    enabled = models.BooleanField(default=True)
    order = models.PositiveSmallIntegerField(
        default=100, help_text="The first enabled model that fits a recording is used."
    )
    max_seconds = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.1)],
        help_text="Longest recording that is routed here by itself; empty: any.",
    )
    languages = models.JSONField(
        default=list,
        blank=True,
        help_text='Language codes that this model knows, as ["zh", "en"]; empty: all.',
    )
    chunk_seconds = models.FloatField(
        default=30.0,
        validators=[MinValueValidator(3.0)],
        help_text="Longest stretch that is recognised in one go.",
    )
    gives_words = models.BooleanField(
        null=True,
        default=None,
        editable=False,
        help_text="Whether it tells times of single words, as the last load found; empty: unknown.",
    )
    options = models.JSONField(default=dict, blank=True, help_text="Options of the engine.")
    generation = models.PositiveIntegerField(
        default=1, editable=False, help_text="Raised by a reload; workers load what it names."
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["order", "name"]

    def __str__(self) -> str:
        return self.title or self.name
