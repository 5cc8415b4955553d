"""What several folders of tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.served import Served

#: Files that take longest. Begun first, so that no process is left alone with one at the end.
LONGEST = (
    *("tests/test_postgresql.py", "tests/service/test_long_recording.py"),
    *("tests/management/test_transcribe.py", "tests/service/test_schema.py"),
    *("tests/engines/test_whisper.py", "tests/torture/test_torture.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, each in its own order."""

    def place(item: pytest.Item) -> int:
        name = item.nodeid.partition("::")[0]
        return LONGEST.index(name) if name in LONGEST else len(LONGEST)

    items.sort(key=place)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A database in a file, as it is in service: threads and processes can share it."""
    from django.db import connections

    default = connections.databases["default"]
    if default["ENGINE"].endswith("sqlite3"):
        default["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


@pytest.fixture(autouse=True)
def _no_language_stays_behind() -> Iterator[None]:
    """A request of a test's client leaves its language active in the test's thread."""
    from django.utils import translation

    yield
    translation.deactivate()


@pytest.fixture
def data_dir(settings: Any, tmp_path: Path) -> Path:
    """Folders for recordings that nothing else sees."""
    for name in ("MEDIA_ROOT", "INCOMING_DIR", "WORK_DIR"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        setattr(settings, name, folder)
    settings.FILE_UPLOAD_TEMP_DIR = settings.INCOMING_DIR
    return tmp_path


def database_url(database: dict[str, Any]) -> str:
    if database["ENGINE"].endswith("sqlite3"):
        return f"sqlite:///{database['NAME']}"
    user, password = quote(database["USER"]), quote(database["PASSWORD"])
    return (
        f"postgresql://{user}:{password}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    )


@pytest.fixture
def serve(transactional_db: None, tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts web processes over the test's database: ``serve(ASR_MAX_UPLOAD_MB="1")``."""
    from django.conf import settings
    from django.db import connection

    running: list[Served] = []

    def start(**environment: str) -> Served:
        served = Served(
            tmp_path / f"served{len(running)}",
            database_url(connection.settings_dict),
            # Sessions that a test makes are valid there too.
            **{"ASR_SECRET_KEY": settings.SECRET_KEY, **environment},
        )
        running.append(served)
        return served

    yield start
    for served in running:
        served.stop()


@pytest.fixture(scope="session")
def _standing_web_processes(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[tuple[tuple[str, str], ...], Served]]:
    standing: dict[tuple[tuple[str, str], ...], Served] = {}
    yield standing
    for served in standing.values():
        served.stop()


@pytest.fixture
def serve_standing(
    transactional_db: None,
    tmp_path_factory: pytest.TempPathFactory,
    _standing_web_processes: dict[tuple[tuple[str, str], ...], Served],
) -> Callable[..., Served]:
    """As ``serve``, but a process is kept for the next test that wants the same settings.

    For tests that leave nothing behind in it: the rows of the database are emptied anyway.
    """
    from django.conf import settings
    from django.db import connection

    def start(**environment: str) -> Served:
        key = tuple(sorted(environment.items()))
        if key not in _standing_web_processes:
            _standing_web_processes[key] = Served(
                tmp_path_factory.mktemp("standing"),
                database_url(connection.settings_dict),
                **{
                    "ASR_SECRET_KEY": settings.SECRET_KEY,
                    # Tokens of one test have the numbers of another's, and are counted together.
                    "ASR_RATE_USER": "100000/m",
                    **environment,
                },
            )
        return _standing_web_processes[key]

    return start


@pytest.fixture
def token(transactional_db: None) -> str:
    """The token of a user named ann, who may do everything that a user may."""
    from django.contrib.auth.models import User

    from transcription.services import tokens

    return tokens.create(User.objects.create_user("ann"), name="of the tests")[1]
