"""What `make` says on a machine that lacks something."""

from __future__ import annotations

import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "venv.sh"


def run(tmp_path: Path, python: str, requirements: str = "") -> subprocess.CompletedProcess[str]:
    (tmp_path / "requirements.txt").write_text(requirements)
    return subprocess.run(
        ["sh", str(SCRIPT), ".venv", "requirements.txt"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )


def fake_python(tmp_path: Path, body: str) -> str:
    path = tmp_path / "fake-python"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_a_missing_python_is_named_with_what_to_install(tmp_path: Path) -> None:
    ended = run(tmp_path, "no-such-python")
    assert ended.returncode == 1
    assert "There is no no-such-python" in ended.stderr
    assert "apt install python3" in ended.stderr


def test_an_old_python_is_named_with_its_version(tmp_path: Path) -> None:
    python = fake_python(tmp_path, 'case "$1" in --version) echo "Python 3.9.2";; *) exit 1;; esac')
    ended = run(tmp_path, python)
    assert ended.returncode == 1
    assert "Python 3.9.2 is too old: 3.11 or newer is needed" in ended.stderr


def test_a_python_without_venv_is_told_the_package(tmp_path: Path) -> None:
    python = fake_python(tmp_path, 'case "$2" in *ensurepip*) exit 1;; *) exit 0;; esac')
    ended = run(tmp_path, python)
    assert ended.returncode == 1
    assert "apt install python3-venv" in ended.stderr


def test_what_is_installed_is_installed_again_only_when_a_requirement_changed(
    tmp_path: Path,
) -> None:
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    for name in ("python", "pip"):
        program = binaries / name
        program.write_text('#!/bin/sh\n[ "$1" = -m ] && echo "$@" >>calls\nexit 0\n')
        program.chmod(0o755)
    calls = tmp_path / "calls"
    for _ in range(2):
        assert run(tmp_path, "python3").returncode == 0
    assert len(calls.read_text().splitlines()) == 1
    assert run(tmp_path, "python3", "some-package==1.0").returncode == 0
    assert len(calls.read_text().splitlines()) == 2


def test_an_installation_that_failed_is_tried_again(tmp_path: Path) -> None:
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    for name in ("python", "pip"):
        program = binaries / name
        program.write_text('#!/bin/sh\n[ "$1" != -m ]\n')
        program.chmod(0o755)
    for _ in range(2):
        ended = run(tmp_path, "python3")
        assert ended.returncode == 1
        assert "pip could not install requirements.txt" in ended.stderr
