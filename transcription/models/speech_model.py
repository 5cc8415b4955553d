"""The models that the service may use."""

from __future__ import annotations

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models

#: Longest clip that each engine takes, in seconds; the option ``max_clip_seconds`` may say less.
#: Here as well as in the engines, since the processes that split recordings load no engine.
LONGEST_CLIP_SECONDS = {"fake": 30.0, "qwen3_asr": 180.0, "whisper": 30.0}


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
    last_good = models.JSONField(
        null=True,
        default=None,
        editable=False,
        help_text="Engine, weights, options and generation that a worker loaded last: what a "
        "fresh worker falls back to when the row's own cannot be loaded.",
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["order", "name"]

    def __str__(self) -> str:
        return self.title or self.name

    @property
    def longest_clip_seconds(self) -> float | None:
        """Longest clip that its engine takes; None: it sets no limit."""
        limit = LONGEST_CLIP_SECONDS.get(self.engine)
        option = self.options.get("max_clip_seconds")
        if not isinstance(option, (int, float)) or option <= 0:
            return limit
        # The fake engine pretends whatever it is told to.
        if limit is None or self.engine == self.Engine.FAKE:
            return float(option)
        return min(float(option), limit)

    @property
    def split_seconds(self) -> float:
        """Longest chunk that recordings are split into: as set, never more than fits."""
        limit = self.longest_clip_seconds
        return min(self.chunk_seconds, limit) if limit else self.chunk_seconds
