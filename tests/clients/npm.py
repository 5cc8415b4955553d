"""npm, as `make client` calls it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
VUE = ROOT / "clients" / "vue"
#: Exit statuses of tools/npm.sh that say what this machine lacks.
NO_NODE, NO_REGISTRY = 3, 4
#: What was found to be lacking, once it was.
_lacking: list[str] = []


def npm(*arguments: str) -> str:
    """Run npm in clients/vue and return what it printed; skip where there is none, or no net."""
    if _lacking:
        pytest.skip(_lacking[0])  # npm tries for a minute before it says so again
    done = subprocess.run(
        ["sh", "tools/npm.sh", sys.prefix, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode in {NO_NODE, NO_REGISTRY}:
        _lacking.append(done.stdout.strip().splitlines()[-1])
        pytest.skip(_lacking[0])
    assert done.returncode == 0, done.stdout
    return done.stdout
