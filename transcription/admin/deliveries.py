"""Messages to webhooks and bots: what became of them."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from transcription.admin.common import CappedPaginator
from transcription.admin.receivers import do_for_each
from transcription.models import Delivery
from transcription.services import webhooks
from transcription.services.errors import delivery_error_message


@admin.register(Delivery)
class DeliveryAdmin(admin.ModelAdmin):
    """Only the machine writes them; a person may have one sent again, or delete it: then it is
    not sent any more. (An endpoint or a bot could not be deleted without its messages.)"""

    show_full_result_count = False
    paginator = CappedPaginator

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

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Whoever may change messages by his account: nothing else of them can be changed."""
        user = request.user
        return bool(user.is_active and user.has_perm("transcription.change_delivery"))

    @admin.display(description=_("message id"))
    def message_id(self, row: Delivery) -> str:
        return row.message_id

    @admin.display(description=_("error"))
    def error(self, row: Delivery) -> str:
        if not row.error_code:
            return "–"
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
