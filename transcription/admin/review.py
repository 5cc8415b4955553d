"""The reviewing page within the admin's frame."""

from __future__ import annotations

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from transcription.models import Transcription
from transcription.services.review import is_reviewable


class ReviewPageMixin(admin.ModelAdmin):
    """Gives the admin of transcriptions the page, and the link to it in the list."""

    change_form_template = "admin/transcription/transcription_change_form.html"

    def get_urls(self) -> list[URLPattern]:
        page = path(
            "<uuid:pk>/review/",
            self.admin_site.admin_view(self.review_page),
            name="transcription_transcription_review",
        )
        # Before Django's own, whose last one takes any path for an id.
        return [page, *super().get_urls()]

    def review_page(self, request: HttpRequest, pk: str) -> HttpResponse:
        """The text with its sound, to be changed in place; the scripts talk to the API."""
        row = get_object_or_404(Transcription.objects.defer(*Transcription.HEAVY_FIELDS), pk=pk)
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": _("Review"),
            "subtitle": str(row),
            "opts": self.opts,
            "transcription": row,
            "is_reviewable": is_reviewable(row),
        }
        return TemplateResponse(request, "admin/transcription/review.html", context)

    @admin.display(description=gettext_lazy("review"), empty_value="–")
    def review_link(self, row: Transcription) -> str | None:
        # Whether a cancelled one has a text would be a query for each row: its page says so.
        if row.status not in {row.Status.COMPLETED, row.Status.CANCELLED}:
            return None
        return format_html(
            '<a href="{}" aria-label="{}">{}</a>',
            reverse("admin:transcription_transcription_review", args=[row.pk]),
            _("Review %(name)s") % {"name": row},
            _("Review"),
        )
