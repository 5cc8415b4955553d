"""The same rows, leases and pipeline on PostgreSQL: the tests that touch them run there again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.torture.databases import NotInstalledError, postgresql

BASE_DIR = Path(__file__).resolve().parent.parent
#: What talks to the database in ways that differ between the two: locks, clocks, constraints.
SUITES = (
    *(
        "tests/models",
        "tests/services",
        "tests/management/test_backup.py",
        "tests/admin/test_audit.py",
    ),
    *(
        f"tests/work/test_{name}.py"
        for name in ("chores", "deliver", "pipeline", "retention", "retention_meanwhile", "upkeep")
    ),
    *(
        f"tests/api/test_{name}.py"
        for name in (
            "audit",
            "idempotency",
            "lists",
            "metrics",
            "review",
            "search",
            "transcriptions",
        )
    ),
)


@pytest.mark.timeout(900)
def test_rows_leases_services_and_the_pipeline_hold_on_postgresql_too() -> None:
    try:
        server = postgresql()
        with server as url:
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"),
                    *("-m", "not torture and not slow", *SUITES),
                ],
                cwd=BASE_DIR,
                env={**os.environ, "ASR_TEST_DATABASE_URL": url},
                capture_output=True,
                text=True,
                check=False,
            )
    except NotInstalledError as missing:
        pytest.skip(f"{missing} On Debian: apt install postgresql.")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
