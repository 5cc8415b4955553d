"""What comes out of the service over time, added up as recordings end.

Asked of the transcriptions themselves, a month of a busy service would be a million rows for one
picture. These are 8,640 rows, however busy it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from transcription.models import Throughput
from transcription.models.queue import THROUGHPUT_SECONDS
from transcription.services import tally
from transcription.services.tally import Count

KEPT = timedelta(days=100)


@dataclass(frozen=True, kw_only=True)
class Span:
    """What ended within a span of time."""

    since: datetime
    #: The first moment after it.
    until: datetime
    recordings: int
    failures: int
    audio_seconds: float
    engine_seconds: float

    @property
    def rtfx(self) -> float | None:
        """Seconds of audio for each second of an engine; None: no engine was used."""
        return self.audio_seconds / self.engine_seconds if self.engine_seconds else None


def note_completed(*, audio_seconds: float, engine_seconds: float) -> None:
    """Count a completed recording, in the transaction that completed it, at its end."""
    _add(recordings=1, audio_seconds=audio_seconds, engine_seconds=engine_seconds)
    tally.add(
        {
            (Count.RECORDINGS, "completed"): 1,
            (Count.AUDIO_SECONDS, ""): audio_seconds,
            (Count.ENGINE_SECONDS, ""): engine_seconds,
        }
    )


def note_failed(code: str) -> None:
    """Count a failed recording, in the transaction that made it fail, at its end.

    ``code`` is that of the error, as it stands in the recording.
    """
    _add(failures=1)
    tally.add({(Count.RECORDINGS, "failed"): 1, (Count.FAILURES, code): 1})


def _add(**amounts: float) -> None:
    seconds = int(timezone.now().timestamp()) // THROUGHPUT_SECONDS * THROUGHPUT_SECONDS
    here = Throughput.objects.filter(started_at=datetime.fromtimestamp(seconds, UTC))
    changes = {name: F(name) + amount for name, amount in amounts.items()}
    if here.update(**changes):
        return
    try:
        with transaction.atomic():
            Throughput.objects.create(started_at=datetime.fromtimestamp(seconds, UTC), **amounts)
    except IntegrityError:  # another worker was first, within the same five minutes
        here.update(**changes)


def spans(edges: Sequence[datetime]) -> list[Span]:
    """Return what ended between each two neighbours of the rising ``edges``; one query."""
    found = Throughput.objects.filter(
        started_at__gte=edges[0], started_at__lt=edges[-1]
    ).values_list("started_at", "recordings", "failures", "audio_seconds", "engine_seconds")
    sums: list[list[float]] = [[0, 0, 0.0, 0.0] for _ in edges[1:]]
    place = 0
    for started_at, *amounts in found.order_by("started_at"):
        while started_at >= edges[place + 1]:
            place += 1
        sums[place] = [a + b for a, b in zip(sums[place], amounts, strict=True)]
    return [
        Span(
            since=since,
            until=until,
            recordings=int(recordings),
            failures=int(failures),
            audio_seconds=audio,
            engine_seconds=engine,
        )
        for since, until, (recordings, failures, audio, engine) in zip(
            edges[:-1], edges[1:], sums, strict=True
        )
    ]


def of_last_hour(now: datetime) -> list[Span]:
    """Return the last hour in steps of five minutes, the one that has begun included."""
    step = timedelta(seconds=THROUGHPUT_SECONDS)
    begun = int(now.timestamp()) // THROUGHPUT_SECONDS * THROUGHPUT_SECONDS
    end = datetime.fromtimestamp(begun, UTC) + step
    return spans([end - step * back for back in range(12, -1, -1)])


def of_last_days(now: datetime, days: int) -> list[Span]:
    """Return so many days, today included, from midnight to midnight by the local clock."""
    today = timezone.localtime(now).date()
    return spans(
        [
            timezone.make_aware(datetime.combine(today - timedelta(days=back), datetime.min.time()))
            for back in range(days - 1, -2, -1)
        ]
    )


def forget_old() -> int:
    """Remove what is older than any picture shows; return how many rows."""
    return Throughput.objects.filter(started_at__lt=timezone.now() - KEPT).delete()[0]
