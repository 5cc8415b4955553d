"""Writes down who deleted, exported and revoked what.

An entry is written in the transaction of what it speaks of, so that neither is there without the
other; that something was exported is written before its first byte leaves.
"""

from __future__ import annotations

import os
import pwd
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone

from asr_project.logs import current_request_id
from transcription.models import ApiToken, AuditEntry, Transcription
from transcription.models.leases import in_seconds
from transcription.models.portions import delete_in_portions

Action, ObjectType, Via = AuditEntry.Action, AuditEntry.ObjectType, AuditEntry.Via

#: What the audio of somebody else's recording is called among the formats of exports.
AUDIO = "audio"
#: A player fetches a recording in many parts: one entry for each person and so long.
HEARD_ONCE_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who does something, and by which way."""

    via: AuditEntry.Via
    user: User | None = None
    #: Of the API token that was used; "": none was.
    token_name: str = ""
    #: Of somebody who has no account here; "" with no user: the service itself.
    name: str = ""

    @classmethod
    def of(cls, user: object, via: AuditEntry.Via) -> Actor:
        """Return the account that is logged in, by this way."""
        assert isinstance(user, User)
        return cls(via=via, user=user)

    @classmethod
    def of_command(cls) -> Actor:
        """Return who runs a command on the server: an account of the system, not of ours."""
        try:
            name = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            name = str(os.geteuid())
        return cls(via=Via.COMMAND, name=name)


#: The service itself, when a recording's time is over.
RETENTION = Actor(via=Via.RETENTION)


def note_deleted(row: Transcription, by: Actor) -> None:
    """Write down that a transcription is deleted with all that was made of it."""
    _of_recording(row, by, Action.TRANSCRIPTION_DELETED).save(force_insert=True)


def note_audio_deleted(row: Transcription, by: Actor) -> None:
    """Write down that the audio of a transcription is deleted and its text kept."""
    _of_recording(row, by, Action.AUDIO_DELETED).save(force_insert=True)


def note_revoked(row: ApiToken, by: Actor) -> None:
    """Write down that a token is ended."""
    _entry(
        by,
        action=Action.TOKEN_REVOKED,
        object_type=ObjectType.TOKEN,
        object_id=str(row.pk),
        owner_name=row.user.get_username(),
        detail=row.shown,
    ).save(force_insert=True)


def note_exported(
    row: Transcription,
    by: Actor,
    format_name: str,
    *,
    batch: uuid.UUID | None = None,
    count: int = 1,
) -> None:
    """Write down that a transcript leaves the service as a file, or in one of ``count``."""
    entry = _of_recording(row, by, Action.EXPORTED, detail=format_name, batch=batch, count=count)
    entry.save(force_insert=True)


def note_exported_together(
    ids_and_owners: Iterable[tuple[uuid.UUID, str | None]], by: Actor, format_name: str
) -> None:
    """Write down that many transcripts leave in one file: an entry for each, under one batch."""
    together = list(ids_and_owners)
    batch = uuid.uuid4() if len(together) > 1 else None
    AuditEntry.objects.bulk_create(
        [
            _entry(
                by,
                action=Action.EXPORTED,
                object_type=ObjectType.TRANSCRIPTION,
                object_id=str(pk),
                owner_name=owner or "",
                detail=format_name,
                batch=batch,
                count=len(together),
            )
            for pk, owner in together
        ],
        batch_size=1_000,
    )


def is_anothers(row: Transcription, user: User | AnonymousUser) -> bool:
    """Whether hearing the recording is entered: one's own one has already."""
    return row.owner_id != user.pk


def note_heard(row: Transcription, by: Actor) -> None:
    """Write down that somebody fetches the audio of another's recording; once in an hour.

    The parts that a player fetches at the same time find the same mark taken: the database lets
    one of them write.
    """
    hour = int(timezone.now().timestamp() // HEARD_ONCE_SECONDS)
    who = by.user.pk if by.user else by.name
    once = uuid.uuid5(row.pk, f"{who} {by.via} {hour}")
    if not AuditEntry.objects.filter(once=once).exists():
        entry = _of_recording(row, by, Action.EXPORTED, detail=AUDIO, once=once)
        AuditEntry.objects.bulk_create([entry], ignore_conflicts=True)


def forget_old() -> int:
    """Remove entries that are older than ``ASR_AUDIT_KEPT_DAYS``; return how many."""
    old = AuditEntry.objects.filter(at__lt=in_seconds(-settings.AUDIT_KEPT_DAYS * 86_400))
    return delete_in_portions(old.order_by("at"))


def _of_recording(
    row: Transcription, by: Actor, action: AuditEntry.Action, **more: Any
) -> AuditEntry:
    return _entry(
        by,
        action=action,
        object_type=ObjectType.TRANSCRIPTION,
        object_id=str(row.pk),
        owner_name=row.owner.get_username() if row.owner else "",
        **more,
    )


def _entry(by: Actor, **what: Any) -> AuditEntry:
    return AuditEntry(
        actor=by.user,
        actor_name=by.user.get_username() if by.user else by.name,
        via=by.via,
        token_name=by.token_name,
        request_id=current_request_id(),
        **what,
    )
