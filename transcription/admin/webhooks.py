"""Webhook endpoints in the admin: made, changed, tested, switched on and off."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from transcription.admin.common import CappedPaginator
from transcription.admin.own_rows import OwnRowsAdmin
from transcription.admin.receivers import EventsField, do_for_each, validation_error
from transcription.models import WebhookEndpoint
from transcription.models.webhook import host_of
from transcription.services import webhooks
from transcription.services.errors import ServiceError


class EndpointForm(forms.ModelForm):
    """Has the address judged as the API has it."""

    events = EventsField()

    class Meta:
        model = WebhookEndpoint
        fields = ["owner", "url", "description", "events", "include_text"]

    def clean_url(self) -> str:
        try:
            return webhooks.checked_url(self.cleaned_data["url"])
        except ServiceError as error:
            raise validation_error(error) from error

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        owner = self.cleaned_data.get("owner")
        if self.instance._state.adding and owner is not None:
            try:
                webhooks.require_room(owner)
            except ServiceError as error:
                raise validation_error(error) from error
        return cleaned


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(OwnRowsAdmin):
    """Superusers see and make everybody's; other staff their own: whoever may change another's
    endpoint is sent that one's texts."""

    form = EndpointForm
    list_display = ("name", "owner", "host", "include_text", "enabled", "off_reason", "created_at")
    list_filter = ("enabled",)
    list_select_related = ("owner",)
    search_fields = ("description", "owner__username")
    actions = ("test", "rotate_secret", "switch_on", "switch_off")
    show_full_result_count = False
    paginator = CappedPaginator

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> Any:
        return ("owner", "enabled", "off_reason", "created_at") if obj else ()

    def save_model(
        self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool
    ) -> None:
        values = {
            name: form.cleaned_data[name]
            for name in ("url", "description", "events", "include_text")
        }
        if change:
            webhooks.change_endpoint(obj, **values)
            return
        row, secret = webhooks.create_endpoint(obj.owner, **values)
        # The admin goes on with its own object: to the log, and to the next page.
        obj.pk = row.pk
        self._show(request, str(row), secret)

    @admin.display(description=_("name"))
    def name(self, row: WebhookEndpoint) -> str:
        return str(row)

    @admin.display(description=_("host"))
    def host(self, row: WebhookEndpoint) -> str:
        return host_of(row.url)

    @admin.action(description=_("Send a test message"), permissions=["change"])
    def test(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        do_for_each(
            self,
            request,
            queryset,
            webhooks.send_test,
            lambda count: (
                ngettext(
                    "%d test message was entered; see the deliveries for what comes of it.",
                    "%d test messages were entered; see the deliveries for what comes of them.",
                    count,
                )
                % count
            ),
        )

    @admin.action(
        description=_("Make a new secret (the old one signs for 24 hours more)"),
        permissions=["change"],
    )
    def rotate_secret(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        for row in queryset:
            self._show(request, str(row), webhooks.rotate_secret(row))

    @admin.action(description=_("Switch on"), permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        do_for_each(
            self,
            request,
            queryset,
            lambda row: webhooks.change_endpoint(row, enabled=True),
            lambda count: ngettext(
                "%d endpoint is on.", "%d endpoints are on.", count
            ) % count,
        )  # fmt: skip

    @admin.action(
        description=_("Switch off (drops the messages that wait)"), permissions=["change"]
    )
    def switch_off(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        do_for_each(
            self,
            request,
            queryset,
            webhooks.switch_off,
            lambda count: ngettext(
                "%d endpoint is off.", "%d endpoints are off.", count
            ) % count,
        )  # fmt: skip

    def _show(self, request: HttpRequest, name: str, secret: str) -> None:
        self.message_user(
            request,
            format_html(
                gettext("The secret of {} is <code>{}</code>. Copy it now: it is not shown again."),
                name,
                secret,
            ),
            messages.WARNING,
        )
