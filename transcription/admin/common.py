"""What several admin pages share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.paginator import Paginator
from django.db import models
from django.forms import Field
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from transcription.services import audit

#: Rows that a list counts; nobody pages further, and counting a million takes seconds. Of more
#: the list says that they are more (``templates/admin/transcription/pagination.html``).
COUNT_LIMIT = 10_000


class CappedPaginator(Paginator):
    """Counts no further than ``COUNT_LIMIT``: there the pages end. Filters reach the rest."""

    @cached_property
    def _seen(self) -> int:
        rows = self.object_list
        if not isinstance(rows, models.QuerySet):
            return len(rows)
        return rows.order_by()[: COUNT_LIMIT + 1].count()

    @cached_property
    def count(self) -> int:
        return min(self._seen, COUNT_LIMIT) if self.is_capped else self._seen

    @property
    def is_capped(self) -> bool:
        """Whether there are more rows than it counts."""
        return isinstance(self.object_list, models.QuerySet) and self._seen > COUNT_LIMIT


class LabelledTimes(admin.ModelAdmin):
    """Names the two fields of a moment for those who cannot see them: Django's have no label."""

    def formfield_for_dbfield(
        self, db_field: models.Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Field | None:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(field.widget, AdminSplitDateTime):
            day, time = field.widget.widgets
            day.attrs["aria-label"] = gettext("%(field)s: date") % {"field": field.label}
            time.attrs["aria-label"] = gettext("%(field)s: time") % {"field": field.label}
        return field


def actor_of(request: HttpRequest) -> audit.Actor:
    """Return who uses the admin, for the audit."""
    return audit.Actor.of(request.user, audit.Via.ADMIN)


def moment_in_words(moment: datetime) -> str:
    """Return a moment as the reader's language and the time zone of the service write it."""
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT")


def log(request: HttpRequest, rows: Sequence[models.Model], words: str) -> None:
    """Write down who did what, for the history of the rows and the recent actions."""
    LogEntry.objects.log_actions(cast(int, request.user.pk), rows, CHANGE, words)


def two_lines(first: object, second: object) -> SafeString:
    """Return a cell of a list with a second, quieter line."""
    return format_html("{}<br><small>{}</small>", first, second)


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows that only the machine writes: to be looked at."""

    show_full_result_count = False
    paginator = CappedPaginator
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False
