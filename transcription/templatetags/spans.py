"""Spans of time in words as short as they are clear: "12 s", "5 min", "3 h", "2 d"."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

register = template.Library()

MINUTE, HOUR, DAY = 60, 3_600, 86_400


@register.filter
def short_span(seconds: float | None) -> str:
    """Return so many seconds in the largest unit that there are two of; "" for None."""
    if seconds is None:
        return ""
    if seconds < 2 * MINUTE:
        return _("%(count)d s") % {"count": seconds}
    if seconds < 2 * HOUR:
        return _("%(count)d min") % {"count": seconds // MINUTE}
    if seconds < 2 * DAY:
        return _("%(count)d h") % {"count": seconds // HOUR}
    return _("%(count)d d") % {"count": seconds // DAY}


@register.filter
def age(moment: datetime | str | None) -> str:
    """Return how long ago that was; "" for None. A string is ISO 8601."""
    when = parse_datetime(moment) if isinstance(moment, str) else moment
    if when is None:
        return ""
    return short_span(max((timezone.now() - when).total_seconds(), 0.0))


@register.filter
def clock(seconds: float | None) -> str:
    """Return a duration as hours, minutes and seconds, "1:02:05"; "" for None."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), MINUTE)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
