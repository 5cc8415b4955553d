"""One recording on its way to text."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from transcription.models.leases import LeasedQuerySet, LeasedWork, lease_index
from transcription.models.speech_model import SpeechModel


class Transcription(LeasedWork):
    """A recording, what became of it, and its text.

    As a leased row it is the work of its current ``step``: *prepare* (decode and split) and
    *finish* (join). While its chunks are recognised the row itself waits for nobody.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        PROCESSING = "processing", _("Processing")
        COMPLETED = "completed", _("Completed")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    class Step(models.TextChoices):
        PREPARE = "prepare", _("Prepare")
        RECOGNISE = "recognise", _("Recognise")
        FINISH = "finish", _("Finish")
        OVER = "over", _("Over")

    class Polish(models.TextChoices):
        OFF = "off", _("as the engine wrote it")
        RULES = "rules", _("by the rules of written text")
        MODEL = "model", _("by the rules and a punctuation model")

    class RoutingReason(models.TextChoices):
        REQUESTED = "requested", _("asked for by name")
        FIRST_THAT_FITS = "first_that_fits", _("the first in order that fits")
        ONLY_FOR_LANGUAGE = "only_for_language", _("the only one for the language")
        LONGER_THAN_EVERY_LIMIT = "longer_than_every_limit", _("longer than every limit")

    class ReviewState(models.TextChoices):
        UNREVIEWED = "unreviewed", _("Unreviewed")
        IN_REVIEW = "in_review", _("In review")
        APPROVED = "approved", _("Approved")

    #: Not needed by lists and by what only moves rows, and possibly megabytes.
    HEAVY_FIELDS = ("text", "prompt", "glossary")
    #: Statuses that nothing but a person's wish changes any more.
    FINAL = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        # Deleting an account must never silently delete recordings.
        on_delete=models.PROTECT,
        related_name="transcriptions",
        null=True,
        blank=True,
        verbose_name=_("owner"),
    )
    title = models.CharField(_("title"), max_length=200, blank=True, default="")
    request_id = models.CharField(
        _("request id"), max_length=64, blank=True, default="", editable=False
    )
    subject = models.CharField(_("subject"), max_length=64, blank=True, default="", editable=False)
    """For whom a browser token was made with which it came; empty: it came otherwise."""

    # --- the recording
    audio = models.FileField(_("audio"), max_length=200, blank=True, editable=False)
    file_name = models.CharField(_("file name"), max_length=255, blank=True, default="")
    """The name that the client gave; shown to people, never used as a path."""
    size_bytes = models.PositiveBigIntegerField(_("size in bytes"), default=0, editable=False)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True, default="", editable=False)
    content_type = models.CharField(
        _("content type"), max_length=100, blank=True, default="", editable=False
    )
    """From the content of the file, never from its name or a header."""
    expected_seconds = models.FloatField(
        _("expected duration in seconds"), null=True, default=None, editable=False
    )
    """Duration as the file's header declares it; only a guess for the progress."""
    duration_seconds = models.FloatField(
        _("duration in seconds"), null=True, default=None, editable=False
    )
    """True duration, from the decoded samples; null until they are decoded."""

    # --- what was asked
    language_hint = models.CharField(_("language hint"), max_length=10, blank=True, default="")
    prompt = models.TextField(_("prompt"), blank=True, default="")
    glossary = models.TextField(
        _("glossary"), blank=True, default="", db_default="", editable=False
    )
    """Terms of the glossary that go to the engine before the prompt; fixed when the recording is
    accepted, so that all its chunks are heard with the same and anybody can see with what."""
    glossary_left_out = models.PositiveIntegerField(
        _("terms left out"), default=0, db_default=0, editable=False
    )
    """How many of the owner's own terms had no room."""
    requested_model = models.CharField(_("model asked for"), max_length=100, blank=True, default="")
    """Name of a SpeechModel; empty: chosen by the routing."""
    want_words = models.BooleanField(_("times of words wanted"), default=False)
    """Whether times of single words are wanted."""
    polish = models.CharField(
        _("written form"), max_length=10, choices=Polish.choices, default=Polish.OFF
    )
    """How far the text is brought into written form; decided when the recording is accepted."""
    callback_url = models.CharField(
        _("callback address"), max_length=2_000, blank=True, default="", editable=False
    )
    """Address that is told how it ended; may hold a secret in its path or query."""

    # --- how it stands
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.QUEUED
    )
    step = models.CharField(
        _("step"), max_length=10, choices=Step.choices, default=Step.PREPARE, editable=False
    )
    error_code = models.CharField(
        _("error code"), max_length=50, blank=True, default="", editable=False
    )
    error_message = models.TextField(_("error message"), blank=True, default="", editable=False)
    """In English; whoever shows it takes ``services.errors.error_message``."""
    error_details = models.JSONField(_("error details"), null=True, default=None, editable=False)
    """What the words of the error are filled with, as {"limit": "6 h"}; null: with nothing."""
    warnings = models.JSONField(_("warnings"), default=list, blank=True, editable=False)
    """Stable codes: no_speech, partial_audio, partial_text, text_cut_off, repetition, no_words,
    polished_by_rules, glossary_cut, context_dropped."""
    speech_seconds = models.FloatField(
        _("speech in seconds"), null=True, default=None, editable=False
    )
    """Summed duration of all chunks; null until the recording is split."""
    processed_seconds = models.FloatField(_("recognised, in seconds"), default=0.0, editable=False)
    """Summed duration of the chunks that are recognised or given up."""
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    started_at = models.DateTimeField(_("started at"), null=True, default=None, editable=False)
    completed_at = models.DateTimeField(_("completed at"), null=True, default=None, editable=False)

    # --- what came out
    model = models.ForeignKey(
        SpeechModel,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        verbose_name=_("model"),
    )
    model_name = models.CharField(
        _("model"), max_length=100, blank=True, default="", editable=False
    )
    """Kept when the model's row is gone."""
    routing_reason = models.CharField(
        _("why this model"),
        max_length=30,
        choices=RoutingReason.choices,
        blank=True,
        default="",
        editable=False,
    )
    """Why this model; empty until it is chosen."""
    language = models.CharField(_("language"), max_length=10, blank=True, default="")
    """Code of the language that most of the speech is in; empty: no speech."""
    languages = models.JSONField(_("languages"), default=list, blank=True, editable=False)
    """Every language of the speech by its share of the seconds, the largest first:
    [{"language": "zh", "share": 0.8}, …]; empty: no speech."""
    text = models.TextField(_("text"), blank=True, default="")
    engine_seconds = models.FloatField(_("engine time in seconds"), default=0.0, editable=False)

    # --- what people made of it
    review_state = models.CharField(
        _("review state"),
        max_length=10,
        choices=ReviewState.choices,
        default=ReviewState.UNREVIEWED,
        # The INSERTs of the version before, while an installation is brought up to date.
        db_default=ReviewState.UNREVIEWED,
        editable=False,
    )
    revision = models.PositiveIntegerField(_("revision"), default=0, db_default=0, editable=False)
    """Number of the last ``Revision``; 0: the text is as the machine wrote it."""
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        related_name="+",
        null=True,
        default=None,
        editable=False,
        verbose_name=_("reviewed by"),
    )
    """Who approved it; null until then, and again once it is reopened."""
    reviewed_at = models.DateTimeField(_("reviewed at"), null=True, default=None, editable=False)
    """When it was approved."""

    objects = LeasedQuerySet["Transcription"].as_manager()  # type: ignore[misc]  # more precise

    class Meta:
        verbose_name = _("transcription")
        verbose_name_plural = _("transcriptions")
        ordering = ["-created_at", "-id"]
        indexes = [
            *lease_index("transcription"),
            models.Index(fields=["owner", "-created_at"], name="transcription_by_owner"),
            models.Index(fields=["-created_at", "-id"], name="transcription_newest"),
            # The sum of what a user has stored is read from the index alone.
            models.Index(
                fields=["owner", "size_bytes"],
                condition=~Q(audio=""),
                name="transcription_stored",
            ),
            models.Index(
                fields=["status"],
                condition=Q(status__in=["queued", "processing"]),
                name="transcription_active",
            ),
            # What has been over for longest, for what is not kept for ever.
            models.Index(
                fields=["completed_at"],
                condition=Q(step="over"),
                name="transcription_over",
            ),
            models.Index(
                fields=["completed_at"],
                condition=Q(step="over") & ~Q(audio=""),
                name="transcription_over_audio",
            ),
            # What a list may be narrowed to, each in the order of the lists.
            *(
                models.Index(fields=[*fields, "-created_at", "-id"], name=f"transcription_{name}")
                for name, fields in (
                    ("by_status", ["status"]),
                    ("by_language", ["language"]),
                    ("by_model", ["model_name"]),
                    ("by_review", ["review_state"]),
                    ("owner_status", ["owner", "status"]),
                    ("owner_language", ["owner", "language"]),
                    ("owner_review", ["owner", "review_state"]),
                )
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.file_name or str(self.id)

    @property
    def is_final(self) -> bool:
        return self.status in self.FINAL

    @property
    def progress(self) -> float:
        """Share of the recording that is recognised, 0 to 1, for any status."""
        if self.status == self.Status.COMPLETED:
            return 1.0
        # While the recording is being split, what the file's header says is the best guess.
        total = self.speech_seconds or self.expected_seconds
        if not total:
            return 0.0
        # 1 is said only of a completed one.
        return round(min(self.processed_seconds / total, 0.99), 4)
