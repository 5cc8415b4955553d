"""The engine room: what the workers do, what waits, what came out, and the levers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from transcription.admin import engine_room_actions as actions
from transcription.admin.throughput_picture import Picture, picture
from transcription.services import engine_room, throughput
from transcription.services.engine_room import EngineRoom, ModelState


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What has become of a reload, for the person who asked for it."""

    #: "running", "done", "failed" or "waiting": for nobody works on it, and nothing is wrong.
    kind: str
    words: str


def urls(site: AdminSite) -> list[URLPattern]:
    """Return the addresses of the engine room, for the admin's own."""
    root = "transcription/engine-room/"

    def staff(view: Any) -> Any:
        return site.admin_view(only_who_may_look(view, site))

    return [
        path(root, staff(page), name="engine_room"),
        path(f"{root}state/", staff(state), name="engine_room_state"),
        path(f"{root}queue/<slug:name>/", staff(actions.of_queue), name="engine_room_queue"),
        path(
            f"{root}models/<int:pk>/<slug:name>/", staff(actions.of_model), name="engine_room_model"
        ),
    ]


def may_look(request: HttpRequest) -> bool:
    """Whether the engine room is shown: to staff who may see the models."""
    user = request.user
    return bool(
        user.is_active
        and user.is_staff
        and any(user.has_perm(f"transcription.{do}_speechmodel") for do in ("view", "change"))
    )


def only_who_may_look(view: Any, site: AdminSite) -> Any:
    """Return the view for those who may look, with the site as its second argument."""

    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if not may_look(request):
            raise PermissionDenied
        answer: HttpResponse = view(request, site, **kwargs)
        return answer

    return guarded


@require_safe
def page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show all of it."""
    seen = engine_room.look()
    context = {
        **site.each_context(request),
        "title": _("Engine room"),
        "pictures": pictures(),
        "outcome": outcome_of(request, seen),
        "query": request.GET.urlencode(),
        **state_context(request, seen),
    }
    return TemplateResponse(request, "admin/transcription/engine_room.html", context)


@require_safe
def state(request: HttpRequest, site: AdminSite) -> JsonResponse:
    """Answer with what changes by the second, as a piece of the page."""
    seen = engine_room.look()
    html = render_to_string(
        "admin/transcription/engine_room_state.html", state_context(request, seen), request
    )
    outcome = outcome_of(request, seen)
    response = JsonResponse(
        {
            "state": html,
            "outcome": {"kind": outcome.kind, "words": outcome.words} if outcome else None,
        }
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def state_context(request: HttpRequest, seen: EngineRoom) -> dict[str, Any]:
    """Return what the refreshed piece of the page is made of."""
    return {
        "room": seen,
        # Of a pause the page says more.
        "obstacles": [_obstacle(one) for one in seen.queue.obstacles if one != "paused"],
        "models": [(one, _standing(one)) for one in seen.models],
        "last_place": len(seen.models),
        "count_limit": engine_room.COUNT_LIMIT,
        "may_models": actions.may_change_models(request),
        "may_queue": actions.may_change_queue(request),
        "may_retry": actions.may_retry(request),
    }


def _obstacle(obstacle: str) -> str:
    return {
        "no_chores_worker": _(
            "No worker prepares recordings. Start the service: python manage.py serve."
        ),
        "no_engine_worker": _(
            "No engine is running. Start the service: python manage.py serve. If it runs, its "
            "log says why the engine does not."
        ),
        "no_model": _("No model is enabled. Enable one below."),
        "model_failed": _("No model could be loaded. The reason stands beside each model."),
        "model_loading": _("The model is being loaded."),
    }[obstacle]


def _standing(model: ModelState) -> str:
    if not model.row.enabled and model.standing.status in ("unloaded", "no_worker"):
        return _("off")
    return {
        "loaded": _("loaded"),
        "reloading": _("being loaded"),
        "failed": _("could not be loaded"),
        "unloaded": _("not in memory; loaded when it is needed"),
        "no_worker": _("no engine is running"),
    }[model.standing.status]


def outcome_of(request: HttpRequest, seen: EngineRoom) -> Outcome | None:
    """Return what has become of the reload that the address names; None: it names none."""
    name = request.GET.get("reloaded", "")
    model = next((one for one in seen.models if one.row.name == name), None)
    if model is None:
        return None
    workers = model.standing.workers
    states = [one.state for one in workers]
    facts = {
        "model": name,
        "generation": model.row.generation,
        "loaded": states.count("loaded"),
        "all": len(states),
    }
    if not workers:
        return Outcome(
            kind="waiting",
            words=_("No engine is running: %(model)s will be loaded when one is started.") % facts,
        )
    if "reloading" in states:
        words = _(
            "%(model)s is being loaded: %(loaded)d of %(all)d workers have generation "
            "%(generation)d. What was loaded before goes on serving."
        )
        return Outcome(kind="running", words=words % facts)
    failed = [one for one in workers if one.state == "failed"]
    if failed:
        serving = [one.generation_loaded for one in failed if one.generation_loaded is not None]
        words = _("Failed: %(error)s.") % {"error": failed[0].error.rstrip(".")}
        if serving:
            words += " " + _("Generation %(generation)d goes on serving.") % {
                "generation": max(serving)
            }
        words += " " + _("Mend the weights and reload, or reload with another directory.")
        return Outcome(kind="failed", words=words)
    if "unloaded" in states:
        words = _(
            "%(loaded)d of %(all)d workers have generation %(generation)d of %(model)s; the "
            "others load it when they need it."
        )
        return Outcome(kind="waiting", words=words % facts)
    words = _("Done: every worker has generation %(generation)d of %(model)s.")
    return Outcome(kind="done", words=words % facts)


def pictures() -> list[Picture]:
    """Return the throughput of the last hour, week and month; two queries."""
    now = timezone.now()
    hour, month = throughput.of_last_hour(now), throughput.of_last_days(now, 30)
    minutes = [f"{timezone.localtime(span.since):%H:%M}" for span in hour]
    days = [f"{timezone.localtime(span.since):%m-%d}" for span in month]
    return [
        picture("hour", _("Last hour, by five minutes"), hour, minutes),
        picture("week", _("Last 7 days"), month[-7:], days[-7:]),
        picture("month", _("Last 30 days"), month, days),
    ]
