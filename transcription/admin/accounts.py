"""Django's own pages of users and groups, with the permissions in the reader's language.

The database holds them in English, as "Can add chunk".
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from transcription.admin.common import LabelledTimes, actor_of
from transcription.models import ApiToken
from transcription.services import tokens

#: What the permissions that every model has allow.
ACTIONS = {
    "add": _("Can add %(name)s"),
    "change": _("Can change %(name)s"),
    "delete": _("Can delete %(name)s"),
    "view": _("Can view %(name)s"),
}


def in_words(permission: Permission) -> str:
    """Return what a permission allows, in the active language."""
    kind = permission.content_type
    model = kind.model_class()
    action = permission.codename.partition("_")[0]
    if model is None or action not in ACTIONS:
        return f"{kind} | {gettext(permission.name)}"
    return f"{kind} | {str(ACTIONS[action]) % {'name': model._meta.verbose_name}}"


class PermissionsField(forms.ModelMultipleChoiceField):
    """A choice of permissions."""

    def label_from_instance(self, obj: Any) -> str:
        return in_words(obj)


class WithPermissions(admin.ModelAdmin):
    """Offers the permissions by their words."""

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        if db_field.related_model is Permission:
            kwargs["form_class"] = PermissionsField
        return super().formfield_for_manytomany(db_field, request, **kwargs)


admin.site.unregister([User, Group])


@admin.register(User)
class OurUserAdmin(LabelledTimes, WithPermissions, UserAdmin):
    """Django's page of users. Their tokens end with them, which is entered in the audit."""

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        with transaction.atomic():
            tokens.delete(ApiToken.objects.filter(user=obj), actor_of(request))
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        with transaction.atomic():
            tokens.delete(ApiToken.objects.filter(user__in=queryset), actor_of(request))
            super().delete_queryset(request, queryset)


@admin.register(Group)
class OurGroupAdmin(WithPermissions, GroupAdmin):
    """Django's page of groups."""
