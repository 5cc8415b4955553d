"""The same request sent twice under one key is one piece of work.

A client that saw no answer cannot know whether its recording was accepted. With a key of its own
making in the header ``Idempotency-Key`` it may simply send it again. The key's row is written in
the very transaction that accepts the recording, so there is nothing in between: as long as that
has not happened (the first request is still on its way, or died), a second one is like the first,
and whichever gets there first is the one; the other joins it.

What was made under a key stays its answer: of a failed or cancelled transcription too. To have
that recognised again, retry it, or send the recording under a new key.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from transcription.models import IdempotencyKey, Transcription
from transcription.models.portions import delete_in_portions
from transcription.services.errors import ServiceError
from transcription.services.submit import IncomingFile, submit

logger = logging.getLogger(__name__)

HEADER = "Idempotency-Key"
MAX_KEY_CHARACTERS = 255


def submit_once(
    recording: IncomingFile,
    *,
    caller: str,
    key: str | None,
    asked: Mapping[str, Any],
    **submission: Any,
) -> Transcription:
    """Submit a recording, or return what the same request under the same key has made already.

    ``caller`` tells whose key it is ("user:5"). ``asked`` is everything of the request that
    decides about the work, whatever its route; empty values count as left out. ``key`` is the
    header as it came; None: there was none. ``submission`` goes to ``submit``. Raises
    ``idempotency_conflict``, ``idempotency_deleted``, ``invalid`` for a key of another form, and
    what ``submit`` raises. A file that is not taken over stays the caller's.
    """
    if key is None:
        return submit(recording, **submission)
    digest = _key_digest(caller, key)
    request_digest = _request_digest(recording, asked)
    if (made := _made_before(digest, request_digest)) is not None:
        return made

    def write_down(row: Transcription) -> None:
        # An outdated row that the upkeep has not come to yet.
        IdempotencyKey.objects.filter(digest=digest, created_at__lt=_oldest()).delete()
        IdempotencyKey.objects.create(
            digest=digest, request_digest=request_digest, transcription=row
        )

    try:
        return submit(recording, on_accept=write_down, **submission)
    except (IntegrityError, ServiceError):
        # A request like this one may have been accepted meanwhile: by the key's constraint, or
        # because it took the last place that a quota had.
        if (made := _made_before(digest, request_digest)) is not None:
            return made
        raise


def forget_old_keys() -> int:
    """Remove keys that are no longer remembered; return how many."""
    old = IdempotencyKey.objects.filter(created_at__lt=_oldest())
    return delete_in_portions(old.order_by("created_at"))


def _made_before(digest: str, request_digest: str) -> Transcription | None:
    row = (
        IdempotencyKey.objects.select_related("transcription__owner")
        .filter(digest=digest, created_at__gte=_oldest())
        .first()
    )
    if row is None:
        return None
    if row.request_digest != request_digest:
        raise ServiceError("idempotency_conflict")
    if row.transcription is None:
        raise ServiceError("idempotency_deleted")
    logger.info("A repeated request joins %s.", row.transcription_id)
    return row.transcription


def _oldest() -> Any:
    return timezone.now() - timedelta(seconds=settings.IDEMPOTENCY_SECONDS)


def _key_digest(caller: str, key: str) -> str:
    if not (0 < len(key) <= MAX_KEY_CHARACTERS and key.isascii() and key.isprintable()):
        raise ServiceError(
            "invalid",
            detail=_("{header} has from 1 to {limit} printable ASCII characters.").format(
                header=HEADER, limit=MAX_KEY_CHARACTERS
            ),
        )
    return salted_hmac(
        "transcription.idempotency", json.dumps([caller, key]), algorithm="sha256"
    ).hexdigest()


def _request_digest(recording: IncomingFile, asked: Mapping[str, Any]) -> str:
    said = {name: value for name, value in asked.items() if value not in ("", None, [], False)}
    whole = json.dumps({"file": recording.sha256, "asked": said}, sort_keys=True, default=str)
    return hashlib.sha256(whole.encode()).hexdigest()
