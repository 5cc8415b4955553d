"""Deletes a transcription, or its audio alone. Nothing comes back."""

from __future__ import annotations

import logging

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models.functions import Now

from transcription.models import Chunk, LeasedWork, Transcription
from transcription.models.leases import in_seconds
from transcription.services import audit, quotas
from transcription.services.change import wrong_status
from transcription.services.paths import work_file
from transcription.services.peaks import remove_peaks

logger = logging.getLogger(__name__)
State, Status, Step = LeasedWork.State, Transcription.Status, Transcription.Step

#: For so long nobody starts a recording again whose audio is being deleted.
HELD_SECONDS = 60.0


def remove(row: Transcription, by: audit.Actor) -> None:
    """Delete the recording with all that was made of it, for good.

    In this order: the work is ended, the files go, the row goes. Whatever breaks in between
    leaves a row that says what is still there and can be deleted again, never a file that
    nothing speaks of. A worker that holds a lease at this moment finds it gone at its next word
    to the database, writes nothing more, and removes the file that it was writing to.
    """
    _end_work(row)
    if row.audio.name:
        row.audio.storage.delete(row.audio.name)
    _remove_derived_files(row)
    with transaction.atomic():
        # Locked first: what refers to the row cannot be added between finding and deleting it.
        for locked in Transcription.objects.select_for_update(of=("self",)).filter(pk=row.pk):
            quotas.note_deleted(locked)
            audit.note_deleted(locked, by)
            _forget_its_name(locked)
            locked.delete()
    # A worker that ended in between still saw the row, and left the files that it had begun.
    _remove_derived_files(row)
    logger.info("Deleted %s.", row.pk)


def remove_audio(row: Transcription, by: audit.Actor) -> bool:
    """Delete the recording of a transcription that is over, and keep its text.

    False: it was gone already. The files go before the row says so: whatever breaks in between
    leaves a row that can be cleared again, never a file that nothing speaks of. Raises
    ``wrong_status`` while the recording is still needed.
    """
    if not row.is_final or row.step != Step.OVER:
        raise wrong_status(row.status)
    if not row.audio.name:
        return False
    over = Transcription.objects.filter(pk=row.pk, status__in=Transcription.FINAL, step=Step.OVER)
    # Held while its files go: it could be started again at this moment.
    if not over.update(lease_until=in_seconds(HELD_SECONDS)):
        status = Transcription.objects.filter(pk=row.pk).values_list("status", flat=True).first()
        if status is None:
            return False
        raise wrong_status(status)
    row.audio.storage.delete(row.audio.name)
    _remove_derived_files(row)
    with transaction.atomic():
        changed = over.exclude(audio="").update(audio="", lease_until=None)
        if changed:
            audit.note_audio_deleted(row, by)
    row.audio = None
    logger.info("Deleted the audio of %s; its text is kept.", row.pk)
    return bool(changed)


def _forget_its_name(row: Transcription) -> None:
    """Take title and file name out of the admin's history, which outlives the row."""
    entries = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Transcription), object_id=str(row.pk)
    )
    entries.update(object_repr=str(row.pk))


def _remove_derived_files(row: Transcription) -> None:
    work_file(row.pk).unlink(missing_ok=True)
    remove_peaks(row.pk)


def _end_work(row: Transcription) -> None:
    ended = {"lease_token": None, "lease_until": None, "leased_by": "", "state": State.CANCELLED}
    with transaction.atomic():
        Transcription.objects.filter(pk=row.pk).exclude(step=Step.OVER).update(
            **ended, status=Status.CANCELLED, step=Step.OVER, completed_at=Now()
        )
        Chunk.objects.filter(transcription=row.pk, state__in=[State.PENDING, State.LEASED]).update(
            **ended
        )
