"""``manage.py words``: the catalogues of what people read, made anew from the sources."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import compilemessages, makemessages
from django.core.management.utils import popen_wrapper

#: Names of the folders below ``locale/``.
LOCALES = ("en", "zh_Hans")
#: Where nothing is written for people to read, or what other people wrote.
IGNORED = (
    *(".*", "node_modules", "var", "models_weights", "samples"),
    *("tests", "tools", "clients", "docs", "vendor"),
)
#: Lines of a catalogue's head that change with every run, or with the machine.
_UNSTEADY = re.compile(r'^"(?:POT-Creation-Date|X-Generator):.*\n', re.MULTILINE)


class Command(makemessages.Command):
    """Django's own makemessages with the choices of this project, and then compilemessages.

    Without guesses: a new string stands empty until somebody translates it, one that is gone
    goes. Its output depends on the sources alone, so that a difference is a difference.
    """

    help = (
        "Write locale/*/LC_MESSAGES/django.po anew from the sources and compile them. "
        "Needs GNU gettext (apt install gettext). See docs/translating.md."
    )
    requires_system_checks: list[str] = []
    # _T marks a string that is translated later: services.errors and others.
    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=_T"]
    msgmerge_options = ["-q", "--backup=none", "--update", "--no-fuzzy-matching"]

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take none: what makemessages leaves to choose is chosen here."""

    def handle(self, *args: Any, **options: Any) -> None:
        for name in LOCALES:
            folder = Path(settings.LOCALE_PATHS[0], name, "LC_MESSAGES")
            folder.mkdir(parents=True, exist_ok=True)
        super().handle(
            *args,
            **{
                **options,
                "locale": list(LOCALES),
                "exclude": [],
                "domain": "django",
                "all": False,
                "extensions": ["py", "html", "txt"],
                "symlinks": False,
                "ignore_patterns": list(IGNORED),
                "use_default_ignore_patterns": True,
                "no_wrap": True,
                "no_location": False,
                "add_location": "file",
                "no_obsolete": True,
                "keep_pot": False,
            },
        )
        for name in LOCALES:
            compile_catalogue(Path(settings.LOCALE_PATHS[0], name, "LC_MESSAGES", "django.po"))

    def write_po_file(self, potfile: str, locale: str) -> None:
        super().write_po_file(potfile, locale)
        path = Path(potfile).parent / locale / "LC_MESSAGES" / "django.po"
        path.write_text(
            _UNSTEADY.sub("", path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n"
        )


def compile_catalogue(path: Path) -> None:
    """Write the .mo beside a .po. Raises ``CommandError`` where placeholders differ."""
    output, errors, status = popen_wrapper(
        [
            compilemessages.Command.program,
            *compilemessages.Command.program_options,
            "-o",
            str(path.with_suffix(".mo")),
            str(path),
        ]
    )
    if status:
        raise CommandError(f"{path} cannot be compiled:\n{errors or output}")
