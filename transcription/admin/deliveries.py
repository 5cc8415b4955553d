"""Messages to webhooks and bots: what became of them."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from transcription.admin.common import ReadOnlyAdmin
from transcription.admin.receivers import do_for_each
from transcription.models import Delivery
from transcription.services import webhooks
from transcription.services.errors import delivery_error_message


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """Only the machine writes them; a person may have one sent again."""

    list_display = (
        "created_at",
        "event",
        "kind",
        "destination",
        "owner",
        "state",
        "tries",
        "http_status",
        "error",
    )
    list_filter = ("state", "kind", "event")
    list_select_related = ("owner",)
    list_per_page = 50
    actions = ("replay",)
    # The address of a callback is not shown: its path or query may be a secret.
    fields = (
        "id",
        "message_id",
        ("event", "kind", "destination"),
        ("owner", "transcription", "endpoint", "bot"),
        ("state", "tries", "attempts"),
        ("created_at", "not_before", "delivered_at"),
        ("http_status", "error"),
        "last_error",
        "answer",
        "payload",
    )
    readonly_fields = ("message_id", "error")

    def has_replay_permission(self, request: HttpRequest) -> bool:
        # Rows are written by the machine alone, so the right to change them is given to nobody
        # by ReadOnlyAdmin; who has it by his account may replay.
        user = request.user
        return bool(user.is_active and user.has_perm("transcription.change_delivery"))

    @admin.display(description=_("error"), empty_value="–")
    def error(self, row: Delivery) -> str | None:
        if not row.error_code:
            return None
        return delivery_error_message(
            row.error_code, status=row.http_status, detail=row.last_error, answer=row.answer
        )

    @admin.action(description=_("Send again, under the same id"), permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        do_for_each(
            self,
            request,
            queryset.select_related("endpoint", "bot"),
            webhooks.replay,
            lambda count: (
                ngettext("%d message is sent again.", "%d messages are sent again.", count) % count
            ),
        )
