"""The pages of a service that holds a million transcriptions: lists, filters, search, admin."""

from __future__ import annotations

import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from django.conf import settings

from transcription.management.benchmarks.common import (
    Figure,
    at_most,
    percentile_95,
    web_alone,
)
from transcription.management.benchmarks.processes import memory_bytes

ROWS = 1_000_000
#: At the 95th percentile, for every page.
MOST_SECONDS = 0.300
#: What the web process may grow by while it answers some thousand requests.
MOST_GROWTH_MEBIBYTES = 20.0
REPEATS = 40

API = "/api/v1/transcriptions/"
ADMIN = "/admin/transcription/transcription/"


def measure(*, rows: int = ROWS, database_url: str = "", repeats: int = REPEATS) -> list[Figure]:
    """Fill a temporary database and ask a web process for each page, one request at a time.

    ``database_url`` names a PostgreSQL server by any database of it that may be connected to: a
    database is made there, and dropped in the end. Without it the database is a SQLite file.
    """
    with (
        tempfile.TemporaryDirectory(prefix="asr-benchmark-") as data_dir,
        _database(Path(data_dir), database_url) as url,
    ):
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "asr_project.settings",
            "ASR_DATA_DIR": data_dir,
            "ASR_DATABASE_URL": url,
            "ASR_RATE_USER": "1000000/m",
        }
        started = time.monotonic()
        filled = _fill(rows, environment)
        fill_seconds = time.monotonic() - started
        size = _size_bytes(Path(data_dir), url)
        with web_alone(environment) as (port, pid), closing(_Client(port, filled)) as client:
            pages = _pages(rows, filled)
            for name, (who, path) in pages.items():
                client.seconds(name, who, path)
            before = memory_bytes(pid) / 2**20
            figures = []
            for name, (who, path) in pages.items():
                seconds = [client.seconds(name, who, path) for _ in range(repeats)]
                figures += [
                    Figure(name=f"{name}, median", value=statistics.median(seconds), unit="s"),
                    at_most(f"{name}, p95", percentile_95(seconds), "s", MOST_SECONDS),
                ]
            after = memory_bytes(pid) / 2**20
    return [
        Figure(name="rows", value=rows, unit=""),
        Figure(name="filled in", value=fill_seconds, unit="s"),
        Figure(name="database", value=size / 2**20, unit="MiB"),
        *figures,
        Figure(name="memory (RSS) of the web process before", value=before, unit="MiB"),
        at_most("and what it grew by", after - before, "MiB", MOST_GROWTH_MEBIBYTES),
    ]


