"""The glossary: who has which terms, and which of them go along with a recording."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from transcription.models import GlossaryTerm
from transcription.models.glossary import MAX_TERM_CHARACTERS
from transcription.services.errors import ServiceError
from transcription.text.context import BUDGET_TOKENS, choose_terms, write_terms
from transcription.text.languages import UnknownLanguage, normalise_code

_FOR_ALL = Q(owner__isnull=True)
#: Of one owner, and of those for everybody. More have no room with a recording anyway.
MAX_TERMS = 500


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What of the glossary goes along with one recording."""

    #: As the engine reads it; "": nothing.
    text: str
    #: How many terms of the owner's own had no room.
    own_left_out: int


def take(owner: User | None, *, language: str, prompt: str) -> Taken:
    """Choose the terms for a recording that is just accepted: one query.

    The owner's own come before those for everybody, and of each the newest first. A term for
    another language than the one that is asked for stays at home.
    """
    rows = (
        GlossaryTerm.objects.filter(_FOR_ALL | Q(owner=owner) if owner else _FOR_ALL)
        .filter(is_active=True)
        .order_by(F("owner").desc(nulls_last=True), "-id")
    )
    if language:
        rows = rows.filter(language__in=["", language])
    # A term is one character and its comma at least: more than these never have room.
    found = list(rows.values_list("term", "owner")[: MAX_TERMS + BUDGET_TOKENS])
    chosen = choose_terms(prompt, [term for term, _ in found])
    own = {term for term, owner_id in found if owner_id is not None}
    return Taken(
        text=write_terms(chosen.terms),
        own_left_out=sum(term in own for term in chosen.left_out),
    )


def visible_to(user: User) -> QuerySet[GlossaryTerm]:
    """Return a user's own terms and those for everybody."""
    return GlossaryTerm.objects.filter(_FOR_ALL | Q(owner=user))


def require_may_change(user: User, owner_id: int | None, action: str = "change") -> None:
    """Raise ``glossary_not_yours`` unless the term is the user's, or for all and he is staff.

    ``action``: add, change or delete. Staff need the permission for it, as in the admin.
    """
    if owner_id == user.pk:
        return
    if owner_id is None and user.is_staff and user.has_perm(f"transcription.{action}_glossaryterm"):
        return
    raise ServiceError("glossary_not_yours")


def checked(owner: User | None, values: dict[str, Any], row: GlossaryTerm | None) -> dict[str, Any]:
    """Return the values of a term as they are stored.

    ``row``: the one that is changed. Raises ``glossary_term_invalid``, ``unknown_language``,
    ``glossary_term_there`` and ``glossary_full``.
    """
    values = dict(values)
    if "term" in values:
        values["term"] = _term(values["term"])
    if "language" in values:
        values["language"] = _language(values["language"])
    others = GlossaryTerm.objects.filter(owner=owner)
    if row is not None:
        others = others.exclude(pk=row.pk)
    elif others.count() >= MAX_TERMS:
        raise ServiceError("glossary_full", limit=MAX_TERMS)
    if "term" in values and others.filter(term=values["term"]).exists():
        raise ServiceError("glossary_term_there", value=values["term"])
    return values


def create(owner: User | None, **values: Any) -> GlossaryTerm:
    """Enter a term of the owner's, or for everybody. Raises what ``checked`` does."""
    try:
        with transaction.atomic():
            return GlossaryTerm.objects.create(owner=owner, **checked(owner, values, None))
    except IntegrityError as error:  # somebody entered it at the same moment
        raise ServiceError("glossary_term_there", value=values["term"]) from error


def change(row: GlossaryTerm, **values: Any) -> None:
    """Change term, language, note or is_active. Raises what ``checked`` does."""
    for name, value in checked(row.owner, values, row).items():
        setattr(row, name, value)
    try:
        with transaction.atomic():
            row.save(update_fields=list(values))
    except IntegrityError as error:
        raise ServiceError("glossary_term_there", value=row.term) from error


def _term(text: str) -> str:
    """Level a term; one that a line of a list cannot hold is refused."""
    level = " ".join(unicodedata.normalize("NFC", text).split())
    if (
        len(level) > MAX_TERM_CHARACTERS
        or not any(character.isalnum() for character in level)
        or any(unicodedata.category(character) in {"Cc", "Cf"} for character in level)
    ):
        raise ServiceError("glossary_term_invalid", limit=MAX_TERM_CHARACTERS)
    return level


def _language(code: str) -> str:
    try:
        return normalise_code(code) or ""
    except UnknownLanguage as error:
        raise ServiceError("unknown_language", value=code) from error
