"""What the pages of webhook endpoints, bots and messages share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from transcription.models import Event
from transcription.services.errors import ServiceError


class EventsField(forms.MultipleChoiceField):
    """Check boxes of the events."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            label=_("events"), choices=Event.choices, initial=list(Event.values), **kwargs
        )


def validation_error(error: ServiceError) -> forms.ValidationError:
    """Return a refusal of the service as a form shows it."""
    return forms.ValidationError(error.words(), code=error.code)


def do_for_each(
    page: admin.ModelAdmin,
    request: HttpRequest,
    rows: Iterable[models.Model],
    do: Callable[[Any], object],
    done_words: Callable[[int], str],
) -> None:
    """Call a service for each row and say for how many it did it, and which it refused."""
    done, refused = 0, []
    for row in rows:
        try:
            do(row)
        except ServiceError as error:
            refused.append(gettext("%(name)s: %(why)s") % {"name": row, "why": error.words()})
        else:
            done += 1
    if done:
        page.message_user(request, done_words(done), messages.SUCCESS)
    for words in refused[:3]:
        page.message_user(request, words, messages.WARNING)
    if len(refused) > 3:
        page.message_user(
            request,
            ngettext(
                "%d more was left as it is.", "%d more were left as they are.", len(refused) - 3
            )
            % (len(refused) - 3),
            messages.WARNING,
        )
