"""Lists of recordings with what is said in them, as NeMo, ESPnet-like recipes and Common Voice
write them: JSON lines, or a table with a heading.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transcription.text.languages import UnknownLanguage, normalise_code

#: Names under which a field is looked for, the first that is there counts.
AUDIO_NAMES = ("audio", "audio_filepath", "audio_path", "audio_file", "wav", "file", "path")
TEXT_NAMES = ("text", "transcript", "transcription", "reference", "sentence")
LANGUAGE_NAMES = ("language", "lang", "locale")

_MOST_COMPLAINTS = 10


class ManifestError(ValueError):
    """The manifest cannot be used; the message names the lines and what is wrong with them."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One recording and what is said in it."""

    #: Line of the manifest, from 1.
    line: int
    path: Path
    #: What is said; "" where nothing is.
    text: str
    #: Code; None where the manifest does not say.
    language: str | None


def read_manifest(path: Path) -> list[Entry]:
    """The entries of a manifest in UTF-8, in their order; empty lines are skipped.

    Relative paths of recordings start at the manifest's folder. Raises ``ManifestError`` that
    names every bad line (of many, the first), so that nothing is left out unseen.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path} is not in UTF-8: {error}. Convert it.") from error
    except OSError as error:
        raise ManifestError(f"{path} cannot be read: {error.strerror or error}.") from error
    entries: list[Entry] = []
    complaints: list[str] = []
    for line, values in _rows(content, path.suffix.lower()):
        try:
            if isinstance(values, str):
                raise ValueError(values)
            entries.append(_entry(line, values, path.parent))
        except ValueError as error:
            complaints.append(f"line {line}: {error}")
    if complaints:
        shown = "\n".join(complaints[:_MOST_COMPLAINTS])
        more = len(complaints) - _MOST_COMPLAINTS
        raise ManifestError(
            f"{path} has lines that cannot be used:\n{shown}"
            + (f"\n…and {more} more." if more > 0 else "")
        )
    if not entries:
        raise ManifestError(
            f"{path} lists no recordings. Write a line for each, as "
            '{"audio": "a.wav", "text": "what is said", "language": "en"}.'
        )
    return entries


def _rows(content: str, suffix: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """Line numbers with their fields, or with words for what is wrong with them."""
    first = content.lstrip().split("\n", 1)[0]
    if suffix in {".csv", ".tsv"} or not first.startswith("{"):
        tab = suffix == ".tsv" or (suffix != ".csv" and "\t" in first)
        yield from _table_rows(content, "\t" if tab else ",")
        return
    # Only a line feed ends a line: a text in JSON may hold U+2028 as it is.
    for line, raw in enumerate(content.split("\n"), start=1):
        if not raw.strip():
            continue
        try:
            values = json.loads(raw)
        except ValueError as error:
            yield line, f"no JSON ({error})"
            continue
        yield line, values if isinstance(values, dict) else "expected an object, {…}"


def _table_rows(content: str, delimiter: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    reader = csv.reader(
        io.StringIO(content, newline=""),
        delimiter=delimiter,
        # In a TSV a quotation mark is a letter like others, in a CSV it holds a field together.
        quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL,
    )
    heading: list[str] | None = None
    start = 1
    for cells in reader:
        line, start = start, reader.line_num + 1
        if not any(cell.strip() for cell in cells):
            continue
        if heading is None:
            heading = [cell.strip().lower() for cell in cells]
            for names in (AUDIO_NAMES, TEXT_NAMES):
                if not any(name in heading for name in names):
                    yield line, f"the heading has no column {' or '.join(names)}"
                    return
        elif len(cells) != len(heading):
            yield line, f"{len(cells)} columns, but the heading has {len(heading)}"
        else:
            yield line, dict(zip(heading, cells, strict=True))


def _entry(line: int, values: Mapping[str, Any], folder: Path) -> Entry:
    """Raises ``ValueError`` that says what is wrong."""
    audio = _text_of(values, AUDIO_NAMES)
    if not audio.strip():
        raise ValueError("the name of the recording is empty")
    if _is_cut(values.get("offset")):
        raise ValueError(
            "'offset' means a part of a recording; only whole ones are evaluated, so cut it first"
        )
    given = next((values[name] for name in LANGUAGE_NAMES if values.get(name)), None)
    try:
        language = normalise_code(str(given).strip()) if given else None
    except UnknownLanguage as error:
        raise ValueError(
            f"the language {str(given)[:40]!r} is not known: write a code as 'zh', "
            "or leave it empty"
        ) from error
    return Entry(
        line=line,
        path=(folder / Path(audio.strip()).expanduser()).resolve(),
        text=_text_of(values, TEXT_NAMES).strip(),
        language=language,
    )


def _text_of(values: Mapping[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        if name in values:
            if not isinstance(values[name], str):
                raise ValueError(f"'{name}' is {json.dumps(values[name])}, expected a text")
            return str(values[name])
    raise ValueError(f"it has no {' or '.join(names)}")


def _is_cut(offset: object) -> bool:
    try:
        return offset not in (None, "") and float(str(offset)) != 0.0
    except ValueError:
        raise ValueError(f"'offset' is {offset!r}, expected a number") from None
