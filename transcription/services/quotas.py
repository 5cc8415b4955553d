"""How much a user may have: jobs that are not over, bytes stored, minutes of audio a day.

Everything is counted from the rows themselves, so that no count can be wrong. Recordings that
belong to nobody are counted together, as those of one user.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import ceil

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import F, Sum
from django.utils import timezone

from transcription.models import DayUsage, Transcription, UserLimits
from transcription.services.errors import ServiceError

#: When to ask again for a place among the unfinished jobs.
JOBS_RETRY_SECONDS = 30
#: Bytes that a second of audio has, as a guess until it is decoded: 16 kHz PCM, and what is
#: compressed at 64 kbit/s.
PCM_BYTES_PER_SECOND = 32_000
COMPRESSED_BYTES_PER_SECOND = 8_000
PCM_TYPES = ("audio/wav", "audio/x-wav")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one user may have; 0: no limit."""

    unfinished_jobs: int
    stored_bytes: int
    audio_seconds_per_day: float


def limits_of(owner: User | None) -> Limits:
    """Return a user's limits: his own where he has some, else those of the settings."""
    own = UserLimits.objects.filter(user=owner).first() if owner else None
    jobs = own.unfinished_jobs if own else None
    stored_mb = own.stored_mb if own else None
    minutes = own.audio_minutes_per_day if own else None
    return Limits(
        unfinished_jobs=settings.QUOTA_UNFINISHED_JOBS if jobs is None else jobs,
        stored_bytes=settings.QUOTA_STORED_BYTES if stored_mb is None else stored_mb * 2**20,
        audio_seconds_per_day=60.0
        * (settings.QUOTA_AUDIO_MINUTES_PER_DAY if minutes is None else minutes),
    )


def check(owner: User | None, *, coming_bytes: int) -> None:
    """Refuse another recording of ``coming_bytes`` where a limit is reached.

    To be called in the transaction that accepts it: the user's row is locked, so that two
    recordings at once do not both find the last place. Raises ``too_many_jobs``,
    ``storage_quota_used`` and ``daily_quota_used``. A recording that crosses the minutes of the
    day is still taken; the next is not.
    """
    limits = limits_of(owner)
    if limits == Limits(unfinished_jobs=0, stored_bytes=0, audio_seconds_per_day=0):
        return
    _lock(owner)
    _check_jobs(owner, limits)
    rows = Transcription.objects.filter(owner=owner)
    if limits.stored_bytes:
        stored = rows.exclude(audio="").aggregate(sum=Sum("size_bytes"))["sum"] or 0
        if stored + coming_bytes > limits.stored_bytes:
            raise ServiceError("storage_quota_used", limit=f"{limits.stored_bytes / 2**20:g} MiB")
    if limits.audio_seconds_per_day:
        now = timezone.localtime()
        if seconds_sent_in(owner, now.date()) >= limits.audio_seconds_per_day:
            raise ServiceError(
                "daily_quota_used",
                limit=f"{limits.audio_seconds_per_day / 60:g}",
                retry_after=ceil((_start_of(now.date() + timedelta(days=1)) - now).total_seconds()),
            )


def check_jobs(owner: User | None) -> None:
    """Refuse to start a recording again where too many are unfinished; raises ``too_many_jobs``.

    To be called in the transaction that starts it, as ``check``.
    """
    limits = limits_of(owner)
    if limits.unfinished_jobs:
        _lock(owner)
        _check_jobs(owner, limits)


def _lock(owner: User | None) -> None:
    if owner is not None:
        list(User.objects.select_for_update(no_key=True).filter(pk=owner.pk).values_list("pk"))


def _check_jobs(owner: User | None, limits: Limits) -> None:
    if not limits.unfinished_jobs:
        return
    unfinished = Transcription.objects.filter(
        owner=owner, status__in=[Transcription.Status.QUEUED, Transcription.Status.PROCESSING]
    ).count()
    if unfinished >= limits.unfinished_jobs:
        raise ServiceError(
            "too_many_jobs", limit=limits.unfinished_jobs, retry_after=JOBS_RETRY_SECONDS
        )


def seconds_sent_in(owner: User | None, day: date) -> float:
    """Return the seconds of audio that a user sent in on a day, what he deleted included."""
    sent = Transcription.objects.filter(
        owner=owner, created_at__gte=_start_of(day), created_at__lt=_start_of(day + timedelta(1))
    ).values_list("duration_seconds", "expected_seconds", "size_bytes", "content_type")
    deleted = DayUsage.objects.filter(owner=owner, day=day).values_list("deleted_seconds")
    return sum(_seconds(*facts) for facts in sent.iterator()) + sum(one for (one,) in deleted)


def note_deleted(row: Transcription) -> None:
    """Write down what a recording that is about to be deleted counts for its day.

    To be called in the transaction that deletes it.
    """
    if row.owner_id is None:
        return  # only staff delete what belongs to nobody
    day = timezone.localtime(row.created_at).date()
    if day < _first_day_that_counts():
        return
    usage, _ = DayUsage.objects.get_or_create(owner_id=row.owner_id, day=day)
    seconds = _seconds(row.duration_seconds, row.expected_seconds, row.size_bytes, row.content_type)
    DayUsage.objects.filter(pk=usage.pk).update(deleted_seconds=F("deleted_seconds") + seconds)


def forget_past_days() -> int:
    """Remove what was written down of days that are over; return how many rows."""
    return DayUsage.objects.filter(day__lt=_first_day_that_counts()).delete()[0]


def _first_day_that_counts() -> date:
    """Return yesterday: of a day before that nobody asks any more."""
    return timezone.localdate() - timedelta(days=1)


def guessed_seconds(*, size_bytes: int, content_type: str) -> float:
    """Guess the duration of a recording that nobody has looked into yet."""
    rate = PCM_BYTES_PER_SECOND if content_type in PCM_TYPES else COMPRESSED_BYTES_PER_SECOND
    return size_bytes / rate


def _seconds(
    duration_seconds: float | None,
    expected_seconds: float | None,
    size_bytes: int,
    content_type: str,
) -> float:
    known = duration_seconds if duration_seconds is not None else expected_seconds
    if known is None:
        return guessed_seconds(size_bytes=size_bytes, content_type=content_type)
    return known


def _start_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))
