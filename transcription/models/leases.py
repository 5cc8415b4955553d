"""Work that is a row: claimed under a lease, finished once, never lost.

A row is *pending* until a worker claims it. The claim writes a fresh token and a time until which
the row belongs to that worker; the worker renews it while it lives. Whoever finishes must still
hold the token: if the lease ran out and somebody else took the row, the late result changes no
row and is dropped. All times are the database's, so the clocks of several machines need not
agree.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self, TypeVar

from django.conf import settings
from django.db import models, transaction
from django.db.models import Case, DateTimeField, ExpressionWrapper, F, Q, Value, When
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

_Work = TypeVar("_Work", bound="LeasedWork")


def in_seconds(seconds: float) -> Now | ExpressionWrapper:
    """Return the moment that many seconds from now, by the database's clock.

    "At once" is exactly ``Now()``: on SQLite a sum is written with six digits ("….408000") and
    compared as text, so that within the same millisecond it would still be to come ("….408").
    """
    if seconds == 0:
        return Now()
    return ExpressionWrapper(
        Now() + Value(timedelta(seconds=seconds)), output_field=DateTimeField()
    )


@dataclass(frozen=True, kw_only=True)
class Lease:
    """Who claims: everything that a worker must know to claim and to prove that it did."""

    #: Cluster of this installation that holds the lease, as "engine-0"; the launcher that saw
    #: the cluster die ends the leases under this name.
    holder: str
    seconds: float


class LeasedQuerySet(models.QuerySet[_Work]):
    """Queries of a table of leased work."""

    def pending(self) -> Self:
        """Rows that wait, their time come or not."""
        return self.filter(state=LeasedWork.State.PENDING)

    def claimable(self) -> Self:
        """Rows that may be claimed now."""
        return self.pending().filter(not_before__lte=Now())

    def claim(self, ids: Iterable[Any], lease: Lease) -> list[_Work]:
        """Take those of the rows that are still free, in the order of ``ids``; commit at once.

        One short transaction. Rows that another worker locks at this moment are passed over.
        A claim counts as an attempt; its rows share a fresh token.
        """
        ids = list(ids)
        token = uuid.uuid4()
        with transaction.atomic(using=self.db):
            free = {
                row.pk: row
                for row in self.claimable()
                .filter(pk__in=ids)
                .select_for_update(skip_locked=True, of=("self",))
            }
            if not free:
                return []
            self.filter(pk__in=free).update(
                state=LeasedWork.State.LEASED,
                attempts=F("attempts") + 1,
                lease_token=token,
                lease_until=in_seconds(lease.seconds),
                leased_by=lease.holder,
            )
        # As the UPDATE left them; a second SELECT would only say so again. When the lease ends
        # is the database's to know.
        for row in free.values():
            row.state = LeasedWork.State.LEASED
            row.attempts += 1
            row.lease_token = token
            row.leased_by = lease.holder
        return [free[pk] for pk in ids if pk in free]

    def renew(self, tokens: Sequence[uuid.UUID], seconds: float) -> int:
        """Lengthen the leases that are still held; return how many rows are."""
        return self.filter(state=LeasedWork.State.LEASED, lease_token__in=tokens).update(
            lease_until=in_seconds(seconds)
        )

    def expire(self, *, holder: str | None = None) -> int:
        """Give rows back whose lease ran out, or at once every row of a holder known dead.

        They wait for the pause that their number of attempts demands. Rows without an attempt
        left are *not* touched here: ``exhausted`` finds them, since what their failing means
        differs from table to table.
        """
        return (
            self._lapsed(holder)
            .filter(attempts__lt=max_attempts())
            .update(
                state=LeasedWork.State.PENDING,
                lease_token=None,
                lease_until=None,
                leased_by="",
                not_before=_after_pause(),
                last_error="interrupted",
            )
        )

    def exhausted(self, *, holder: str | None = None) -> Self:
        """Rows whose lease ran out at their last attempt."""
        return self._lapsed(holder).filter(attempts__gte=max_attempts())

    def _lapsed(self, holder: str | None) -> Self:
        leased = self.filter(state=LeasedWork.State.LEASED)
        if holder is not None:
            return leased.filter(leased_by=holder)
        return leased.filter(lease_until__lt=Now())


def max_attempts() -> int:
    """Return how often a piece of work is started before it counts as failed."""
    return len(settings.RETRY_DELAYS_SECONDS) + 1


def pause_seconds(attempts: int) -> float:
    """Return the pause before the next try of a piece of work that was started so often."""
    delays = settings.RETRY_DELAYS_SECONDS
    return float(delays[min(max(attempts, 1), len(delays)) - 1])


def _after_pause() -> Case:
    """Return when an interrupted row may be tried again, by the number of attempts it had."""
    return Case(
        *(
            When(attempts=attempt, then=in_seconds(seconds))
            for attempt, seconds in enumerate(settings.RETRY_DELAYS_SECONDS, start=1)
        ),
        default=Now(),
        output_field=DateTimeField(),
    )


class LeasedWork(models.Model):
    """A row that is a piece of work."""

    class State(models.TextChoices):
        PENDING = "pending", _("Pending")
        LEASED = "leased", _("Leased")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.PENDING, editable=False
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0, editable=False)
    """How often the work was started since it last made progress."""

    lease_token = models.UUIDField(_("lease token"), null=True, default=None, editable=False)
    lease_until = models.DateTimeField(_("lease until"), null=True, default=None, editable=False)
    leased_by = models.CharField(
        _("held by"), max_length=100, blank=True, default="", editable=False
    )
    not_before = models.DateTimeField(_("not before"), db_default=Now(), editable=False)
    last_error = models.TextField(_("last error"), blank=True, default="", editable=False)

    objects = LeasedQuerySet.as_manager()

    class Meta:
        abstract = True

    def _held(self) -> LeasedQuerySet[Self]:
        manager = type(self)._default_manager
        return manager.filter(  # type: ignore[return-value]
            pk=self.pk, lease_token=self.lease_token, state=self.State.LEASED
        )

    def finish(self, state: State = State.DONE, **changes: Any) -> bool:
        """End the work with this state; False: the lease was lost, so nothing was changed.

        ``changes`` are written in the same UPDATE, and only if the lease is still held.
        """
        ended = {"lease_token": None, "lease_until": None, "leased_by": "", "state": state}
        # The caller's last word may be that the row goes on: a further step, pending again.
        return bool(self._held().update(**{**ended, **changes}))

    def note(self, **changes: Any) -> bool:
        """Write changes while the work goes on; False: the lease was lost."""
        return bool(self._held().update(**changes))

    def hand_back(self, *, error: str = "", pause_seconds: float = 0.0) -> bool:
        """Return the work untouched, the attempt not counted: not its fault that it stopped."""
        return self.finish(
            self.State.PENDING,
            attempts=Case(When(attempts__gt=0, then=F("attempts") - 1), default=0),
            not_before=in_seconds(pause_seconds),
            last_error=error,
        )


def lease_index(name: str) -> list[models.Index]:
    """Return the indexes that claiming and expiring need: few rows of a large table."""
    return [
        models.Index(
            fields=["not_before"],
            condition=Q(state=LeasedWork.State.PENDING),
            name=f"{name}_pending",
        ),
        models.Index(
            fields=["lease_until"],
            condition=Q(state=LeasedWork.State.LEASED),
            name=f"{name}_leased",
        ),
    ]
