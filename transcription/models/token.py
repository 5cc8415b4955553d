"""Tokens with which programs call the API."""

from __future__ import annotations

import hashlib
import secrets
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

#: Recognisable in a log or a repository by tools that look for leaked secrets.
TOKEN_PREFIX = "asr_"
_SHOWN_CHARACTERS = 12


def digest_of(token: str) -> str:
    """Return what is stored of a token. It is random at 256 bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Queries of the tokens."""

    def usable(self) -> Self:
        """Tokens that are neither revoked nor expired, of users who may log in."""
        return self.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=Now()),
            revoked_at__isnull=True,
            user__is_active=True,
        )


class ApiToken(models.Model):
    """A named token of a user. The token itself is shown once and never stored."""

    class Scope(models.TextChoices):
        READ = "read", _("Read")
        TRANSCRIBE = "transcribe", _("Read and transcribe")
        FULL = "full", _("Everything that the user may do")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="api_tokens",
        verbose_name=_("user"),
    )
    name = models.CharField(
        _("name"), max_length=100, help_text=_("What it is for, for example 'web shop'.")
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    shown = models.CharField(_("begins with"), max_length=_SHOWN_CHARACTERS, editable=False)
    """The first characters, so that its owner can tell it from others."""
    scope = models.CharField(_("scope"), max_length=12, choices=Scope.choices, default=Scope.FULL)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.shown}…)"

    def set_new_secret(self) -> str:
        """Give the unsaved row a fresh token and return it: the only time that it is known."""
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        self.digest = digest_of(token)
        self.shown = token[:_SHOWN_CHARACTERS]
        return token
