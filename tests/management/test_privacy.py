"""The service tells nobody about itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_no_library_of_the_workers_writes_into_the_home_directory(tmp_path: Path) -> None:
    # onnxruntime keeps an identification of the machine there as soon as it reports to its maker.
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import asr_project.settings, onnxruntime, faster_whisper, ctranslate2, av",
        ],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "ASR_ENV_FILE": "",
            "ASR_DATA_DIR": str(tmp_path / "var"),
        },
        check=True,
    )
    assert list(home.iterdir()) == []