def _pages(rows: int, filled: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return name -> (who asks, path) of what is measured."""
    day = datetime.now(UTC).date()
    month, year = day - timedelta(days=30), day - timedelta(days=365)
    chinese, english = filled["rare_words"]

    def api(**query: str | int) -> str:
        return f"{API}?{urlencode(query)}"

    def admin(**query: str | int) -> str:
        return f"{ADMIN}?{urlencode(query)}"

    return {
        "list, owner of 300,000": ("user", API),
        "list, staff": ("staff", api(page_size=100)),
        "list, oldest first": ("user", api(ordering="created_at")),
        "list, page in the middle": ("staff", api(cursor=_cursor(year))),
        "list, status failed": ("user", api(status="failed")),
        "list, status that is rare": ("staff", api(status="queued")),
        "list, two statuses": ("staff", api(status="failed,cancelled")),
        "list, language": ("user", api(language="fr")),
        "list, model": ("staff", api(model="whisper-base")),
        "list, language, model, status": (
            "staff",
            api(language="fr", model="whisper-base", status="cancelled"),
        ),
        "list, a month a year ago": (
            "user",
            api(created_after=str(year), created_before=str(year + timedelta(days=30))),
        ),
        "list, owner": ("staff", api(owner="owner7")),
        "one transcription": ("staff", f"{API}{filled['newest']}/"),
        "search, rare name": ("user", api(search=chinese)),
        "search, rare name, staff": ("staff", api(search=english)),
        "search, two characters in half of all": ("user", api(search="我们")),
        "search, the same, staff": ("staff", api(search="我们")),
        "search, one character": ("staff", api(search="大")),
        "search, two words": ("staff", api(search="预算 医生")),
        "search, six characters": ("staff", api(search="语音识别系统")),
        "search, words in half of all": ("staff", api(search="the")),
        "search, phrase": ("staff", api(search='"quarterly report"')),
        "search, phrase of common words": ("staff", api(search='"and that was it"')),
        "search, words never together": ("staff", api(search="the 我们")),
        "search, unknown word": ("staff", api(search="鼹鼠")),
        "search, with a filter": ("user", api(search="我们", status="failed")),
        "admin, list": ("admin", ADMIN),
        "admin, last page": ("admin", admin(p=min(200, -(-rows // 50)))),
        "admin, status": ("admin", admin(status__exact="failed")),
        "admin, status that is rare": ("admin", admin(status__exact="queued")),
        "admin, language": ("admin", admin(language="fr")),
        "admin, model": ("admin", admin(model="whisper-base")),
        "admin, language, model, status": (
            "admin",
            admin(language="fr", model="whisper-base", status__exact="cancelled"),
        ),
        "admin, 30 days": ("admin", admin(created_from=str(month))),
        "admin, a year": ("admin", admin(created_from=str(year), created_to=str(day))),
        "admin, oldest first": ("admin", admin(o="3")),
        "admin, search": ("admin", admin(q=chinese)),
        "admin, search, half of all": ("admin", admin(q="我们")),
        "admin, search, a month a year ago": (
            "admin",
            admin(q="我们", created_from=str(year), created_to=str(year + timedelta(days=30))),
        ),
        "admin, one transcription": ("admin", f"{ADMIN}{filled['newest']}/change/"),
        "engine room": ("admin", "/admin/transcription/engine-room/"),
        "metrics": ("admin", "/metrics"),
    }


def _cursor(day: Any) -> str:
    from base64 import b64encode

    return b64encode(urlencode({"p": f"{day} 00:00:00+00:00"}).encode()).decode()


class _Client:
    """Asks for pages over one connection that stays."""

    def __init__(self, port: int, filled: Mapping[str, Any]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        self._headers = {
            "user": {"Authorization": f"Token {filled['user_token']}"},
            "staff": {"Authorization": f"Token {filled['staff_token']}"},
            "admin": {"Cookie": f"sessionid={filled['session_key']}"},
        }

    def close(self) -> None:
        self._connection.close()

    def seconds(self, name: str, who: str, path: str) -> float:
        """Return how long the page took; raises ``RuntimeError`` where it is none."""
        started = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers[who])
        answer = self._connection.getresponse()
        body = answer.read()
        taken = time.perf_counter() - started
        if answer.status != 200:
            raise RuntimeError(f"{name}: {path} answered {answer.status}: {body[:300]!r}")
        return taken


def _fill(rows: int, environment: Mapping[str, str]) -> dict[str, Any]:
    """Fill in a process of its own, since the database is not that of this one."""
    script = (
        "import dataclasses, json, sys, django; django.setup()\n"
        "from transcription.management.benchmarks.many_rows import fill\n"
        "print(json.dumps(dataclasses.asdict(fill(int(sys.argv[1])))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(rows)],
        env=dict(environment),
        cwd=settings.BASE_DIR,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"The database could not be filled: {done.stderr[-2000:]}")
    filled: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return filled


@contextmanager
def _database(data_dir: Path, server_url: str) -> Iterator[str]:
    """Make an empty database; yield its URL; drop it."""
    if not server_url:
        yield f"sqlite:///{data_dir / 'benchmark.sqlite3'}"
        return
    import psycopg

    name = f"asr_benchmark_{os.getpid()}"
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server_url, autocommit=True) as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _size_bytes(data_dir: Path, url: str) -> int:
    if url.startswith("sqlite"):
        return sum(path.stat().st_size for path in data_dir.glob("benchmark.sqlite3*"))
    import psycopg

    with psycopg.connect(url) as database:
        row = database.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(row[0]) if row else 0
