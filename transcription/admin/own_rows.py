"""Rows that belong to somebody: superusers see everybody's, other staff their own."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import ForeignKey, QuerySet
from django.http import HttpRequest


class OwnRowsAdmin(admin.ModelAdmin):
    """For rows that would give away another's recordings to whoever may see or make them."""

    #: The field that names whose the row is.
    owner_field = "owner"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        if is_superuser(request):
            return rows
        return rows.filter(**{self.owner_field: request.user.pk})

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == self.owner_field:
            users = User.objects.filter(is_active=True)
            kwargs["queryset"] = (
                users
                if is_superuser(request)
                else users.filter(username=request.user.get_username())
            )
            kwargs["initial"] = request.user.pk
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def is_superuser(request: HttpRequest) -> bool:
    """Return whether the request comes from a superuser."""
    return bool(getattr(request.user, "is_superuser", False))
