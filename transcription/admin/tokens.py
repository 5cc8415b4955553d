"""API tokens: made, named, revoked. A token itself is shown once."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from transcription.admin.common import LabelledTimes, actor_of
from transcription.admin.own_rows import OwnRowsAdmin
from transcription.models import ApiToken
from transcription.services import tokens


@admin.register(ApiToken)
class ApiTokenAdmin(LabelledTimes, OwnRowsAdmin):
    """Superusers see and make everybody's; other staff their own, or a token of a superuser
    would be theirs for the asking."""

    owner_field = "user"

    list_display = (
        "name",
        "shown",
        "user",
        "scope",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    list_filter = ("scope",)
    list_select_related = ("user",)
    search_fields = ("name", "user__username", "shown")
    fields = ("user", "name", "scope", "expires_at")
    actions = ("revoke",)
    show_full_result_count = False

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        if obj is None:
            return self.fields
        return (*self.get_readonly_fields(request, obj), "name", "expires_at")

    def get_readonly_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        if obj is None:
            return ()
        # Whoever holds the token relies on what it was made for.
        return ("shown", "user", "scope", "created_at", "last_used_at", "revoked_at")

    def save_model(
        self, request: HttpRequest, obj: ApiToken, form: ModelForm[ApiToken], change: bool
    ) -> None:
        if change:
            tokens.change(obj, actor_of(request))
            return
        row, token = tokens.create(
            obj.user, name=obj.name, scope=obj.scope, expires_at=obj.expires_at
        )
        # The admin goes on with its own object: to the log, and to the next page.
        obj.pk, obj.shown = row.pk, row.shown
        self.message_user(
            request,
            format_html(
                gettext("The token is <code>{}</code>. Copy it now: it is not shown again."), token
            ),
            messages.WARNING,
        )

    def delete_model(self, request: HttpRequest, obj: ApiToken) -> None:
        tokens.delete(ApiToken.objects.filter(pk=obj.pk), actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        tokens.delete(queryset, actor_of(request))

    @admin.action(description=_("Revoke"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        count = sum(tokens.revoke(row, actor_of(request)) for row in queryset)
        words = ngettext("%d token was revoked.", "%d tokens were revoked.", count)
        self.message_user(request, words % count, messages.SUCCESS)
