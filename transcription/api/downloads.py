"""A transcript as a file to keep: txt, srt, vtt, tsv, json, docx."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from rest_framework import serializers

from transcription.models import Transcription
from transcription.services import audit
from transcription.services.change import wrong_status
from transcription.services.export import (
    DOWNLOAD_FORMATS,
    WITH_TEXT,
    file_name,
    media_type_of,
    rendered,
)


def download(row: Transcription, format_name: str, *, by: audit.Actor | None) -> HttpResponse:
    """Return the transcript as an attachment; "" stands for txt. ``by`` None: only its head.

    Raises ``wrong_status`` while there is no text, and an error of the field ``format``.
    """
    format_name = format_name.lower() or DOWNLOAD_FORMATS[0]
    if format_name not in DOWNLOAD_FORMATS:
        words = _("There is no such format. There are: %(formats)s.")
        raise serializers.ValidationError(
            {"format": words % {"formats": ", ".join(DOWNLOAD_FORMATS)}}
        )
    if row.status not in WITH_TEXT:
        raise wrong_status(row.status)
    response = HttpResponse(rendered(row, format_name), content_type=media_type_of(format_name))
    response.headers["Content-Disposition"] = (
        content_disposition_header(True, file_name(row, format_name)) or "attachment"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-cache"
    if by is not None:
        audit.note_exported(row, by, format_name)
    return response
