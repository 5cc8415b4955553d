"""Who may know of which transcriptions."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from transcription.models import Transcription


def known_to(user: Any, rows: QuerySet[Transcription]) -> QuerySet[Transcription]:
    """Return those of the rows that an account may know of: its own; staff, everybody's.

    For anybody else they are not there: 404, not 403.
    """
    return rows if user.is_staff else rows.filter(owner_id=user.pk)
