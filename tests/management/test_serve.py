"""What a person meets who starts the service wrongly."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from transcription.work.locks import ServeLock

ROOT = Path(__file__).resolve().parents[2]


def manage(data_dir: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("ASR_")},
            "DJANGO_SETTINGS_MODULE": "asr_project.settings",
            "ASR_ENV_FILE": "",
            "ASR_DATA_DIR": str(data_dir),
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def served(data_dir: Path) -> Iterator[None]:
    run_dir = data_dir / "run"
    run_dir.mkdir(parents=True)
    lock = ServeLock(run_dir)
    lock.take()
    lock.announce("http://127.0.0.1:8000")
    try:
        yield
    finally:
        lock.release()


def test_a_data_directory_that_is_served_is_not_served_again(tmp_path: Path) -> None:
    with served(tmp_path):
        ended = manage(tmp_path, "serve", "--port", "0")
    assert ended.returncode == 1
    assert f"process {os.getpid()} on http://127.0.0.1:8000" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_settings_that_contradict_each_other_are_told_before_anything_starts(
    tmp_path: Path,
) -> None:
    ended = manage(tmp_path, "serve", "--port", "0", ASR_ENGINE_CLUSTERS="2", ASR_DEVICE="cuda:1")
    assert ended.returncode == 1
    assert "ASR_DEVICE=cuda:1 names one device" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_cluster_of_another_name_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    ended = manage(tmp_path, "cluster", "gpu")
    assert ended.returncode == 1
    assert "There is no cluster 'gpu'. There are: engine-0, engine-1…, chores." in ended.stderr


@pytest.mark.parametrize("command", ["cluster", "web"])
def test_a_process_whose_launcher_is_gone_ends_at_once(tmp_path: Path, command: str) -> None:
    words = ["cluster", "chores"] if command == "cluster" else ["web", "--fd", "0"]
    # Another process than ours is named as the launcher: to the child, its own has died.
    ended = manage(
        tmp_path,
        *words,
        *("--tie", "0:0:1"),
        Q_CLUSTER_NAME="chores",
        ASR_CLUSTER="chores@test",
    )
    assert ended.returncode == -9
