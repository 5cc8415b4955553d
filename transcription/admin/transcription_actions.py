"""What is done with the transcriptions that somebody chose in the list."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from transcription.admin.common import actor_of, log
from transcription.admin.streaming import sent_as_file
from transcription.models import Transcription
from transcription.services import audit, change, export, review
from transcription.services.errors import ServiceError
from transcription.services.remove import remove, remove_audio
from transcription.services.revisions import By
from transcription.text.table import CSV_MEDIA_TYPE

logger = logging.getLogger(__name__)

#: Transcriptions that one action changes: more would take longer than a browser waits.
MOST_CHANGED = 1_000
#: Transcriptions that one file is made of.
MOST_EXPORTED = 10_000
#: Names that are shown before so many are deleted.
MOST_NAMED = 20

_Rows = QuerySet[Transcription]


def _exporting(format_name: str, label: Any) -> Any:
    @admin.action(description=label, permissions=["view"])
    def export_as(
        page: TranscriptionActions, request: HttpRequest, queryset: _Rows
    ) -> HttpResponseBase | None:
        return page.export(request, queryset, format_name)

    export_as.__name__ = f"export_{format_name}"
    return export_as


def _approve(row: Transcription, by: By) -> bool:
    if row.review_state == Transcription.ReviewState.APPROVED:
        return False
    review.set_state(row, by, Transcription.ReviewState.APPROVED)
    return True


class TranscriptionActions(admin.ModelAdmin):
    """The actions of the list of transcriptions."""

    actions = (
        "retry",
        "cancel",
        "approve",
        "export_txt",
        "export_srt",
        "export_vtt",
        "export_json",
        "export_docx",
        "export_csv",
        "delete_audio",
        "delete_for_good",
    )

    def has_remove_permission(self, request: HttpRequest) -> bool:
        """Whoever may delete transcriptions by his account. Not Django's own permission: its pages
        would leave the files behind."""
        user = request.user
        return bool(user.is_active and user.has_perm("transcription.delete_transcription"))

    @admin.action(description=gettext_lazy("Retry (failed or cancelled)"), permissions=["change"])
    def retry(self, request: HttpRequest, queryset: _Rows) -> None:
        self._for_each(
            request,
            queryset,
            change.retry,
            lambda count: ngettext(
                "%d transcription was started again.",
                "%d transcriptions were started again.",
                count,
            ),
        )

    @admin.action(
        description=gettext_lazy("Cancel (keeps the text so far)"), permissions=["change"]
    )
    def cancel(self, request: HttpRequest, queryset: _Rows) -> None:
        self._for_each(
            request,
            queryset,
            change.cancel,
            lambda count: ngettext(
                "%d transcription was cancelled.", "%d transcriptions were cancelled.", count
            ),
        )

    @admin.action(description=gettext_lazy("Approve the text"), permissions=["change"])
    def approve(self, request: HttpRequest, queryset: _Rows) -> None:
        self._for_each(
            request,
            queryset,
            lambda row: _approve(row, By(user=request.user)),  # type: ignore[arg-type]
            lambda count: ngettext(
                "The text of %d transcription was approved.",
                "The texts of %d transcriptions were approved.",
                count,
            ),
        )

    export_txt = _exporting("txt", gettext_lazy("Export as text (txt)"))
    export_srt = _exporting("srt", gettext_lazy("Export as subtitles (srt)"))
    export_vtt = _exporting("vtt", gettext_lazy("Export as subtitles (vtt)"))
    export_json = _exporting("json", gettext_lazy("Export with times (json)"))
    export_docx = _exporting("docx", gettext_lazy("Export for Word (docx)"))
    export_csv = _exporting("csv", gettext_lazy("Export as one table (csv)"))

    @admin.action(
        description=gettext_lazy("Delete the audio, keep the text"), permissions=["change"]
    )
    def delete_audio(self, request: HttpRequest, queryset: _Rows) -> HttpResponse | None:
        """Ask first: what is deleted does not come back."""
        if request.POST.get("sure"):
            by = actor_of(request)
            self._for_each(
                request,
                queryset,
                lambda row: remove_audio(row, by),
                lambda count: ngettext(
                    "The audio of %d transcription was deleted.",
                    "The audio of %d transcriptions was deleted.",
                    count,
                ),
            )
            return None
        return self._asked(
            request,
            queryset,
            "delete_audio",
            title=_("Delete the audio, keep the text"),
            what=lambda count: ngettext(
                "The recording of %(count)d transcription is deleted from the disk, for good. "
                "Its text is kept.",
                "The recordings of %(count)d transcriptions are deleted from the disk, for good. "
                "Their texts are kept.",
                count,
            ),
            then=_("They cannot be played, reviewed by ear or recognised again afterwards."),
            yes=_("Yes, delete the audio"),
        )

    @admin.action(description=gettext_lazy("Delete for good, the text too"), permissions=["remove"])
    def delete_for_good(self, request: HttpRequest, queryset: _Rows) -> HttpResponse | None:
        """Ask first: what is deleted does not come back."""
        if request.POST.get("sure"):
            by = actor_of(request)
            self._for_each(
                request,
                queryset,
                lambda row: remove(row, by),
                lambda count: ngettext(
                    "%d transcription was deleted for good.",
                    "%d transcriptions were deleted for good.",
                    count,
                ),
                # The audit has it; the admin's own log would keep the titles.
                logged=False,
            )
            return None
        return self._asked(
            request,
            queryset,
            "delete_for_good",
            title=_("Delete for good, the text too"),
            what=lambda count: ngettext(
                "%(count)d transcription is deleted with its recording, its text and its reviews.",
                "%(count)d transcriptions are deleted with their recordings, texts and reviews.",
                count,
            ),
            then=_("What is still being worked on is stopped. Nobody can bring them back."),
            yes=_("Yes, delete them for good"),
        )

    def _asked(
        self,
        request: HttpRequest,
        queryset: _Rows,
        action: str,
        *,
        title: str,
        what: Callable[[int], str],
        then: str,
        yes: str,
    ) -> HttpResponse | None:
        """Return the page that says what will be deleted, and asks; None: they are too many."""
        if self._are_too_many(request, queryset, MOST_CHANGED):
            return None
        rows = queryset.defer(*Transcription.HEAVY_FIELDS)
        count = rows.order_by().count()
        named = list(rows[:MOST_NAMED])
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "what": what(count) % {"count": count},
            "then": then,
            "yes": yes,
            "action": action,
            "opts": self.opts,
            "media": self.media,
            "named": named,
            "unnamed": count - len(named),
            "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "across": request.POST.get("select_across", "0"),
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/transcription/delete_chosen.html", context)

    def export(
        self, request: HttpRequest, queryset: _Rows, format_name: str
    ) -> HttpResponseBase | None:
        """Send one transcript as itself, several in a ZIP, a table always as one file."""
        if self._are_too_many(request, queryset, MOST_EXPORTED):
            return None
        by = actor_of(request)
        chosen = list(queryset.values_list("pk", "owner__username", "status"))
        ids = [pk for pk, _owner, _status in chosen]
        stem = f"transcriptions-{timezone.localtime():%Y%m%d-%H%M}"
        if format_name == "csv":
            audit.note_exported_together([one[:2] for one in chosen], by, format_name)
            return sent_as_file(
                request,
                export.table(ids),
                name=f"{stem}.csv",
                content_type=f"{CSV_MEDIA_TYPE}; charset=utf-8",
            )
        with_text = {pk: owner for pk, owner, status in chosen if status in export.WITH_TEXT}
        if not with_text:
            self.message_user(
                request, _("None of these has a text that could be exported."), messages.WARNING
            )
            return None
        if len(ids) == 1:
            row = queryset.get()
            response = HttpResponse(
                export.rendered(row, format_name), content_type=export.media_type_of(format_name)
            )
            response.headers["Content-Disposition"] = (
                content_disposition_header(True, export.file_name(row, format_name)) or "attachment"
            )
            response.headers["Cache-Control"] = "private, no-store"
            audit.note_exported(row, by, format_name)
            return response
        audit.note_exported_together(with_text.items(), by, format_name)
        return sent_as_file(
            request,
            export.archive(ids, format_name, only=with_text),
            name=f"{stem}-{format_name}.zip",
            content_type="application/zip",
        )

    def _are_too_many(self, request: HttpRequest, rows: _Rows, most: int) -> bool:
        if rows.order_by()[: most + 1].count() <= most:
            return False
        words = _("That are more than %(most)s, which is the most at once. Narrow the list first.")
        self.message_user(request, words % {"most": f"{most:,}"}, messages.ERROR)
        return True

    def _for_each(
        self,
        request: HttpRequest,
        rows: _Rows,
        do: Callable[[Transcription], object],
        done_words: Callable[[int], str],
        *,
        logged: bool = True,
    ) -> None:
        """Call a service for each row; say and log for which it did it, and which it refused."""
        if self._are_too_many(request, rows, MOST_CHANGED):
            return
        done: list[Transcription] = []
        refused: list[str] = []
        for row in rows.defer(*Transcription.HEAVY_FIELDS):
            try:
                changed = do(row)
            except ServiceError as error:
                refused.append(_("%(name)s: %(why)s") % {"name": row, "why": error.words()})
            except OSError as error:
                # One file that cannot be deleted does not keep the others.
                logger.exception("Nothing could be done to %s.", row.pk)
                why = error.strerror or type(error).__name__
                refused.append(_("%(name)s: %(why)s") % {"name": row, "why": why})
            else:
                # A service that says False found nothing to do.
                if changed is not False:
                    done.append(row)
        if done:
            words = done_words(len(done)) % len(done)
            self.message_user(request, words, messages.SUCCESS)
            if logged:
                log(request, done, done_words(1) % 1)
        elif not refused:
            self.message_user(request, _("There was nothing to do."), messages.INFO)
        if refused:
            words = ngettext(
                "%(count)d was left as it is: %(why)s",
                "%(count)d were left as they are: %(why)s",
                len(refused),
            )
            # The first few say what the trouble is; a page of them says no more.
            facts = {"count": len(refused), "why": " | ".join(refused[:3])}
            self.message_user(request, words % facts, messages.WARNING)
