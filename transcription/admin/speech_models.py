"""The models that the service may use: entered, ordered, switched, loaded anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from transcription.models import SpeechModel
from transcription.services import models
from transcription.services.errors import ServiceError
from transcription.text.languages import UnknownLanguage, normalise_code

#: Names that mean something else where a model is asked for.
RESERVED_NAMES = frozenset({"auto"})
#: Engines that need no weights.
WITHOUT_WEIGHTS = frozenset({SpeechModel.Engine.FAKE})
#: What a worker must load anew to notice.
LOADED_FIELDS = frozenset({"engine", "weights", "options"})
#: How far the workers are with a model, as ``services.models.Standing`` has it.
STANDING_WORDS = {
    "loaded": _("loaded"),
    "reloading": _("reloading"),
    "failed": _("failed"),
    "unloaded": _("unloaded"),
    "no_worker": _("no worker"),
}


class SpeechModelForm(forms.ModelForm):
    """Catches here what would otherwise fail in a worker, far from whoever can mend it."""

    class Meta:
        model = SpeechModel
        fields = (
            "name",
            "title",
            "engine",
            "weights",
            "enabled",
            "order",
            "max_seconds",
            "languages",
            "chunk_seconds",
            "options",
        )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name in RESERVED_NAMES:
            raise forms.ValidationError(
                _("'%(name)s' asks for the routing to choose: give another name.") % {"name": name}
            )
        return name

    def clean_languages(self) -> list[str]:
        given = self.cleaned_data["languages"] or []
        if not isinstance(given, list) or not all(isinstance(code, str) for code in given):
            raise forms.ValidationError(_('Expected a list of codes, as ["zh", "en"].'))
        try:
            codes = [normalise_code(code) for code in given]
        except UnknownLanguage as error:
            words = ServiceError("unknown_language", value=error.given).words()
            raise forms.ValidationError(words) from error
        if None in codes:
            raise forms.ValidationError(_("Name each language, or leave the list empty for all."))
        return list(dict.fromkeys(code for code in codes if code))

    def clean_options(self) -> dict[str, Any]:
        given = self.cleaned_data["options"] or {}
        if not isinstance(given, dict):
            raise forms.ValidationError(_('Expected names and values, as {"beam_size": 5}.'))
        return given

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            row = SpeechModel(engine=cleaned["engine"], options=cleaned["options"])
            limit = row.longest_clip_seconds
            if limit is not None and cleaned["chunk_seconds"] > limit:
                self.add_error(
                    "chunk_seconds",
                    _("This engine takes no more than %(limit)s seconds at once.")
                    % {"limit": f"{limit:g}"},
                )
        engine, weights = cleaned.get("engine"), cleaned.get("weights", "")
        if engine and cleaned.get("enabled") and engine not in WITHOUT_WEIGHTS:
            folder = Path(settings.WEIGHTS_DIR, weights)
            if not weights:
                self.add_error("weights", _("This engine needs the directory of its weights."))
            elif not folder.is_dir():
                self.add_error(
                    "weights",
                    _(
                        "There is no directory %(folder)s. Put the weights there "
                        "(manage.py fetch_model NAME), or save the model without 'enabled' for now."
                    )
                    % {"folder": folder},
                )
        return cleaned


@admin.register(SpeechModel)
class SpeechModelAdmin(admin.ModelAdmin):
    """The order is the order of choice: the first that fits a recording is used."""

    form = SpeechModelForm
    list_display = (
        "name",
        "title",
        "engine",
        "weights",
        "enabled",
        "order",
        "max_seconds",
        "generation",
        "standing",
    )
    list_filter = ("engine", "enabled")
    search_fields = ("name", "title")
    readonly_fields = ("generation", "standing", "last_loaded", "updated_at")
    actions = ("reload",)

    def get_readonly_fields(self, request: HttpRequest, obj: SpeechModel | None = None) -> Any:
        # Transcriptions and callers know a model by its name.
        return (*self.readonly_fields, "name") if obj else self.readonly_fields

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "GET":
            self._tell_of_failures(request)
        return super().changelist_view(request, extra_context)

    def _tell_of_failures(self, request: HttpRequest) -> None:
        for standing in models.standings(SpeechModel.objects.filter(enabled=True)):
            for worker in standing.workers:
                if worker.state == "failed":
                    words = (
                        _("Model %(model)s on %(worker)s: %(error)s (nothing serves in its place)")
                        if worker.generation_loaded is None
                        else _(
                            "Model %(model)s on %(worker)s: %(error)s "
                            "(generation %(generation)s goes on serving)"
                        )
                    )
                    facts = {
                        "model": standing.name,
                        "worker": worker.worker,
                        "error": worker.error,
                        "generation": worker.generation_loaded,
                    }
                    self.message_user(request, words % facts, messages.ERROR)

    @admin.display(description=_("state"))
    def standing(self, model: SpeechModel) -> str:
        standing = models.standing_of(model)
        if not model.enabled and standing.status in ("unloaded", "no_worker"):
            return gettext("off")
        serving = sorted(
            {
                worker.generation_loaded
                for worker in standing.workers
                if worker.generation_loaded not in (None, model.generation)
            }
        )
        state = str(STANDING_WORDS[standing.status])
        if not serving:
            return state
        return gettext("%(state)s (generation %(generations)s serves)") % {
            "state": state,
            "generations": ", ".join(map(str, serving)),
        }

    @admin.display(description=_("last loaded"))
    def last_loaded(self, model: SpeechModel) -> str:
        if not model.last_good:
            return "–"
        number, place = model.last_good["generation"], model.last_good["weights"]
        if not place:
            return gettext("generation %(number)s, without weights") % {"number": number}
        return gettext("generation %(number)s from %(place)s") % {"number": number, "place": place}

    def save_model(
        self,
        request: HttpRequest,
        obj: SpeechModel,
        form: forms.ModelForm[SpeechModel],
        change: bool,
    ) -> None:
        if not change:
            obj.save()
            return
        # Compared as values: the form sees a change in how the same JSON is written.
        changed = {
            name for name in form.cleaned_data if form.initial.get(name) != getattr(obj, name)
        }
        if changed:
            obj.save(update_fields=[*changed, "updated_at"])
        if LOADED_FIELDS & changed:
            models.reload(obj)

    @admin.action(description=_("Load anew in every worker"), permissions=["change"])
    def reload(self, request: HttpRequest, queryset: QuerySet[SpeechModel]) -> None:
        for model in queryset:
            models.reload(model)
        count = len(queryset)
        words = ngettext(
            "%d model is being loaded anew; the column 'state' shows when it is done.",
            "%d models are being loaded anew; the column 'state' shows when it is done.",
            count,
        )
        self.message_user(request, words % count, messages.SUCCESS)
