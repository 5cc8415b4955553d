"""A real launcher of toy clusters: launcher.py RUN_DIR JSON, where JSON says what to run.

``{"programs": {"engine-0": "steady", "web": "alone"}, "timing": {…}, "release_fails": 0}``
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from transcription.work.launcher import Launcher, Timing
from transcription.work.locks import Holders
from transcription.work.supervised import Program

TOY = str(Path(__file__).with_name("cluster.py"))


def say(event: str, **details: Any) -> None:
    os.write(1, json.dumps({"event": event, **details}).encode() + b"\n")


class SayingHandler(logging.Handler):
    """Log records as events, so that a test can wait for words."""

    def emit(self, record: logging.LogRecord) -> None:
        say("log", level=record.levelname, words=record.getMessage())


def main(run_dir: Path, wanted: dict[str, Any]) -> int:
    logging.basicConfig(level=logging.INFO, handlers=[SayingHandler()])
    programs = [
        Program(
            name=name,
            command=(sys.executable, "-S", TOY, behaviour),
            workers=0 if behaviour == "alone" else 1,
            stops_first=behaviour == "alone",
        )
        for name, behaviour in wanted["programs"].items()
    ]
    failures = iter(range(wanted.get("release_fails", 0)))

    def release(holder: str) -> int:
        if next(failures, None) is not None:
            say("release_failed", holder=holder)
            raise OSError("the database is down")
        say("released", holder=holder)
        return 1

    launcher = Launcher(
        programs,
        holders=Holders(run_dir),
        release=release,
        on_ready=lambda seconds: say("ready", seconds=seconds),
        timing=Timing(**wanted.get("timing", {})),
    )
    return launcher.run()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
