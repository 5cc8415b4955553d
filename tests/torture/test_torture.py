"""No accepted upload is lost, whatever dies."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.torture.databases import NotInstalledError, postgresql, redis
from tests.torture.torture import BACK_SECONDS, Account, torture, torture_the_launcher

SEED = int(os.environ.get("ASR_TEST_TORTURE_SEED", "24"))
LONG_KILLS = int(os.environ.get("ASR_TEST_TORTURE_KILLS", "60"))
#: The long form is not stopped by the patience of the whole suite.
LONG_SECONDS = 3600


def judge(account: Account) -> None:
    assert account.faults == []
    assert account.exit_status == 0
    assert account.accepted > len(account.kills) / 2  # else there was no load to speak of
    # On a machine that is busy with other things, everything takes as many times longer.
    cores = os.cpu_count() or 1
    limit_seconds = BACK_SECONDS * max(1.0, os.getloadavg()[0] / cores)
    late = [kill for kill in account.kills if (kill.back_seconds or 0.0) > limit_seconds]
    assert late == []


def test_a_few_kills_lose_nothing(tmp_path: Path) -> None:
    account = torture(tmp_path / "var", kills=8, seed=SEED, pause_seconds=1.0)
    print(account.in_words("Short, SQLite"))
    judge(account)


def test_the_end_of_the_whole_service_loses_nothing(tmp_path: Path) -> None:
    account = torture_the_launcher(tmp_path / "var", seed=SEED)
    print(account.in_words("Launcher killed, then stopped"))
    assert account.faults == []
    assert account.exit_status == 0


@pytest.mark.torture
@pytest.mark.timeout(LONG_SECONDS)
def test_many_kills_lose_nothing_on_sqlite(tmp_path: Path) -> None:
    account = torture(tmp_path / "var", kills=LONG_KILLS, seed=SEED, pause_seconds=2.5)
    print(account.in_words("SQLite"))
    judge(account)


@pytest.mark.torture
@pytest.mark.timeout(LONG_SECONDS)
@pytest.mark.parametrize("with_redis", [False, True], ids=["postgresql", "postgresql and redis"])
def test_many_kills_lose_nothing_on_servers(tmp_path: Path, with_redis: bool) -> None:
    with ExitStack() as servers:
        try:
            database_url = servers.enter_context(postgresql())
            redis_url = servers.enter_context(redis()) if with_redis else ""
        except NotInstalledError as missing:
            pytest.skip(str(missing))
        account = torture(
            tmp_path / "var",
            kills=LONG_KILLS,
            seed=SEED + 1 + with_redis,
            pause_seconds=2.5,
            database_url=database_url,
            redis_url=redis_url,
        )
    print(account.in_words("PostgreSQL and Redis" if with_redis else "PostgreSQL"))
    judge(account)
