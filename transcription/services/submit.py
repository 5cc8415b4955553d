"""Accepting a recording: from here on it cannot be lost."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from transcription.audio.sniff import sniff
from transcription.models import SpeechModel, Transcription
from transcription.punctuation.files import PunctuationModelError, find_files
from transcription.services import bell, quotas, search
from transcription.services.errors import ServiceError
from transcription.services.routing import choose, enabled_candidates
from transcription.services.webhooks import checked_callback_url
from transcription.text.languages import UnknownLanguage, normalise_code

logger = logging.getLogger(__name__)
Polish = Transcription.Polish

MAX_PROMPT_CHARACTERS = 2_000
UNKNOWN_CONTENT = ("bin", "application/octet-stream")


@dataclass(frozen=True, kw_only=True)
class IncomingFile:
    """A received file in ``INCOMING_DIR``: complete, written through to the disk."""

    path: Path
    #: As the client named it; for people only.
    file_name: str
    size_bytes: int
    #: Hexadecimal, of the whole content.
    sha256: str
    #: The first kilobytes of the content.
    head: bytes


def submit(
    upload: IncomingFile,
    *,
    owner: User | None,
    language_hint: str = "",
    prompt: str = "",
    requested_model: str = "",
    polish: str = "",
    want_words: bool = False,
    title: str = "",
    request_id: str = "",
    callback_url: str = "",
    subject: str = "",
    on_accept: Callable[[Transcription], None] | None = None,
) -> Transcription:
    """Take the file over, make its row durable and wake the workers.

    When this returns, file and row are on the disk. Raises ``ServiceError`` for what the caller
    must change (empty_file, unknown_language, unknown_model, prompt_too_long,
    polish_model_unavailable, words_unavailable, address_not_allowed) or has used up
    (``services.quotas``); then the file still lies where it was and belongs to the caller.
    ``polish`` is off, rules, model, true or false; empty: as the setting says. The content is
    judged by the decoder, not here: no code that may break on hostile bytes runs in a web process.
    ``on_accept`` is called in the transaction that makes the row durable; what it raises undoes it.
    """
    if upload.size_bytes == 0:
        raise ServiceError("empty_file")
    if len(prompt) > MAX_PROMPT_CHARACTERS:
        raise ServiceError("prompt_too_long", limit=MAX_PROMPT_CHARACTERS)
    callback_url = checked_callback_url(callback_url, owner)
    language = language_of(language_hint)
    model_name = _model(requested_model)
    require_a_model_that_knows(language, model_name)
    decided_polish = _polish(polish)
    if want_words:
        _require_a_model_that_gives_words(language, model_name)

    guess = sniff(upload.head)
    extension, content_type = (guess.extension, guess.content_type) if guess else UNKNOWN_CONTENT
    row_id = uuid.uuid4()
    name = f"audio/{timezone.now():%Y/%m/%d}/{row_id}.{extension.lstrip('.')}"
    stored = settings.MEDIA_ROOT / name
    _move_durably(upload.path, stored)
    row = Transcription(
        id=row_id,
        owner=owner,
        title=title,
        request_id=request_id,
        audio=name,
        file_name=upload.file_name[:255],
        size_bytes=upload.size_bytes,
        sha256=upload.sha256,
        content_type=content_type,
        language_hint=language,
        prompt=prompt,
        requested_model=model_name,
        polish=decided_polish,
        want_words=want_words,
        callback_url=callback_url,
        subject=subject,
    )
    try:
        with transaction.atomic():
            quotas.check(owner, coming_bytes=upload.size_bytes)
            row.save(force_insert=True)
            search.remember(row.pk)
            if on_accept:
                on_accept(row)
            bell.wake(bell.CHORES)
            # Its worker gets up while the file is being decoded.
            bell.wake(bell.ENGINE)
    except BaseException:
        # Not accepted, so the file is the caller's again.
        stored.rename(upload.path)
        raise
    logger.info("Accepted %s: %s, %d bytes.", row.id, content_type, upload.size_bytes)
    return row


def language_of(hint: str) -> str:
    """Return the code of a language hint, "" for none; raises ``unknown_language``."""
    try:
        return normalise_code(hint) or ""
    except UnknownLanguage as error:
        raise ServiceError("unknown_language", value=hint) from error


def _model(name: str) -> str:
    name = name.strip()
    if name in {"", "auto"}:
        return ""
    enabled = list(SpeechModel.objects.filter(enabled=True).values_list("name", flat=True))
    if name not in enabled:
        raise ServiceError("unknown_model", value=name, available=", ".join(["auto", *enabled]))
    return name


def _polish(wanted: str) -> str:
    """Decide how far the text is polished; what was asked for must be possible.

    Where nobody asked, the setting holds even if the model is lost meanwhile: the recording is
    taken, and says that it was polished by the rules alone.
    """
    word = wanted.strip().lower()
    if word in {"", "true"}:
        if word and settings.POLISH == Polish.OFF:
            return Polish.RULES
        return str(settings.POLISH)
    if word == "false":
        return Polish.OFF
    if word not in Polish.values:
        choices = ", ".join([*Polish.values, "true", "false"])
        words = _("polish is '{value}', not one of {choices}.")
        raise ServiceError("invalid", detail=words.format(value=word[:20], choices=choices))
    if word == Polish.MODEL:
        try:
            find_files(settings.WEIGHTS_DIR / settings.PUNCTUATION_MODEL)
        except PunctuationModelError as error:
            logger.warning("A request wants the punctuation model: %s", error)
            raise ServiceError(
                "polish_model_unavailable", name=settings.PUNCTUATION_MODEL
            ) from error
    return word


def require_a_model_that_knows(language: str, model_name: str) -> None:
    """Refuse a language that no enabled model knows; without any model, recordings may wait."""
    candidates = enabled_candidates()
    if candidates and choose(candidates, requested=model_name, language=language) is None:
        raise ServiceError("unknown_language", value=language)


def _require_a_model_that_gives_words(language: str, model_name: str) -> None:
    """Refuse what is known to be impossible; where nobody knows yet, the recording is accepted."""
    candidates = enabled_candidates()
    name = choose(candidates, requested=model_name, language=language, words=True)
    if any(one.name == name and one.gives_words is False for one in candidates):
        raise ServiceError("words_unavailable", model=name)


def _move_durably(source: Path, target: Path) -> None:
    """Rename within the file system; a power cut after this leaves the file in place."""
    missing = [parent for parent in target.parents if not parent.exists()]
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    source.rename(target)
    # A new directory is only there once its parent's entry for it is written.
    for directory in [target.parent, *(made.parent for made in missing)]:
        fsync_directory(directory)


def fsync_directory(directory: Path) -> None:
    """Write a directory's entries through to the disk."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
