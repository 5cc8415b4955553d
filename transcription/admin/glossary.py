"""The glossary: one's own terms, and for those who may, the terms for everybody."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from transcription.admin.common import CappedPaginator
from transcription.admin.own_rows import OwnRowsAdmin, is_superuser
from transcription.admin.receivers import validation_error
from transcription.models import GlossaryTerm
from transcription.services import glossary
from transcription.services.errors import ServiceError


class TermForm(forms.ModelForm):
    """Has the term judged as the API has it."""

    class Meta:
        model = GlossaryTerm
        fields = ["owner", "term", "language", "note", "is_active"]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.errors or cleaned is None:
            return cleaned
        is_new = self.instance._state.adding
        owner = cleaned.get("owner") if is_new else self.instance.owner
        values = {name: cleaned[name] for name in ("term", "language")}
        try:
            cleaned.update(glossary.checked(owner, values, None if is_new else self.instance))
        except ServiceError as error:
            raise validation_error(error) from error
        return cleaned


class ForWhom(admin.SimpleListFilter):
    """Terms of people, or those for everybody."""

    title = _("for whom")
    parameter_name = "for"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("all", _("everybody")), ("mine", _("me"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset.filter(owner__isnull=True)
        if self.value() == "mine":
            return queryset.filter(owner_id=request.user.pk)
        return queryset


@admin.register(GlossaryTerm)
class GlossaryTermAdmin(OwnRowsAdmin):
    """Superusers see and make everybody's terms; other staff their own and those for all."""

    form = TermForm
    list_display = ("term", "owner_or_all", "language", "note", "is_active", "created_at")
    list_filter = (ForWhom, "is_active")
    list_select_related = ("owner",)
    search_fields = ("term", "note", "owner__username")
    show_full_result_count = False
    paginator = CappedPaginator

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = admin.ModelAdmin.get_queryset(self, request)
        if is_superuser(request):
            return rows
        return rows.filter(Q(owner__isnull=True) | Q(owner_id=request.user.pk))

    def get_readonly_fields(self, request: HttpRequest, obj: GlossaryTerm | None = None) -> Any:
        return ("owner",) if obj else ()

    @admin.display(description=_("owner"), ordering="owner")
    def owner_or_all(self, row: GlossaryTerm) -> str:
        return row.owner.get_username() if row.owner else str(_("everybody"))
