"""An evaluation as text for people and as JSON for programs."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from transcription.management.evaluation import Run, Scored, Summary, compare
from transcription.management.local import Failed
from transcription.text.scoring import Difference, ErrorCount

_RATE_NAMES = {"word": "WER", "character": "CER", None: "WER+CER"}


def file_table(run: Run) -> Iterator[str]:
    """A line for each file."""
    rows = [("file", "seconds", "language", "errors", "of", "rate", "engine s")]
    for one in run.files:
        language = one.entry.language or "?"
        if run.detected and one.heard_language != one.entry.language:
            language += f" heard as {one.heard_language or 'no speech'}"
        if one.count is None:
            rows.append((one.entry.path.name, "-", language, "failed", "-", "-", "-"))
            continue
        rows.append(
            (
                one.entry.path.name,
                f"{one.duration_seconds:.1f}",
                language,
                str(one.count.errors),
                str(one.count.reference_length),
                _percent(one.count.rate if one.count.reference_length else None),
                f"{one.engine_seconds:.2f}",
            )
        )
    yield from _table(rows)


def summary_table(run: Run) -> Iterator[str]:
    """A line for each language, and one for all where there are several."""
    summaries = run.by_language()
    if len(summaries) > 1:
        summaries.append(run.overall())
    rows = [
        ("language", "files", "", "rate", "95 %", "errors", "wrong", "missing", "too many", "of")
    ]
    for one in summaries:
        rows.append(
            (
                one.language,
                str(one.files) + (f" ({one.failed} failed)" if one.failed else ""),
                _RATE_NAMES[one.unit],
                _percent(one.rate),
                _interval(one.interval),
                str(one.count.errors),
                str(one.count.substitutions),
                str(one.count.deletions),
                str(one.count.insertions),
                str(one.count.reference_length),
            )
        )
    yield from _table(rows)


def speed_lines(run: Run) -> Iterator[str]:
    """How fast it was, and on what."""
    for one in run.loaded:
        yield f"{one.name} on {one.device} as {one.dtype}, loaded in {one.load_seconds:.1f} s"
    yield (
        f"{run.audio_seconds:.1f} s of audio in {run.seconds:.1f} s: "
        f"RTFx {_rtfx(run.audio_seconds, run.seconds)}; the engine alone "
        f"{run.engine_seconds:.1f} s: RTFx {_rtfx(run.audio_seconds, run.engine_seconds)}; "
        f"most memory {run.peak_bytes / 1e6:,.0f} MB"
    )


def confusion_table(run: Run) -> Iterator[str]:
    """Which language was taken for which."""
    found = run.confusion()
    total = sum(files for _said, _heard, files in found)
    right = sum(files for said, heard, files in found if said == heard)
    if not total:
        yield "The manifest names no languages to compare those that were heard with."
        return
    yield f"languages heard rightly: {right} of {total} files ({right / total:.1%})"
    if right < total:
        rows = [("said", "heard", "files")]
        rows += [(said, heard, str(files)) for said, heard, files in found if said != heard]
        yield from _table(rows)


def worst_lines(files: Sequence[Scored]) -> Iterator[str]:
    """Where each of the files went wrong: [-said-] {+recognised+}."""
    for one in files:
        assert one.count is not None
        rate = _percent(one.count.rate if one.count.reference_length else None)
        yield f"{one.entry.path.name} (line {one.entry.line}), {rate}:"
        yield f"  {marked(one.differences(), glue=' ' if one.unit == 'word' else '')}"


def marked(parts: Sequence[Difference], *, glue: str) -> str:
    """An alignment on one line, as `git diff --word-diff` marks it."""
    shown = []
    for part in parts:
        if part.is_equal:
            shown.append(part.said)
        else:
            shown.append(
                (f"[-{part.said}-]" if part.said else "")
                + (f"{{+{part.recognised}+}}" if part.recognised else "")
            )
    return glue.join(shown)


def side_by_side(runs: Sequence[Run]) -> Iterator[str]:
    """Rates and speed of several runs beside each other, and what each changed over the first."""
    by_language = [{one.language: one for one in _all_summaries(run)} for run in runs]
    rows = [("", *(run.label for run in runs))]
    for language, first in by_language[0].items():
        rows.append(
            (
                f"{language} {_RATE_NAMES[first.unit]}",
                *(_percent(found[language].rate) for found in by_language),
            )
        )
    rows.append(("failed files", *(str(len(run.failures)) for run in runs)))
    rows.append(("RTFx", *(_rtfx(run.audio_seconds, run.seconds) for run in runs)))
    rows.append(
        ("RTFx of the engine", *(_rtfx(run.audio_seconds, run.engine_seconds) for run in runs))
    )
    rows.append(("most memory, MB", *(f"{run.peak_bytes / 1e6:,.0f}" for run in runs)))
    yield from _table(rows)
    for run in runs[1:]:
        found = compare(runs[0], run)
        if found.difference is None:
            continue
        sure = f", 95 % between {_interval(found.interval)}" if found.interval else ""
        yield (
            f"{run.label} over {runs[0].label}: {found.difference:+.2%} errors{sure}; "
            f"{found.better} of {found.files} files better, {found.worse} worse"
        )


def as_json(runs: Sequence[Run], *, manifest: str) -> dict[str, Any]:
    """Everything, for programs; rates are shares of 1, null where there is nothing to divide by."""
    return {"manifest": manifest, "runs": [_run_as_json(run) for run in runs]}


def _run_as_json(run: Run) -> dict[str, Any]:
    return {
        "model": run.label,
        "loaded": [vars(one) for one in run.loaded],
        "language": "detect" if run.detected else "forced",
        "audio_seconds": round(run.audio_seconds, 3),
        "seconds": round(run.seconds, 3),
        "engine_seconds": round(run.engine_seconds, 3),
        "rtfx": _share(run.audio_seconds, run.seconds),
        "engine_rtfx": _share(run.audio_seconds, run.engine_seconds),
        "peak_bytes": run.peak_bytes,
        "languages": [_summary_as_json(one) for one in run.by_language()],
        "overall": _summary_as_json(run.overall()),
        "confusion": [
            {"said": said, "heard": heard, "files": files}
            for said, heard, files in (run.confusion() if run.detected else [])
        ],
        "files": [_file_as_json(one) for one in run.files],
    }


def _summary_as_json(one: Summary) -> dict[str, Any]:
    return {
        "language": one.language,
        "files": one.files,
        "failed": one.failed,
        "unit": one.unit,
        "rate": one.rate,
        "interval": one.interval,
        **_count_as_json(one.count),
    }


def _file_as_json(one: Scored) -> dict[str, Any]:
    failed = one.outcome if isinstance(one.outcome, Failed) else None
    return {
        "line": one.entry.line,
        "path": str(one.entry.path),
        "language": one.entry.language,
        "heard_language": one.heard_language or None,
        "reference": one.entry.text,
        "text": None if failed else one.text,
        "error": {"code": failed.code, "message": failed.words} if failed else None,
        "duration_seconds": None if failed else one.duration_seconds,
        "engine_seconds": None if failed else one.engine_seconds,
        "unit": one.unit,
        **(_count_as_json(one.count) if one.count else {}),
    }


def _count_as_json(count: ErrorCount) -> dict[str, int]:
    return {
        "errors": count.errors,
        "substitutions": count.substitutions,
        "deletions": count.deletions,
        "insertions": count.insertions,
        "reference_length": count.reference_length,
    }


def _all_summaries(run: Run) -> list[Summary]:
    summaries = run.by_language()
    return summaries if len(summaries) == 1 else [*summaries, run.overall()]


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.2%}"


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.2%} to {interval[1]:.2%}"


def _share(above: float, below: float) -> float | None:
    return round(above / below, 3) if below > 0 else None


def _rtfx(audio_seconds: float, seconds: float) -> str:
    return f"{audio_seconds / seconds:.1f}" if seconds > 0 else "-"


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Columns under each other: the first to the left, the others to the right."""
    widths = [max(_columns(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        cells = [
            row[0] + " " * (widths[0] - _columns(row[0])),
            *(
                " " * (width - _columns(cell)) + cell
                for cell, width in zip(row[1:], widths[1:], strict=True)
            ),
        ]
        yield "  ".join(cells).rstrip()


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
