"""Robots of group chats, as staff set them up."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from transcription.admin.receivers import EventsField, do_for_each, validation_error
from transcription.models import Bot
from transcription.services import bots
from transcription.services.errors import ServiceError


class BotForm(forms.ModelForm):
    """Takes the address and the secret, and never shows them again."""

    events = EventsField()
    address = forms.CharField(
        label=_("address"),
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "size": 80}),
        help_text=_(
            "The robot's webhook address as its platform shows it. For Apprise, an Apprise "
            "address: Apprise opens its own connections, to wherever that says, private hosts "
            "included; the guard that webhooks go through does not see them. "
            "Not shown again; left empty, it stays as it is."
        ),
    )
    secret = forms.CharField(
        label=_("secret"),
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "size": 80}),
        help_text=_(
            "DingTalk and Feishu: the secret of the robot's signature, if it has one. WeCom and "
            "Apprise have none. Not shown again; left empty, it stays as it is."
        ),
    )
    forget_secret = forms.BooleanField(
        label=_("forget the secret"), required=False, help_text=_("The robot signs no more.")
    )

    class Meta:
        model = Bot
        fields = ["name", "kind", "owner", "events", "include_excerpt", "enabled"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        kind, address = cleaned.get("kind"), cleaned.get("address")
        if not address and (self.instance._state.adding or "kind" in self.changed_data):
            self.add_error("address", _("Enter the address."))
        elif address and kind:
            try:
                cleaned["address"] = bots.checked_address(kind, address)
            except ServiceError as error:
                self.add_error("address", validation_error(error))
        if cleaned.get("secret") and kind not in bots.SIGNING_KINDS:
            self.add_error("secret", _("Robots of this kind do not sign."))
        return cleaned


@admin.register(Bot)
class BotAdmin(admin.ModelAdmin):
    """A robot's address is its password, so lists and pages show its host alone."""

    form = BotForm
    list_display = ("name", "kind", "shown_host", "owner", "include_excerpt", "enabled")
    list_filter = ("kind", "enabled")
    list_select_related = ("owner",)
    search_fields = ("name",)
    actions = ("test",)
    fields = (
        "name",
        "kind",
        "shown_host",
        "address",
        "secret",
        "forget_secret",
        "owner",
        "events",
        "include_excerpt",
        "enabled",
    )
    readonly_fields = ("shown_host",)

    def save_model(self, request: HttpRequest, obj: Bot, form: Any, change: bool) -> None:
        if form.cleaned_data["address"]:
            obj.set_address(form.cleaned_data["address"])
        if form.cleaned_data["forget_secret"]:
            obj.set_secret("")
        elif form.cleaned_data["secret"]:
            obj.set_secret(form.cleaned_data["secret"])
        super().save_model(request, obj, form, change)

    @admin.action(description=_("Send a test message"), permissions=["change"])
    def test(self, request: HttpRequest, queryset: QuerySet[Bot]) -> None:
        do_for_each(
            self,
            request,
            queryset,
            bots.send_test,
            lambda count: (
                ngettext(
                    "%d test message was entered; see the deliveries for what comes of it.",
                    "%d test messages were entered; see the deliveries for what comes of them.",
                    count,
                )
                % count
            ),
        )
