"""How pages write languages, shares and warnings."""

from __future__ import annotations

from collections.abc import Iterable

from django import template

from transcription.services.language_names import language_name
from transcription.services.warnings import warnings_in_words

register = template.Library()


@register.filter
def percent(share: float) -> str:
    """Return a share of 0 to 1 as 42 %."""
    return f"{share:.0%}"


@register.filter
def language(code: str) -> str:
    """Return the name of a language by its code."""
    return language_name(code)


@register.filter
def warnings(codes: Iterable[str]) -> list[str]:
    """Return what the warnings of a transcription mean."""
    return warnings_in_words(codes)
