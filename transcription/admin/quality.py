"""``/admin/transcription/quality/``: how good each model is, by what people made of its texts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from transcription.admin.common import ReadOnlyAdmin
from transcription.models import ReviewScore
from transcription.services import quality
from transcription.services.language_names import language_name


@admin.register(ReviewScore)
class ReviewScoreAdmin(ReadOnlyAdmin):
    """One page instead of a list: the entry of the admin's index leads to it."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return redirect("quality")


def quality_page(request: HttpRequest) -> HttpResponse:
    """The table, for staff who may see the scores."""
    user = request.user
    if not (isinstance(user, User) and user.has_perm("transcription.view_reviewscore")):
        raise PermissionDenied
    rows = [
        {
            "one": one,
            "language": _language(one.language),
            "percent": None if one.rate is None else one.rate * 100,
            "unchanged_percent": one.unchanged_share * 100,
        }
        for one in quality.table()
    ]
    return TemplateResponse(
        request,
        "admin/transcription/quality.html",
        {
            **admin.site.each_context(request),
            "title": _("Quality by reviews"),
            "rows": rows,
            "waiting": quality.waiting(),
        },
    )


def _language(code: str) -> str:
    if not code:
        return _("no speech")
    return language_name(code)
