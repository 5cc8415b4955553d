"""``manage.py write_docs``: the tables of the documentation that are made from the code."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from asr_project.env import Declared
from transcription.services.errors import ERRORS, ErrorKind

#: Words between which a README has its table of settings.
BEGIN, END = "<!-- settings -->", "<!-- /settings -->"


class Command(BaseCommand):
    help = "Write the tables of settings and errors anew; --check: only say whether they are true."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        outdated = []
        for name, text in made_from_code().items():
            path = settings.BASE_DIR / name
            if path.exists() and path.read_text(encoding="utf-8") == text:
                continue
            outdated.append(name)
            if not options["check"]:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
                self.stdout.write(f"Wrote {name}.")
        if options["check"] and outdated:
            raise CommandError(
                f"{', '.join(outdated)} no longer say what the code does: run manage.py write_docs."
            )


def made_from_code() -> dict[str, str]:
    """Return the path and text of every file that is made from the code, or has a part that is."""
    declared: Sequence[Declared] = settings.ENV.declared
    made = {
        ".env.example": env_example(declared),
        "docs/errors.md": errors_page(list(ERRORS.values())),
    }
    for name in ("README.md", "README.zh-CN.md"):
        text = (settings.BASE_DIR / name).read_text(encoding="utf-8")
        made[name] = re.sub(
            f"{BEGIN}.*?{END}",
            lambda _found: f"{BEGIN}\n{settings_table(declared)}{END}",
            text,
            flags=re.DOTALL,
        )
    return made


def settings_table(declared: Sequence[Declared]) -> str:
    """Return the settings as a Markdown table."""
    lines = ["| Variable | Default | Meaning |", "|---|---|---|"]
    lines += [
        f"| `{one.name}` | {f'`{one.default}`' if one.default else ''} | {one.help} |"
        for one in declared
    ]
    return "\n".join(lines) + "\n"


def env_example(declared: Sequence[Declared]) -> str:
    """Return a .env file with every setting at its default, commented out."""
    head = (
        "# Every setting with its default. Copy to .env and take the # away from what you change.\n"
    )
    return head + "".join(f"\n# {one.help}\n#{one.name}={one.default}\n" for one in declared)


def errors_page(kinds: Sequence[ErrorKind]) -> str:
    """Return the page of all errors."""
    lines = [
        "# Errors",
        "",
        "Every error has a code that never changes. The transcribe route answers",
        '`{"code": <number>, "message": <words>, "data": null}`; the other addresses below',
        '`/api/v1/` answer `{"code": "<code>", "message": <words>}`. The words may change and be',
        "translated; programs read the code or the number. A transcription that failed carries the",
        "code in its `error`.",
        "",
        "| Number | Code | HTTP | What it says |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {kind.number} | `{kind.code}` | {kind.status or '-'} | {kind.words} |"
        for kind in sorted(kinds, key=lambda kind: kind.number)
    ]
    return "\n".join(lines) + "\n"
