"""Which models a command can use without a service: the service's, the catalogue's, any folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from transcription.models import SpeechModel
from transcription.weights.catalogue import CATALOGUE_PATH, read_catalogue

#: What of a row says nothing about how it recognises, or is the service's own affair.
_NOT_COPIED = {"id", "generation", "last_good", "updated_at", "gives_words"}
#: Longest stretch that is recognised in one go, where it is not the usual 30 s.
_CHUNK_SECONDS = {"qwen3_asr": 90.0}
#: Settings of a row that a choice may change beside the options of its engine.
_ROW_SETTINGS = {"chunk_seconds": float}


class UnknownModel(ValueError):
    """There is no such model; the message names those that there are."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A model as it was asked for, and the settings to use it with: ``NAME[,setting=value…]``."""

    #: As it was written: what a table calls it.
    label: str
    name: str
    settings: dict[str, Any]

    @classmethod
    def parse(cls, given: str) -> Choice:
        """Read ``whisper-base,beam_size=1``; values are JSON where they can be, else words.

        Raises ``ValueError``.
        """
        name, *rest = (part.strip() for part in given.split(","))
        found: dict[str, Any] = {}
        for part in rest:
            key, equals, value = part.partition("=")
            if not (key and equals):
                raise ValueError(f"'{part}' in '{given}' is no setting: write NAME,setting=value.")
            try:
                found[key] = json.loads(value)
            except ValueError:
                found[key] = value
        if not name:
            raise ValueError(f"'{given}' names no model.")
        return cls(label=given, name=name, settings=found)


def models_of(choice: Choice | None) -> list[dict[str, Any]]:
    """The rows to choose among: the one that was asked for, else all that the routing may use.

    Raises ``UnknownModel``, and ``ValueError`` for a setting that is no value of its kind.
    """
    known = _known_models()
    if choice is None or choice.name == "auto":
        rows = [one for one in known if one["enabled"]]
        if not rows:
            raise UnknownModel(
                f"No model is enabled, and no weights lie in {settings.WEIGHTS_DIR}. "
                "Run `manage.py fetch_model whisper-base`, or name --engine and --weights."
            )
        chosen = rows
    else:
        # A disabled one too: to look at a model before the service uses it is what this is for.
        chosen = [one for one in known if one["name"] == choice.name]
        if not chosen:
            names = ", ".join(one["name"] for one in known) or "none"
            raise UnknownModel(
                f"There is no model '{choice.name}'. There are: {names}. "
                "Others by --engine ENGINE --weights DIR, or by manage.py fetch_model."
            )
    return [_with_settings({**one, "enabled": True}, choice) for one in chosen]


def model_of_weights(choice: Choice, weights: Path | None) -> dict[str, Any]:
    """The row of an engine (the choice's name) with the weights of any folder.

    Raises ``UnknownModel`` for an engine that there is not, and ``ValueError`` as ``models_of``.
    """
    if choice.name not in SpeechModel.Engine.values:
        raise UnknownModel(
            f"There is no engine '{choice.name}'. "
            f"There are: {', '.join(sorted(SpeechModel.Engine.values))}."
        )
    row = _fresh(choice.name, engine=choice.name)
    if weights is not None:
        # As a person types it: from where he stands, or a name below the folder of weights.
        here = weights.expanduser().absolute()
        row["weights"] = str(here if here.is_dir() else weights)
    return _with_settings(row, choice)


def _known_models() -> list[dict[str, Any]]:
    """The service's own rows, and models of the catalogue whose weights are in place."""
    rows = _rows_of_the_service()
    names = {one["name"] for one in rows}
    # A service that was set up has its say in what is enabled; without one, all that is here.
    rows += [
        {**one, "enabled": not names} for one in _catalogue_models() if one["name"] not in names
    ]
    return rows


def _rows_of_the_service() -> list[dict[str, Any]]:
    """Read, and nothing else: no table is made, no file of a database that is not there."""
    database = connection.settings_dict
    if connection.vendor == "sqlite" and not Path(database["NAME"]).exists():
        return []
    try:
        # Asked for first: a query to a missing table would break a transaction around this.
        if SpeechModel._meta.db_table not in connection.introspection.table_names():
            return []
        return [_plain(row) for row in SpeechModel.objects.all()]
    except DatabaseError as error:
        raise UnknownModel(
            f"The models of the service cannot be read from its database ({error}). "
            "Start the database or run manage.py migrate, or name --engine and --weights."
        ) from error
    finally:
        if not connection.in_atomic_block:
            connection.close()


def _catalogue_models() -> list[dict[str, Any]]:
    return [
        _fresh(name, engine=entry.engine, weights=name)
        for name, entry in read_catalogue(CATALOGUE_PATH).items()
        if entry.engine in SpeechModel.Engine.values
        # What only helps a recogniser is none itself.
        and entry.role == "recogniser"
        and (settings.WEIGHTS_DIR / name).is_dir()
    ]


def _fresh(name: str, *, engine: str, weights: str = "") -> dict[str, Any]:
    row = SpeechModel(name=name, engine=engine, weights=weights)
    row.chunk_seconds = _CHUNK_SECONDS.get(engine, row.chunk_seconds)
    return _plain(row)


def _plain(row: SpeechModel) -> dict[str, Any]:
    return {
        field.name: getattr(row, field.name)
        for field in SpeechModel._meta.concrete_fields
        if field.name not in _NOT_COPIED
    }


def _with_settings(row: dict[str, Any], choice: Choice | None) -> dict[str, Any]:
    changed = {**row, "options": dict(row["options"])}
    for key, value in choice.settings.items() if choice else ():
        if key in _ROW_SETTINGS:
            try:
                changed[key] = _ROW_SETTINGS[key](value)
            except (TypeError, ValueError):
                raise ValueError(f"{key}={value}: expected a number.") from None
        else:
            changed["options"][key] = value
    return changed
