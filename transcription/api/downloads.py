"""A transcript as a file to keep: txt, srt, vtt, tsv, json, docx."""

from __future__ import annotations

import re

from django.http import HttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from rest_framework import serializers

from transcription.api.transcripts import transcript_of
from transcription.models import Transcription
from transcription.services.change import wrong_status
from transcription.text.docx import DOCX_MEDIA_TYPE, render_docx
from transcription.text.exports import FORMATS, render

#: What ``?format=`` may name; the first is the one without it.
DOWNLOAD_FORMATS = (*FORMATS, "docx")
#: Statuses of a transcription that there is a text of.
WITH_TEXT = frozenset({Transcription.Status.COMPLETED, Transcription.Status.CANCELLED})

# What some file system does not take in a name, and what would turn the direction of writing
# (U+202E makes "exe.txt" of "txt.exe").
_UNSAFE = re.compile('[\x00-\x1f\x7f-\x9f"*/:<>?\\\\|\u200e\u200f\u202a-\u202e\u2066-\u2069]+')
_LONGEST_NAME = 100


def download(row: Transcription, format_name: str) -> HttpResponse:
    """Return the transcript as an attachment; "" stands for txt.

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
    transcript = transcript_of(row)
    content: str | bytes
    if format_name == "docx":
        media_type = DOCX_MEDIA_TYPE
        content = render_docx(transcript, title=str(row))
    else:
        media_type = f"{FORMATS[format_name].media_type}; charset=utf-8"
        content = render(transcript, format_name)
    response = HttpResponse(content, content_type=media_type)
    response.headers["Content-Disposition"] = (
        content_disposition_header(True, file_name(row, format_name)) or "attachment"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def file_name(row: Transcription, ending: str) -> str:
    """Return a name for a file of this transcription: its title, made safe, with the ending."""
    return f"{safe_name(row.title or _without_ending(row.file_name)) or row.pk}.{ending}"


def safe_name(name: str) -> str:
    """Return as much of a name as every file system takes; "" where nothing is left."""
    return _UNSAFE.sub(" ", name).strip(" .")[:_LONGEST_NAME].strip(" .")


def _without_ending(name: str) -> str:
    return re.sub(r"\.\w{1,5}$", "", name)
