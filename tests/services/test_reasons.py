"""A worker's reasons are said in the language of whoever reads them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.utils import translation

from transcription.services.reasons import REASONS, because_in_words

WORK = Path(__file__).parent.parent.parent / "transcription" / "work"


def _written() -> set[str]:
    """Return what the workers' code gives as ``because``, with a 7 for whatever is filled in."""
    found = set()
    for path in WORK.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            values: list[ast.expr] = []
            if (isinstance(node, ast.keyword) and node.arg == "because") or (
                isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "because"
            ):
                values = [node.value]
            elif isinstance(node, ast.FunctionDef) and node.name == "_why_go":
                values = [
                    inner.value
                    for inner in ast.walk(node)
                    if isinstance(inner, ast.Return) and inner.value is not None
                ]
            for value in values:
                if isinstance(value, ast.Constant) and value.value:
                    found.add(str(value.value))
                elif isinstance(value, ast.JoinedStr):
                    found.add(
                        "".join(
                            str(part.value) if isinstance(part, ast.Constant) else "7"
                            for part in value.values
                        ).replace("swapped for 7: 7", "swapped for 7: 3.4 of 4.0 GB")
                    )
    return found


def test_every_reason_that_the_workers_write_is_known() -> None:
    written = _written()
    assert len(written) == len(REASONS)
    unknown = [
        reason
        for reason in written
        if not any(re.fullmatch(pattern, reason) for pattern, _ in REASONS)
    ]
    assert unknown == []


@pytest.mark.parametrize(
    ("reason", "chinese"),
    [
        ("swapped for tiny: 3.4 of 4.0 GB", "已换成 tiny：3.4/4.0 GB"),
        ("idle for 10 minutes", "已空闲 10 分钟"),
        ("some reason of an older version", "some reason of an older version"),
    ],
)
def test_it_is_said_in_the_readers_language(reason: str, chinese: str) -> None:
    with translation.override("zh-hans"):
        assert because_in_words(reason) == chinese
    with translation.override("en"):
        assert because_in_words(reason) == reason
