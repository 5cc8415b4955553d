"""The levers of the engine room: each asks first, does it by one call of a service, and says so."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from transcription.admin.common import log
from transcription.models import QueuePause, SpeechModel
from transcription.services import arrange, models, queue, retry_failed
from transcription.services.errors import ServiceError
from transcription.services.retry_failed import Place


@dataclass(frozen=True, kw_only=True)
class Done:
    """What an action did."""

    words: str
    level: int = messages.SUCCESS
    #: Parameters of the engine room that follow it up.
    follow: dict[str, str] = field(default_factory=dict)
    #: Where to go on instead of the engine room; None: there.
    onwards: str | None = None


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked before it is done."""

    title: str
    words: str
    button: str


@dataclass(frozen=True, kw_only=True)
class Action:
    """One lever."""

    ask: Callable[[HttpRequest, Any], Question]
    do: Callable[[HttpRequest, Any, dict[str, Any]], Done]
    form: type[forms.Form] = forms.Form
    may: Callable[[HttpRequest], bool]


def may_change_models(request: HttpRequest) -> bool:
    """Whether the person may switch, order and reload models."""
    return bool(request.user.has_perm("transcription.change_speechmodel"))


def may_change_queue(request: HttpRequest) -> bool:
    """Whether the person may pause and resume the queue."""
    return bool(request.user.has_perm("transcription.change_queuepause"))


def may_retry(request: HttpRequest) -> bool:
    """Whether the person may start recordings again."""
    return bool(request.user.has_perm("transcription.change_transcription"))


# --- models


class ReloadForm(forms.Form):
    weights = forms.CharField(
        label=gettext_lazy("Directory of the weights"),
        required=False,
        max_length=500,
        help_text=gettext_lazy(
            "A name below the weights directory, or a path that is allowed. "
            "Leave it empty to load the same directory anew."
        ),
    )


def _ask_reload(request: HttpRequest, model: SpeechModel) -> Question:
    return Question(
        title=_("Reload %(model)s") % {"model": model.name},
        words=_(
            "Every worker loads %(model)s anew from %(weights)s. What is loaded now goes on "
            "serving until the new load has succeeded; no recording is lost or waits for it."
        )
        % {"model": model.name, "weights": model.weights or _("no weights")},
        button=_("Reload"),
    )


def _reload(request: HttpRequest, model: SpeechModel, given: dict[str, Any]) -> Done:
    generation = models.reload(model, weights=given["weights"].strip())
    return Done(
        words=_("Model %(model)s is being loaded anew, as generation %(generation)d.")
        % {"model": model.name, "generation": generation},
        follow={"reloaded": model.name},
    )


def _ask_enable(request: HttpRequest, model: SpeechModel) -> Question:
    return Question(
        title=_("Enable %(model)s") % {"model": model.name},
        words=_("New recordings may be given to it, and callers may ask for it by its name."),
        button=_("Enable"),
    )


def _enable(request: HttpRequest, model: SpeechModel, given: dict[str, Any]) -> Done:
    arrange.enable(model)
    return Done(words=_("Model %(model)s is enabled.") % {"model": model.name})


def _ask_disable(request: HttpRequest, model: SpeechModel) -> Question:
    words = _(
        "It is given no new recordings. Those that it has begun are finished, then it leaves "
        "the memory."
    )
    if not SpeechModel.objects.filter(enabled=True).exclude(pk=model.pk).exists():
        words += " " + _(
            "It is the only one that is enabled: recordings wait until another one is."
        )
    return Question(
        title=_("Disable %(model)s") % {"model": model.name}, words=words, button=_("Disable")
    )


def _disable(request: HttpRequest, model: SpeechModel, given: dict[str, Any]) -> Done:
    arrange.disable(model)
    return Done(words=_("Model %(model)s is disabled.") % {"model": model.name})


def _ask_move(request: HttpRequest, model: SpeechModel) -> Question:
    return Question(
        title=_("Move %(model)s in the order") % {"model": model.name},
        words=_(
            "Of the enabled models that fit a recording, the first one in the order is used. "
            "It changes places with its neighbour."
        ),
        button=_("Move"),
    )


def _mover(*, earlier: bool) -> Callable[[HttpRequest, SpeechModel, dict[str, Any]], Done]:
    def move(request: HttpRequest, model: SpeechModel, given: dict[str, Any]) -> Done:
        if not arrange.move(model, earlier=earlier):
            return Done(
                words=_("Model %(model)s is at that end already.") % {"model": model.name},
                level=messages.WARNING,
            )
        first = SpeechModel.objects.filter(enabled=True).first()
        return Done(
            words=_("Model %(model)s was moved. The first choice is now %(first)s.")
            % {"model": model.name, "first": first.name if first else "–"}
        )

    return move


MODEL_ACTIONS = {
    "reload": Action(ask=_ask_reload, do=_reload, form=ReloadForm, may=may_change_models),
    "enable": Action(ask=_ask_enable, do=_enable, may=may_change_models),
    "disable": Action(ask=_ask_disable, do=_disable, may=may_change_models),
    "earlier": Action(ask=_ask_move, do=_mover(earlier=True), may=may_change_models),
    "later": Action(ask=_ask_move, do=_mover(earlier=False), may=may_change_models),
}


# --- the queue


class PauseForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("For the others who look after the service. It may stay empty."),
    )


