"""Who may import whom, and what a web process never loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BASE_DIR = Path(__file__).resolve().parent.parent
APP = BASE_DIR / "transcription"

#: Package -> packages of the app that it may import, besides itself.
MAY_IMPORT = {
    "audio": set(),
    "engines": set(),
    "text": set(),
    "punctuation": {"text"},
    "weights": {"engines"},
    "delivery": set(),
    "models": {"delivery"},
    "services": {"models", "audio", "text", "punctuation", "delivery"},
    "work": {"services", "models", "audio", "engines", "text", "punctuation", "delivery"},
    "web": {"services", "models", "text"},
    "api": {"services", "models", "text", "web"},
    "admin": {"services", "models", "text"},
}
#: Only engines and the commands that run them may load these.
HEAVY = {"torch", "transformers", "ctranslate2", "faster_whisper", "accelerate"}
#: Packages that must be usable without Django.
WITHOUT_DJANGO = {"audio", "delivery", "engines", "text", "weights", "punctuation"}
#: Only these run networks by it.
RUN_ONNX = {"audio", "punctuation"}
#: What a web process must never have loaded.
NOT_IN_THE_WEB = [*sorted(HEAVY), "numpy", "av", "onnxruntime", "opencc", "sentencepiece"]


def imports_of(path: Path) -> Iterator[str]:
    """Yield the full names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute"
            if node.module == "transcription":
                yield from (f"transcription.{alias.name}" for alias in node.names)
            else:
                yield node.module


def files_of(package: str) -> list[Path]:
    return sorted((APP / package).rglob("*.py"))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_in_the_directions_of_the_design(package: str) -> None:
    wrong = []
    for path in files_of(package):
        for name in imports_of(path):
            parts = name.split(".")
            if parts[0] == "transcription" and len(parts) > 1:
                other = parts[1]
                if other != package and other in MAY_IMPORT and other not in MAY_IMPORT[package]:
                    wrong.append(f"{path.relative_to(BASE_DIR)} imports {name}")
    assert wrong == []


@pytest.mark.parametrize("package", sorted(WITHOUT_DJANGO))
def test_the_packages_below_services_know_no_django(package: str) -> None:
    wrong = [
        f"{path.relative_to(BASE_DIR)} imports {name}"
        for path in files_of(package)
        for name in imports_of(path)
        if name.split(".")[0] in {"django", "rest_framework", "django_q", "asr_project"}
    ]
    assert wrong == []


def test_heavy_libraries_are_imported_by_engines_only() -> None:
    wrong = [
        f"{path.relative_to(BASE_DIR)} imports {name}"
        for path in sorted(APP.rglob("*.py"))
        if "engines" not in path.relative_to(APP).parts
        for name in imports_of(path)
        if name.split(".")[0] in HEAVY
    ]
    assert wrong == []


def test_onnxruntime_is_imported_by_the_packages_that_run_a_network_only() -> None:
    importers = {
        path.relative_to(APP).parts[0]
        for path in sorted(APP.rglob("*.py"))
        if "onnxruntime" in {name.split(".")[0] for name in imports_of(path)}
    }
    assert importers == RUN_ONNX


def test_only_the_settings_read_the_environment() -> None:
    """Names of the environment are read in one place; passing it on to a child is no reading."""
    wrong = []
    for path in sorted(APP.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            reads = (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) in {"os.getenv", "os.environ.get"}
            ) or (
                isinstance(node, ast.Subscript)
                and isinstance(node.ctx, ast.Load)
                and ast.unparse(node.value) == "os.environ"
            )
            if reads:
                wrong.append(f"{path.relative_to(BASE_DIR)}:{node.lineno}")
    assert wrong == []


def test_a_web_process_never_loads_an_engine() -> None:
    script = (
        "import os, sys\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'\n"
        "import asr_project.asgi\n"
        "from django.urls import get_resolver\n"
        "get_resolver().reverse_dict\n"
        f"print([name for name in {NOT_IN_THE_WEB!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=BASE_DIR, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_nothing_names_a_folder_of_the_machine_that_it_was_made_on() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=BASE_DIR, capture_output=True, check=False
    )
    if tracked.returncode != 0:
        pytest.skip("not a git checkout: there is no list of files")
    words = ["/" + "root/", "/" + "home/"]
    wrong = []
    for name in tracked.stdout.decode().split("\0"):
        path = BASE_DIR / name
        if name and path.is_file() and path.suffix in {".py", ".md", ".toml", ".txt", ".sh", ""}:
            text = path.read_text(encoding="utf-8", errors="replace")
            wrong += [f"{name}: {word}" for word in words if word in text]
    assert wrong == []
