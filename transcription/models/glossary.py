"""Names and terms that the engine is told of before it listens."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

MAX_TERM_CHARACTERS = 100


class GlossaryTerm(models.Model):
    """A name or term as it is to be written; it goes along with its owner's recordings.

    Without an owner it goes along with everybody's. What is sent with a recording is fixed when
    that is accepted (``services.glossary``).
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="glossary_terms",
        null=True,
        blank=True,
        verbose_name=_("owner"),
        help_text=_("Empty: for everybody."),
    )
    term = models.CharField(
        _("term"),
        max_length=MAX_TERM_CHARACTERS,
        help_text=_("A name or a term as it is to be written, for example 'Kubernetes'."),
    )
    language = models.CharField(
        _("language"),
        max_length=10,
        blank=True,
        default="",
        help_text=_(
            "A code such as 'zh': not sent with recordings that are said to be in another "
            "language. Empty: sent with all."
        ),
    )
    note = models.CharField(
        _("note"), max_length=200, blank=True, default="", help_text=_("For people only.")
    )
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("glossary term")
        verbose_name_plural = _("glossary terms")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "term"],
                condition=Q(owner__isnull=False),
                name="glossary_term_once_an_owner",
            ),
            models.UniqueConstraint(
                fields=["term"],
                condition=Q(owner__isnull=True),
                name="glossary_term_once_for_all",
            ),
        ]

    def __str__(self) -> str:
        return self.term
