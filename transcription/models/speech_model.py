"""The models that the service may use."""

from __future__ import annotations

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

#: Longest clip that each engine takes, in seconds; the option ``max_clip_seconds`` may say less.
#: Here as well as in the engines, since the processes that split recordings load no engine.
LONGEST_CLIP_SECONDS = {"fake": 30.0, "qwen3_asr": 180.0, "whisper": 30.0}


class SpeechModel(models.Model):
    """One speech-recognition model: which engine, which weights, for which recordings."""

    class Engine(models.TextChoices):
        QWEN3_ASR = "qwen3_asr", "Qwen3-ASR (transformers)"
        WHISPER = "whisper", "Whisper (CTranslate2)"
        FAKE = "fake", _("Fake (for tests and front-end work)")

    name = models.CharField(
        _("name"),
        max_length=100,
        unique=True,
        validators=[
            RegexValidator(
                r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z",
                _("Enter a valid name: letters, digits, dots, hyphens and underscores."),
            )
        ],
        help_text=_("As the API calls it, for example qwen3-asr-0.6b."),
    )
    title = models.CharField(_("title"), max_length=100, blank=True, default="")
    engine = models.CharField(_("engine"), max_length=20, choices=Engine.choices)
    weights = models.CharField(
        _("weights"),
        max_length=500,
        blank=True,
        default="",
        help_text=_("Directory of the weights: a name below models_weights, or an absolute path."),
    )
    enabled = models.BooleanField(_("enabled"), default=True)
    order = models.PositiveSmallIntegerField(
        _("order"),
        default=100,
        help_text=_("The first enabled model that fits a recording is used."),
    )
    max_seconds = models.FloatField(
        _("longest recording, in seconds"),
        null=True,
        blank=True,
        validators=[MinValueValidator(0.1)],
        help_text=_("Longest recording that is routed here by itself; empty: any."),
    )
    languages = models.JSONField(
        _("languages"),
        default=list,
        blank=True,
        help_text=_('Language codes that this model knows, as ["zh", "en"]; empty: all.'),
    )
    chunk_seconds = models.FloatField(
        _("longest chunk, in seconds"),
        default=30.0,
        validators=[MinValueValidator(3.0)],
        help_text=_("Longest stretch that is recognised in one go."),
    )
    gives_words = models.BooleanField(
        _("gives times of words"),
        null=True,
        default=None,
        editable=False,
        help_text=_(
            "Whether it tells times of single words, as the last load found; empty: unknown."
        ),
    )
    options = models.JSONField(
        _("options"), default=dict, blank=True, help_text=_("Options of the engine.")
    )
    generation = models.PositiveIntegerField(
        _("generation"),
        default=1,
        editable=False,
        help_text=_("Raised by a reload; workers load what it names."),
    )
    last_good = models.JSONField(
        _("last loaded"),
        null=True,
        default=None,
        editable=False,
        help_text=_(
            "Engine, weights, options and generation that a worker loaded last: what a "
            "fresh worker falls back to when the row's own cannot be loaded."
        ),
    )
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("speech model")
        verbose_name_plural = _("speech models")
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
