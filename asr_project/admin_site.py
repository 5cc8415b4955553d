"""The admin as people find it: what belongs together stands together, the engine room first."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, reverse
from django.utils.translation import gettext_lazy as _

#: Heading -> models by their class, in the order in which they are shown. A model of ours that is
#: named nowhere stands under the first heading.
SECTIONS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (_("Recordings and texts"), ("Transcription", "GlossaryTerm", "ReviewScore", "Chunk")),
    (_("Engines"), ("SpeechModel", "Worker")),
    (_("Messages to others"), ("WebhookEndpoint", "Bot", "Delivery")),
    (_("People and access"), ("User", "Group", "ApiToken", "UserLimits")),
)
#: Apps whose models the headings take in.
OURS = frozenset({"transcription", "auth"})


class ServiceAdminSite(AdminSite):
    """Django's admin with the engine room, and an index by subject."""

    site_header = site_title = _("Speech recognition")
    index_title = _("What would you like to look after?")

    def get_urls(self) -> list[URLPattern | URLResolver]:
        # Not before now: the views belong to the app, and the apps are being loaded while this is.
        from transcription.admin.engine_room import urls

        return [*urls(self), *super().get_urls()]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        if app_label is not None:
            return super().get_app_list(request, app_label)
        found = super().get_app_list(request)
        models = [
            {**model, "app": app}
            for app in found
            if app["app_label"] in OURS
            for model in app["models"]
        ]
        sections: list[dict[str, Any]] = []
        for heading, names in SECTIONS:
            is_first = not sections
            mine = [one for one in models if one["object_name"] in names]
            mine.sort(key=lambda one: names.index(one["object_name"]))
            if is_first:
                known = {name for _heading, section in SECTIONS for name in section}
                mine += [one for one in models if one["object_name"] not in known]
            sections.append(_section(heading, mine))
        from transcription.admin.engine_room import may_look

        if may_look(request):
            sections[1] = _section(_("Engines"), [_engine_room(), *sections[1]["models"]])
        others = [app for app in found if app["app_label"] not in OURS]
        return [section for section in sections if section["models"]] + others


def _section(heading: Any, models: list[dict[str, Any]]) -> dict[str, Any]:
    # The heading leads to the list of the app that most of it is of.
    app = models[0].get("app") if models else None
    return {
        "name": heading,
        "app_label": app["app_label"] if app else "transcription",
        "app_url": app["app_url"] if app else reverse("admin:app_list", args=["transcription"]),
        "has_module_perms": True,
        "models": models,
    }


def _engine_room() -> dict[str, Any]:
    return {
        "name": _("Engine room"),
        "object_name": "EngineRoom",
        "perms": {"view": True},
        "admin_url": reverse("admin:engine_room"),
        "add_url": None,
        "view_only": True,
    }


class ServiceAdminConfig(AdminConfig):
    """The admin app with our site in it."""

    default_site = "asr_project.admin_site.ServiceAdminSite"

    def ready(self) -> None:
        super().ready()
        # Of the queue's own rows there is nothing to see: the bell names no recording. All that
        # is to be known of the queue is in the engine room.
        from django.contrib import admin

        for model in apps.get_app_config("django_q").get_models():
            if admin.site.is_registered(model):
                admin.site.unregister(model)
