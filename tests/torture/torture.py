"""One torture from beginning to end: a service under load, kills, and the account of it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.torture.clients import Crowd, Upload, recordings
from tests.torture.victims import Victim, processes_of, victims
from transcription.management.running_service import RunningService

ROOT = Path(__file__).resolve().parents[2]
CHORES_WORKERS = 2
WORKERS = {"engine-0": 1, "chores": CHORES_WORKERS}
ROLES = {
    ("web", "main"),
    ("chores", "decoder"),
    *(
        (cluster, role)
        for cluster in WORKERS
        for role in ("main", "sentinel", "worker", "monitor", "pusher")
    ),
}
POLL_SECONDS = 0.1
#: How long the service may take to be back, on a machine that is free.
BACK_SECONDS = 5.0
CLIENTS = 4
PATIENCE_SECONDS = 90.0


def environment(data_dir: Path, database_url: str, redis_url: str) -> dict[str, str]:
    """Return the settings of the service: the real ones with short pauses."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("ASR_")},
        "DJANGO_SETTINGS_MODULE": "tests.torture.service_settings",
        "PYTHONPATH": str(ROOT),
        "ASR_ENV_FILE": "",
        "ASR_DATA_DIR": str(data_dir),
        "ASR_DATABASE_URL": database_url,
        "ASR_REDIS_URL": redis_url,
        "ASR_LEASE_SECONDS": "10",
        "ASR_TICK_SECONDS": "0.5",
        # A row may be under way at many of the kills; in service each is rare.
        "ASR_RETRY_DELAYS_SECONDS": ",".join(["0", *["0.2"] * 60]),
        "ASR_RESTART_LIMIT_SECONDS": "0.5",
        "ASR_RATE_USER": "1000000/m",
        "ASR_RATE_API_USER": "1000000/m",
        "ASR_RATE_API_TOKEN": "1000000/m",
        "ASR_RATE_API_UPLOADS": "1000000/m",
        "ASR_MIN_FREE_DISK_MB": "0",
        "ASR_CHORES_WORKERS": str(CHORES_WORKERS),
        "ASR_LOG_LEVEL": "INFO",
    }


