"""Requests that a client repeats by itself join the work that the first one began.

The official clients give up after 10 minutes without an answer, and after 408, 409, 429 or 5xx,
and send the whole request again, up to twice. They send no idempotency key, but say in a header
that they repeat. Without a look at it, a recording that takes long would be recognised three
times.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone
from rest_framework.request import Request

from transcription.api.openai.fields import Asked
from transcription.models import Transcription
from transcription.services.submit import IncomingFile

#: How often the client has sent this request before.
RETRY_COUNT_HEADER = "X-Stainless-Retry-Count"
#: A first request that was not answered in time may have been finished this long ago.
FINISHED_WITHIN = timedelta(hours=1)

Status = Transcription.Status


def is_repeated(request: Request) -> bool:
    """Whether the client says that it has sent this very request before."""
    count = request.headers.get(RETRY_COUNT_HEADER, "")
    return count.isdecimal() and int(count) > 0


def earlier_work(
    owner: User, recording: IncomingFile, asked: Asked, *, model: str, subject: str
) -> Transcription | None:
    """Return what the first of the repeated requests began, if it got that far.

    It is known by its owner, by the digest of its recording and by everything that was asked of
    the engines. What failed or was cancelled is begun anew. One query, over the rows that the
    owner made lately.
    """
    now = timezone.now()
    longest = timedelta(seconds=settings.OPENAI_WAIT_SECONDS) + timedelta(days=1)
    return (
        Transcription.objects.filter(
            Q(status__in=[Status.QUEUED, Status.PROCESSING])
            | Q(status=Status.COMPLETED, completed_at__gte=now - FINISHED_WITHIN),
            owner=owner,
            created_at__gte=now - longest,
            sha256=recording.sha256,
            size_bytes=recording.size_bytes,
            language_hint=asked.language,
            prompt=asked.prompt,
            requested_model=model,
            want_words=asked.wants_words,
            subject=subject,
        )
        .order_by("-created_at")
        .first()
    )
