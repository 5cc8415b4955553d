"""Reads the settings of the environment, with words for what is wrong.

Every variable is declared where it is read (``settings.py``), with its default and one line of
help; the list of declarations is what the table in the README is checked against.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, kw_only=True)
class Declared:
    """One variable of the environment that the project reads."""

    name: str
    default: str
    help: str


def read_env_file(path: Path) -> dict[str, str]:
    """Return the ``NAME=value`` lines of a .env file; blank lines and ``#`` lines are skipped.

    Values may stand in matching quotes. Nothing is expanded. A line of another form raises
    ``ImproperlyConfigured`` with its number.
    """
    values: dict[str, str] = {}
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.removeprefix("export ").partition("=")
        if not equals or not name.strip().isidentifier():
            raise ImproperlyConfigured(f"{path.name} line {number}: expected NAME=value.")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        values[name.strip()] = value
    return values


class Env:
    """Typed reading of variables; the real environment wins over the .env file."""

    def __init__(self, environ: Mapping[str, str], file_values: Mapping[str, str]) -> None:
        self._values = {**file_values, **environ}
        self.declared: list[Declared] = []

    def _read(self, name: str, default: T, help: str, convert: Callable[[str], T]) -> T:
        shown = "" if default is None else str(default)
        if isinstance(default, bool):
            shown = str(default).lower()
        elif isinstance(default, list):
            shown = ",".join(default)
        self.declared.append(Declared(name=name, default=shown, help=help))
        raw = self._values.get(name, "").strip()
        if not raw:
            return default
        try:
            return convert(raw)
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}={raw!r}: {error}") from error

    def text(self, name: str, default: str, help: str) -> str:
        return self._read(name, default, help, str)

    def choice(self, name: str, default: str, choices: tuple[str, ...], help: str) -> str:
        def convert(raw: str) -> str:
            if raw not in choices:
                raise ValueError(f"expected one of {', '.join(choices)}.")
            return raw

        return self._read(name, default, f"{help} One of {', '.join(choices)}.", convert)

    def flag(self, name: str, default: bool, help: str) -> bool:
        def convert(raw: str) -> bool:
            if raw.lower() in TRUE_WORDS:
                return True
            if raw.lower() in FALSE_WORDS:
                return False
            raise ValueError("expected true or false.")

        return self._read(name, default, help, convert)

    def integer(
        self, name: str, default: int, help: str, *, low: int = 0, high: int = 2**53
    ) -> int:
        def convert(raw: str) -> int:
            try:
                value = int(raw)
            except ValueError:
                raise ValueError("expected a whole number.") from None
            if not low <= value <= high:
                raise ValueError(f"expected a whole number from {low} to {high}.")
            return value

        return self._read(name, default, help, convert)

    def number(
        self, name: str, default: float, help: str, *, low: float = 0.0, high: float = 1e9
    ) -> float:
        def convert(raw: str) -> float:
            try:
                value = float(raw)
            except ValueError:
                raise ValueError("expected a number.") from None
            if not low <= value <= high:
                raise ValueError(f"expected a number from {low:g} to {high:g}.")
            return value

        return self._read(name, default, help, convert)

    def words(self, name: str, default: list[str], help: str) -> list[str]:
        return self._read(
            name,
            default,
            help,
            lambda raw: [word.strip() for word in raw.split(",") if word.strip()],
        )

    def numbers(self, name: str, default: list[str], help: str) -> list[float]:
        """A list of numbers of at least 0, separated by commas."""

        def convert(raw: str) -> list[str]:
            words = [word.strip() for word in raw.split(",") if word.strip()]
            if any(float(word) < 0 for word in words):
                raise ValueError("expected numbers of at least 0, separated by commas.")
            return words

        return [float(word) for word in self._read(name, default, help, convert)]


def database_from_url(url: str) -> dict[str, Any]:
    """Return the Django settings of a database named by URL.

    ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or
    ``postgresql://user:password@host:port/name?sslmode=require`` (options of the query go to the
    driver). Raises ``ImproperlyConfigured`` for any other.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and parts.path.strip("/"):
        return sqlite_settings(Path(unquote(parts.path.removeprefix("/"))))
    if parts.scheme in {"postgres", "postgresql"} and parts.path.strip("/"):
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.strip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": unquote(parts.hostname or ""),
            "PORT": parts.port or "",
            "CONN_MAX_AGE": 0,
            # A server that is gone without a word would keep every request waiting for minutes.
            "OPTIONS": {"connect_timeout": "10", **dict(parse_qsl(parts.query))},
        }
    raise ImproperlyConfigured(
        "ASR_DATABASE_URL: expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME."
    )


#: Scheme -> port by default, STARTTLS, TLS from the start.
_MAIL_SCHEMES = {
    "smtp": (587, True, False),
    "smtps": (465, False, True),
    "smtp+plain": (25, False, False),
}


def email_from_url(url: str) -> dict[str, Any]:
    """Return the Django settings of a mail server named by URL, as the help of ASR_EMAIL_URL says.

    User and password are percent-encoded. Raises ``ImproperlyConfigured`` for any other URL.
    """
    wrong = ImproperlyConfigured(
        "ASR_EMAIL_URL: expected smtp://USER:PASSWORD@HOST:PORT, smtps://… or smtp+plain://…."
    )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise wrong from error
    if parts.scheme not in _MAIL_SCHEMES or not parts.hostname or parts.path.strip("/"):
        raise wrong
    default_port, starttls, tls = _MAIL_SCHEMES[parts.scheme]
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port or default_port,
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": starttls,
        "EMAIL_USE_SSL": tls,
    }


def sqlite_settings(path: Path) -> dict[str, Any]:
    """Return the settings of the embedded database, as they were measured to be right.

    IMMEDIATE: with the default half of the concurrent uploads fail with "database is locked".
    WAL: readers never wait for a writer. FULL: what was acknowledged survives a power cut.
    secure_delete: what is deleted is overwritten, not only forgotten.
    """
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
            "PRAGMA secure_delete=ON;",
        },
        # A file for the tests too: several threads and processes work on it.
        "TEST": {"NAME": path.with_name(f"test-{path.name}")},
    }


def environment(base_dir: Path) -> Env:
    """Return the reader over the process's environment and ``base_dir/.env``.

    ``ASR_ENV_FILE`` names another file; ``ASR_ENV_FILE=`` (empty) reads none.
    """
    named = os.environ.get("ASR_ENV_FILE")
    path = base_dir / ".env" if named is None else Path(named)
    values = read_env_file(path) if (named or named is None) and path.is_file() else {}
    return Env(os.environ, values)