class Observer:
    """The process that looks into the service's database for us."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.observer"],
            env=dict(variables),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid

    def ask(self, command: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        with self._process:
            pass  # the end of its input ends it


@dataclass(frozen=True, kw_only=True)
class Kill:
    """One kill and when the service was itself again."""

    victim: Victim
    at: float
    #: Until nothing was held by the dead and everything was there again; None: not measured,
    #: because the next kill came before.
    back_seconds: float | None


@dataclass(kw_only=True)
class Account:
    """What became of it all."""

    kills: list[Kill]
    uploads: int = 0
    accepted: int = 0
    unanswered: int = 0
    rows: int = 0
    starts: int = 0
    first_answer_seconds: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    exit_status: int | None = None
    stop_seconds: float = 0.0

    def in_words(self, title: str) -> str:
        """Return the figures for a person."""
        back = [kill.back_seconds for kill in self.kills if kill.back_seconds is not None]
        by_role = Counter(f"{kill.victim.program} {kill.victim.role}" for kill in self.kills)
        return "\n".join(
            [
                f"\n{title}: {len(self.kills)} kills, {self.uploads} uploads, "
                f"{self.accepted} accepted, {self.unanswered} broken off, {self.rows} rows, "
                f"{self.starts} starts of pieces, {len(self.faults)} faults",
                f"  back after {_spread(back)}; "
                f"first text of a later upload after {_spread(self.first_answer_seconds)}",
                f"  stopped in {self.stop_seconds:.1f} s with status {self.exit_status}",
                "  killed: " + ", ".join(f"{role} {n}" for role, n in sorted(by_role.items())),
            ]
        )


def _spread(seconds: list[float]) -> str:
    if not seconds:
        return "(not measured)"
    return (
        f"{statistics.median(seconds):.2f} s (median), {max(seconds):.2f} s (worst of "
        f"{len(seconds)})"
    )


class Rack:
    """A database, an account and an observer; services run over them. A context manager."""

    def __init__(
        self, data_dir: Path, database_url: str = "", redis_url: str = "", **variables: str
    ) -> None:
        self.data_dir = data_dir
        data_dir.mkdir()
        self._variables = {**environment(data_dir, database_url, redis_url), **variables}
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            env=self._variables,
            cwd=ROOT,
            check=True,
        )
        self.observer = Observer(self._variables)
        self.token = self.observer.ask("prepare")["token"]

    def __enter__(self) -> Rack:
        return self

    def __exit__(self, *details: object) -> None:
        self.observer.close()

    def service(self) -> RunningService:
        """Return a service that is not started yet."""
        return RunningService(
            base_dir=ROOT,
            data_dir=self.data_dir,
            log_path=self.data_dir / "output.log",
            environment=self._variables,
        )

    def wait_until_all_is_done(self) -> None:
        _wait_until(
            lambda: self.observer.ask("state")["unfinished"] == 0, "every row to come to its end"
        )

    def survivors(self) -> set[int]:
        """Return the processes of services that are left."""
        return set(processes_of(str(self.data_dir))) - {self.observer.pid}


def calm_texts(crowd: Crowd) -> list[str | None]:
    """Return what each recording says while nobody is killed."""
    with ThreadPoolExecutor() as pool:
        return [upload.text for upload in pool.map(crowd.upload, range(len(crowd.recordings)))]


def torture(
    data_dir: Path,
    *,
    kills: int,
    seed: int,
    pause_seconds: float,
    database_url: str = "",
    redis_url: str = "",
) -> Account:
    """Run a service under load, kill ``kills`` of its processes, and give the account.

    ``pause_seconds``: the longest time that it is left in peace between two kills.
    """
    account = Account(kills=[])
    with Rack(data_dir, database_url, redis_url) as rack:
        with rack.service() as service:
            crowd = Crowd(url=service.url, token=rack.token, recordings=recordings(), seed=seed)
            expected = calm_texts(crowd)
            crowd.start(CLIENTS)
            killer = Killer(service, rack.observer, random.Random(seed), pause_seconds)
            while len(account.kills) < kills:
                account.kills.extend(killer.strike())
            crowd.finish()
            rack.wait_until_all_is_done()
            began = time.monotonic()
            account.exit_status = service.stop()
            account.stop_seconds = time.monotonic() - began
        _settle(account, crowd.uploads, expected, rack)
    return account


def torture_the_launcher(data_dir: Path, *, seed: int) -> Account:
    """End a whole service under load, by SIGKILL and by SIGTERM, and give the account."""
    account = Account(kills=[])
    uploads: list[Upload] = []
    expected: list[str | None] = []
    with Rack(data_dir) as rack:
        for by in (signal.SIGKILL, signal.SIGTERM):
            with rack.service() as service:
                crowd = Crowd(
                    url=service.url,
                    token=rack.token,
                    recordings=recordings(),
                    seed=seed,
                    first_number=len(uploads),
                )
                expected = expected or calm_texts(crowd)
                crowd.start(CLIENTS)
                _wait_until(lambda: rack.observer.ask("state")["unfinished"] > 1, "work to wait")
                os.kill(service.pid, by)
                began = time.monotonic()
                crowd.finish()
                account.exit_status = service.wait()
                account.stop_seconds = time.monotonic() - began
            uploads.extend(crowd.uploads)
        with rack.service():
            rack.wait_until_all_is_done()
        _settle(account, uploads, expected, rack)
    return account


class Killer:
    """Kills one process after the other and waits for the service to be back."""

    #: Share of kills that are followed by another before the service is back.
    IMPATIENCE = 0.2

    def __init__(
        self,
        service: RunningService,
        observer: Observer,
        chance: random.Random,
        pause_seconds: float,
    ) -> None:
        self._service = service
        self._pause_seconds = pause_seconds
        self._observer = observer
        self._chance = chance
        self._pause = threading.Event()
        self._deck: list[tuple[str, str]] = []

    def strike(self) -> list[Kill]:
        """Kill one process at a random moment, sometimes a second one soon after."""
        self._pause.wait(self._chance.uniform(0.0, self._pause_seconds))
        first = self._kill()
        if self._chance.random() < self.IMPATIENCE:
            self._pause.wait(self._chance.uniform(0.0, 1.0))
            second = self._kill()
            back_seconds = self._wait_until_back(second, first)
            return [
                Kill(victim=first[0], at=first[1], back_seconds=None),
                Kill(victim=second[0], at=second[1], back_seconds=back_seconds),
            ]
        return [Kill(victim=first[0], at=first[1], back_seconds=self._wait_until_back(first))]

    def _kill(self) -> tuple[Victim, float]:
        role = self._next_role()
        while True:
            found = [
                one
                for one in victims(self._service.pid, WORKERS)
                if (one.program, one.role) == role
            ]
            if found:
                victim = self._chance.choice(found)
                with contextlib.suppress(ProcessLookupError):  # it ended by itself: another
                    os.kill(victim.pid, signal.SIGKILL)
                    return victim, time.monotonic()
            self._pause.wait(POLL_SECONDS)  # it is just being started

    def _next_role(self) -> tuple[str, str]:
        """Return whose turn it is: in random order, but each as often as the others."""
        if not self._deck:
            self._deck = sorted(ROLES)
            self._chance.shuffle(self._deck)
        return self._deck.pop()

    def _wait_until_back(self, *killed: tuple[Victim, float]) -> float:
        dead = {victim.holder for victim, _ in killed if victim.role != "decoder"}
        _wait_until(lambda: self._is_back(dead), f"the service to be back after {killed}")
        return time.monotonic() - killed[0][1]

    def _is_back(self, dead: set[str]) -> bool:
        state = self._observer.ask("state")
        living = Counter(
            cluster.partition("@")[0] for cluster in state["workers"] if cluster not in dead
        )
        return (
            not dead & set(state["leased"])
            and all(living[cluster] >= count for cluster, count in WORKERS.items())
            and not dead & {one.holder for one in victims(self._service.pid, WORKERS)}
            and self._is_healthy()
        )

    def _is_healthy(self) -> bool:
        connection = http.client.HTTPConnection(
            self._service.url.removeprefix("http://"), timeout=5
        )
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE_SECONDS:g} s in vain for {what}")
        threading.Event().wait(POLL_SECONDS)


def _settle(
    account: Account, uploads: list[Upload], expected: list[str | None], rack: Rack
) -> None:
    """Compare what was answered with what is in the database; fill in the account."""
    rows = rack.observer.ask("rows")["rows"]
    faults = account.faults
    if None in expected or len(set(expected)) != len(expected):
        faults.append(f"recordings without a text of their own: {expected}")
    by_prompt: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_prompt.setdefault(row["prompt"], []).append(row)
    for upload in uploads:
        name = f"upload {upload.number}"
        found = by_prompt.pop(name, [])
        right = expected[upload.recording]
        if upload.status == 0:
            account.unanswered += 1
        elif upload.status not in {200, 202}:
            faults.append(f"{name}: answered with {upload.status}")
        else:
            account.accepted += 1
            if [row["id"] for row in found] != [upload.transcription_id]:
                faults.append(f"{name}: accepted, and its rows are {found}")
            if upload.status == 200 and upload.text != right:
                faults.append(f"{name}: answered with a wrong text: {upload.text!r}")
        if len(found) > 1:
            faults.append(f"{name}: {len(found)} rows")
        for row in found:
            if (row["status"], row["text"], row["warnings"]) != ("completed", right, []):
                faults.append(f"{name}: ended as {row}")
    faults.extend(f"a row that nobody sent: {prompt}" for prompt in by_prompt)
    if left := rack.survivors():
        faults.append(f"processes that outlived the stop: {left}")
    watch = rack.data_dir / "watch"
    if (watch / "violations").exists():
        faults.append(f"twice at once: {(watch / 'violations').read_text()}")
    account.starts = len((watch / "starts").read_text().splitlines())
    account.uploads, account.rows = len(uploads), len(rows)
    for kill in account.kills:
        later = [
            upload.answered_at - kill.at
            for upload in uploads
            if upload.posted_at >= kill.at and upload.status == 200
        ]
        if later:
            account.first_answer_seconds.append(min(later))
