"""Options of an engine: a frozen dataclass of its own, read strictly from plain values.

The options come out of a JSON field that a person edits, so a misspelt name or a wrong type is
an error with the list of what there is, never a value that is silently ignored.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from transcription.engines.base import EngineError

OptionsType = TypeVar("OptionsType")

#: Metadata of an option that changes how fast the engine works but never what it writes.
TEXT_UNCHANGED: Mapping[str, Any] = {"changes_text": False}


def read_options(kind: type[OptionsType], given: Mapping[str, Any], *, engine: str) -> OptionsType:
    """Make the options dataclass ``kind`` of ``given``; what is left out keeps its default.

    Whole numbers are taken where a float is wanted, lists where a tuple is. Raises
    ``EngineError`` for an unknown name, a wrong type, or a value that the dataclass refuses
    (a ``ValueError`` of its ``__post_init__``).
    """
    fields = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(given) - fields)
    if unknown:
        raise EngineError(
            f"The engine '{engine}' has no option named {', '.join(unknown)}. "
            f"Its options are: {', '.join(sorted(fields))}."
        )
    hints = get_type_hints(kind)
    values = {}
    for name, value in given.items():
        try:
            values[name] = _fit(value, hints[name])
        except TypeError:
            raise EngineError(
                f"The option {name} of the engine '{engine}' is {value!r}, "
                f"but it has to be {_describe(hints[name])}."
            ) from None
    try:
        return kind(**values)
    except ValueError as error:
        raise EngineError(f"The engine '{engine}' cannot work with its options: {error}") from error


def text_options(options: object) -> dict[str, Any]:
    """The options that change the text, by name: what goes into the digest of a load."""
    return {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(options)  # type: ignore[arg-type]
        if field.metadata.get("changes_text", True)
    }


def _fit(value: Any, hint: Any) -> Any:
    """``value`` as the type ``hint``; raises ``TypeError`` where it is of another."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        for arm in get_args(hint):
            try:
                return _fit(value, arm)
            except TypeError:
                continue
        raise TypeError
    if hint is type(None):
        if value is None:
            return None
        raise TypeError
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise TypeError
        return tuple(_fit(item, get_args(hint)[0]) for item in value)
    # bool is a subclass of int, and `true` for a number is a slip of the pen.
    if isinstance(value, bool) and hint is not bool:
        raise TypeError
    if hint is float and isinstance(value, int):
        return float(value)
    if not isinstance(value, hint):
        raise TypeError
    return value


def _describe(hint: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    if get_origin(hint) is tuple:
        return f"a list, each entry {_describe(get_args(hint)[0])}"
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(
            "null" if arm is type(None) else _describe(arm) for arm in get_args(hint)
        )
    return names.get(hint, str(hint))
