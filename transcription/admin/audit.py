"""The audit: who deleted, exported and revoked what. To be looked at by those who may."""

from __future__ import annotations

import uuid

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from transcription.admin.common import ReadOnlyAdmin, two_lines
from transcription.admin.transcription_filters import CreatedFilter
from transcription.models import AuditEntry


class DaysFilter(CreatedFilter):
    """The days on which it was done."""

    title = _("day")
    field = "at"


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """A list that stays quick at a million rows: whatever it is narrowed to has an index."""

    list_display = ("at", "who_and_how", "what", "of_what", "owner_name", "count")
    list_display_links = ("at",)
    list_filter = (DaysFilter, "action", "via")
    list_per_page = 50
    sortable_by = ("at",)
    show_facets = admin.ShowFacets.NEVER
    # Not looked at but for the box to be there.
    search_fields = ("object_id",)
    search_help_text = _(
        "The whole id of a transcription or a token, or the whole name of whoever did it."
    )
    fields = (
        "at",
        ("who", "via", "token_name"),
        ("action", "detail"),
        ("object_type", "object_id", "owner_name"),
        ("batch", "count"),
        "request_id",
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(object_id=str(uuid.UUID(term))), False
        except ValueError:
            pass  # a token's number, or a name
        # One or the other, so that each goes along its index. Names made of digits are rare.
        of_object = queryset.filter(object_id=term)
        if term.isdecimal() and of_object.exists():
            return of_object, False
        return queryset.filter(actor_name=term), False

    @admin.display(description=_("who"))
    def who_and_how(self, row: AuditEntry) -> str:
        by_way_of = ", ".join(filter(None, (row.get_via_display(), row.token_name)))
        return two_lines(self.who(row) or "–", by_way_of)

    @admin.display(description=_("what"))
    def what(self, row: AuditEntry) -> str:
        return two_lines(row.get_action_display(), row.detail)

    @admin.display(description=_("id"))
    def of_what(self, row: AuditEntry) -> str:
        return two_lines(row.object_id, row.get_object_type_display())

    @admin.display(description=_("who"), ordering="actor_name", empty_value="–")
    def who(self, row: AuditEntry) -> str | None:
        if row.actor_name:
            return row.actor_name
        return str(_("the service")) if row.via == row.Via.RETENTION else None
