"""Pages for everybody with an account: send in recordings, follow them, look for old ones."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, JsonResponse
from django.http.response import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from transcription.models import SpeechModel, Transcription
from transcription.services import audit, change, queue, retention, review, search
from transcription.services.access import known_to
from transcription.services.errors import ServiceError, error_message
from transcription.services.language_names import language_name
from transcription.services.remove import remove
from transcription.text.languages import LANGUAGES
from transcription.web.ranges import send_file
from transcription.web.words import home_words

PAGE_SIZE = 20
SAMPLES = {"english.wav": gettext_lazy("English"), "chinese.wav": gettext_lazy("Chinese")}
DOWNLOADS = ("txt", "srt", "vtt", "tsv", "json", "docx")
Status = Transcription.Status


def rows_for(request: HttpRequest) -> QuerySet[Transcription]:
    """Return what this visitor may open."""
    return known_to(request.user, Transcription.objects.select_related("owner"))


@login_required
@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Drop files or record; what was sent is followed on the same page."""
    return render(
        request,
        "pages/home.html",
        {
            "words": home_words(),
            "languages": language_choices(),
            "models": SpeechModel.objects.filter(enabled=True).values_list("name", "title"),
            "downloads": DOWNLOADS,
            "samples": SAMPLES.items(),
        },
    )


def language_choices() -> list[tuple[str, str]]:
    """Return (code, name in the reader's language) for the drop-down, by name."""
    return sorted(((code, language_name(code)) for code in LANGUAGES), key=lambda one: one[1])


class HistoryForm(forms.Form):
    """What the history is narrowed to."""

    search = forms.CharField(
        required=False,
        max_length=200,
        label=gettext_lazy("Search"),
        widget=forms.TextInput(attrs={"type": "search"}),
    )
    status = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Status"),
        choices=[("", gettext_lazy("all")), *Status.choices],
    )
    everybody = forms.BooleanField(required=False, label=gettext_lazy("Everybody's"))
    before = forms.CharField(required=False, widget=forms.HiddenInput)


@login_required
@never_cache
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """List one's recordings, the newest first, by pages that cost the same however old."""
    assert isinstance(request.user, User)
    form = HistoryForm(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    rows: QuerySet[Transcription] = Transcription.objects.select_related("owner")
    rows = rows.defer(*Transcription.HEAVY_FIELDS)
    owner_id = None if request.user.is_staff and wanted.get("everybody") else request.user.pk
    if owner_id is not None:
        rows = rows.filter(owner=owner_id)
    if wanted.get("status"):
        rows = rows.filter(status=wanted["status"])
    if wanted.get("search"):
        rows = rows.filter(pk__in=search.find(wanted["search"], owner_id=owner_id))
    if wanted.get("before"):
        rows = _older_than(rows, wanted["before"])
    found = list(rows.order_by("-created_at", "-id")[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    query = request.GET.copy()
    query.pop("before", None)
    older = ""
    if len(found) > PAGE_SIZE:
        query["before"] = f"{shown[-1].created_at.isoformat()}_{shown[-1].pk}"
        older = f"{reverse('history')}?{query.urlencode()}"
    template = (
        "pages/history_rows.html" if "HX-Request" in request.headers else "pages/history.html"
    )
    response = render(
        request,
        template,
        {
            "form": form,
            "rows": shown,
            "older": older,
            "is_first": not wanted.get("before"),
            "everybody": owner_id is None,
        },
    )
    response.headers["Vary"] = "HX-Request"
    return response


def _older_than(rows: QuerySet[Transcription], mark: str) -> QuerySet[Transcription]:
    """Keep what comes after this row in the order of the list; a mark that is none shows all."""
    moment, _sign, row_id = mark.rpartition("_")
    try:
        created_at, pk = datetime.fromisoformat(moment), uuid.UUID(row_id)
        if created_at.tzinfo is None:
            return rows
        # Databases keep UTC, in which the first and the last day of all have no such moment.
        created_at = created_at.astimezone(UTC)
    except (ValueError, OverflowError):
        return rows
    # The first condition is what the index is read by.
    return rows.filter(created_at__lte=created_at).filter(
        Q(created_at__lt=created_at) | Q(pk__lt=pk)
    )


@login_required
@never_cache
@require_safe
def transcription(request: HttpRequest, row_id: uuid.UUID) -> HttpResponse:
    """A recording's own page: how far it is, and its text, to read, hear and correct."""
    row = get_object_or_404(rows_for(request), pk=row_id)
    return render(
        request,
        "pages/transcription.html",
        {
            "transcription": row,
            "words": home_words(),
            "downloads": DOWNLOADS,
            "error": error_message(row) if row.error_code else "",
            "kept_until": retention.kept_until(row),
            "audio_kept_until": retention.audio_kept_until(row),
            "can_be_read": review.is_reviewable(row),
            "can_be_retried": row.status in (Status.FAILED, Status.CANCELLED) and row.audio.name,
        },
    )


@login_required
@never_cache
@require_safe
def place(request: HttpRequest, row_id: uuid.UUID) -> JsonResponse:
    """How many recordings wait before this one; null: it does not wait."""
    row = get_object_or_404(rows_for(request).defer(*Transcription.HEAVY_FIELDS), pk=row_id)
    return JsonResponse({"before": queue.recordings_before(row)})


@login_required
@require_POST
def act(request: HttpRequest, row_id: uuid.UUID, verb: str) -> HttpResponse:
    """Cancel, retry, rename or delete; says what came of it on the next page."""
    row = get_object_or_404(rows_for(request), pk=row_id)
    there = redirect("transcription-page", row.pk)
    try:
        if verb == "cancel":
            change.cancel(row)
            messages.success(request, _("It is cancelled. What was recognised is kept."))
        elif verb == "retry":
            change.retry(row)
            messages.success(request, _("It is started again."))
        elif verb == "rename":
            change.rename(row, request.POST.get("title", "").strip()[:200])
        elif verb == "delete":
            name = str(row)
            remove(row, audit.Actor.of(request.user, audit.Via.PAGE))
            messages.success(request, _("“%(name)s” is deleted for good.") % {"name": name})
            return redirect("history")
        else:
            raise Http404
    except ServiceError as error:
        messages.error(request, error.words())
    return there


@login_required
@require_safe
def sample(request: HttpRequest, name: str) -> HttpResponseBase:
    """A recording to try."""
    if name not in SAMPLES:
        raise Http404
    path = Path(settings.BASE_DIR, "samples", name)
    return send_file(request, path, content_type="audio/wav", file_name=name, etag=f'"{name}"')