class RetryForm(forms.Form):
    """Where the run before ended."""

    after = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean_after(self) -> Place | None:
        moment, _bar, key = self.cleaned_data["after"].partition("|")
        if not moment:
            return None
        try:
            created_at, pk = parse_datetime(moment), uuid.UUID(key)
        except ValueError:
            created_at = None
        if created_at is None:
            raise forms.ValidationError(_("Begin again from the engine room."))
        return Place(created_at=created_at, pk=pk)


def _ask_pause(request: HttpRequest, row: QueuePause) -> Question:
    return Question(
        title=_("Pause the queue"),
        words=_(
            "What has begun is finished; nothing else is begun until you resume. Recordings are "
            "accepted all the while and wait."
        ),
        button=_("Pause"),
    )


def _pause(request: HttpRequest, row: QueuePause, given: dict[str, Any]) -> Done:
    if not queue.pause(request.user, reason=given["reason"]):  # type: ignore[arg-type]
        return Done(words=_("The queue was paused already."), level=messages.WARNING)
    return Done(words=_("The queue is paused."))


def _ask_resume(request: HttpRequest, row: QueuePause) -> Question:
    return Question(
        title=_("Resume the queue"),
        words=_("The workers go on with what waits, at once."),
        button=_("Resume"),
    )


def _resume(request: HttpRequest, row: QueuePause, given: dict[str, Any]) -> Done:
    if not queue.resume():
        return Done(words=_("The queue was not paused."), level=messages.WARNING)
    return Done(words=_("The queue goes on."))


def _ask_retry(request: HttpRequest, row: QueuePause) -> Question:
    count = retry_failed.count_failed(_place_in(request))
    words = ngettext(
        "%(count)s failed recording whose audio is kept is started again.",
        "%(count)s failed recordings whose audio is kept are started again.",
        count,
    )
    if count >= retry_failed.COUNT_LIMIT:
        words = _("More than %(count)s failed recordings whose audio is kept are started again.")
    words = words % {"count": f"{count:,}"}
    words += " " + _("At most %(most)s at a time: you are asked again for the others.") % {
        "most": retry_failed.MOST_AT_ONCE
    }
    return Question(title=_("Retry all failed recordings"), words=words, button=_("Retry"))


def _place_in(request: HttpRequest) -> Place | None:
    form = RetryForm({"after": request.GET.get("after", "")})
    return form.cleaned_data["after"] if form.is_valid() else None


def _retry(request: HttpRequest, row: QueuePause, given: dict[str, Any]) -> Done:
    done = retry_failed.retry_failed(given["after"])
    words = [
        ngettext(
            "%(count)d recording is started again.",
            "%(count)d recordings are started again.",
            done.started,
        )
        % {"count": done.started}
    ]
    if done.without_audio:
        words.append(
            _("%(count)d stay failed: their audio is not on the disk any more.")
            % {"count": done.without_audio}
        )
    if done.left:
        words.append(_("%(count)d were left as they are.") % {"count": done.left})
    onwards = None
    if done.place is not None:
        words.append(_("%(count)d remain.") % {"count": done.remaining})
        after = f"{done.place.created_at.isoformat()}|{done.place.pk}"
        here = reverse("admin:engine_room_queue", args=["retry-failed"])
        onwards = f"{here}?{urlencode({'after': after})}"
    level = messages.SUCCESS if done.started else messages.WARNING
    return Done(words=" ".join(words), level=level, onwards=onwards)


QUEUE_ACTIONS = {
    "pause": Action(ask=_ask_pause, do=_pause, form=PauseForm, may=may_change_queue),
    "resume": Action(ask=_ask_resume, do=_resume, may=may_change_queue),
    "retry-failed": Action(ask=_ask_retry, do=_retry, form=RetryForm, may=may_retry),
}


# --- asking and doing


@require_http_methods(["GET", "HEAD", "POST"])
def of_model(request: HttpRequest, site: AdminSite, *, pk: int, name: str) -> HttpResponse:
    """Ask, or do what was asked, with one model."""
    return _perform(request, site, MODEL_ACTIONS.get(name), get_object_or_404(SpeechModel, pk=pk))


@require_http_methods(["GET", "HEAD", "POST"])
def of_queue(request: HttpRequest, site: AdminSite, *, name: str) -> HttpResponse:
    """Ask, or do what was asked, with the queue."""
    return _perform(request, site, QUEUE_ACTIONS.get(name), QueuePause(pk=QueuePause.THE_ONE))


def _perform(
    request: HttpRequest, site: AdminSite, action: Action | None, target: Model
) -> HttpResponse:
    if action is None:
        raise Http404
    if not action.may(request):
        raise PermissionDenied
    room = reverse("admin:engine_room")
    if request.method == "POST":
        form = action.form(request.POST)
        if form.is_valid():
            try:
                done = action.do(request, target, form.cleaned_data)
            except ServiceError as error:
                form.add_error(None, error.words())
            else:
                messages.add_message(request, done.level, done.words)
                log(request, [target], done.words)
                follow = f"?{urlencode(done.follow)}" if done.follow else ""
                return HttpResponseRedirect(done.onwards or room + follow)
    else:
        form = action.form(initial=request.GET.dict())
    question = action.ask(request, target)
    context = {
        **site.each_context(request),
        "title": question.title,
        "question": question,
        "form": form,
        "room": room,
    }
    return TemplateResponse(request, "admin/transcription/engine_room_confirm.html", context)
