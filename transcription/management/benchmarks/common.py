"""What the benchmarks share: a service to measure, clips to send, figures to print."""

from __future__ import annotations

import io
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from transcription.management.client import Client
from transcription.management.running_service import RunningService

SAMPLE_RATE_HZ = 16_000
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured figure; the table of a run is a list of these."""

    name: str
    value: float
    unit: str
    #: What docs/performance.md promises of it; "" where nothing is promised.
    promise: str = ""
    kept: bool | None = None

    def line(self) -> str:
        said = {None: "", True: "  kept", False: "  BROKEN"}[self.kept]
        promise = f"  (promised: {self.promise})" if self.promise else ""
        return f"  {self.name:<58} {self.value:>10.3f} {self.unit}{promise}{said}"


#: What is measured is the work, not how often one may ask for it.
UNLIMITED = {
    f"ASR_RATE_{name}": "1000000/m" for name in ("USER", "API_USER", "API_TOKEN", "API_UPLOADS")
}


def at_most(name: str, value: float, unit: str, limit: float) -> Figure:
    """Return a figure that must not be above its limit."""
    return Figure(
        name=name, value=value, unit=unit, promise=f"at most {limit:g}", kept=value <= limit
    )


def at_least(name: str, value: float, unit: str, limit: float) -> Figure:
    """Return a figure that must not be under its limit."""
    return Figure(
        name=name, value=value, unit=unit, promise=f"at least {limit:g}", kept=value >= limit
    )


def spread(name: str, values: Sequence[float], unit: str) -> list[Figure]:
    """Return least, median and most of several measurements."""
    return [
        Figure(name=f"{name}, least", value=min(values), unit=unit),
        Figure(name=f"{name}, median", value=statistics.median(values), unit=unit),
        Figure(name=f"{name}, most", value=max(values), unit=unit),
    ]


def percentile_95(seconds: Sequence[float]) -> float:
    """Return what 95 of 100 measurements are not above."""
    return sorted(seconds)[max(0, -(-len(seconds) * 95 // 100) - 1)]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A service that was started to be measured."""

    client: Client
    service: RunningService
    data_dir: Path
    #: What the service was given, beside the environment of this process.
    environment: Mapping[str, str]

    def loaded_models(self) -> list[dict[str, Any]]:
        """What the engine workers have in memory, as they report it (``Worker.loaded``)."""
        script = (
            "import json\n"
            "from transcription.models import Worker\n"
            "print(json.dumps([one for worker in Worker.objects.all() for one in worker.loaded]))\n"
        )
        loaded: list[dict[str, Any]] = json.loads(run_in_settings(script, [], self.environment))
        return loaded


@contextmanager
def measured_service(
    *, engine: str, model_options: Mapping[str, Any], environment: Mapping[str, str] | None = None
) -> Iterator[Measured]:
    """Start the service on a fresh data directory with one model; remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="asr-benchmark-") as temporary:
        data_dir = Path(temporary)
        given = {"ASR_DATA_DIR": str(data_dir), "ASR_DATABASE_URL": "", **(environment or {})}
        token = set_up(engine, model_options, given)
        service = RunningService(
            base_dir=settings.BASE_DIR,
            data_dir=data_dir,
            log_path=data_dir / "service.log",
            environment={
                **given,
                **UNLIMITED,
                "ASR_WEIGHTS_DIR": str(settings.WEIGHTS_DIR),
            },
        )
        with service:
            yield Measured(
                client=Client(service.url, token, timeout_seconds=3600.0),
                service=service,
                data_dir=data_dir,
                environment=given,
            )


def set_up(engine: str, model_options: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """Make database, model and token in a process of their own settings; return the token."""
    script = (
        "import json, sys\n"
        "from django.contrib.auth.models import User\n"
        "from django.core.management import call_command\n"
        "call_command('migrate', verbosity=0)\n"
        "from transcription.models import SpeechModel\n"
        "from transcription.services import tokens\n"
        "engine, options = sys.argv[1], json.loads(sys.argv[2])\n"
        "SpeechModel.objects.create(name=engine, engine=engine, **options)\n"
        "user = User.objects.create(username='benchmark')\n"
        "print(tokens.create(user, name='benchmark')[1])\n"
    )
    return run_in_settings(script, [engine, json.dumps(dict(model_options))], environment)


def run_in_settings(script: str, arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a script of Django with these settings; return the last line that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", "import django; django.setup()\n" + script, *arguments],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "asr_project.settings", **environment},
        cwd=settings.BASE_DIR,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip().splitlines()[-1]


@contextmanager
def web_alone(environment: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """Run a web process without workers; yield its port and its process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "asr_project.asgi:application",
         "--host", "127.0.0.1", "--port", str(port), "--log-level", "error"],
        cwd=settings.BASE_DIR, env={**environment, "ASR_LOG_LEVEL": "ERROR"},
    )  # fmt: skip
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("The web process did not start.") from None
                time.sleep(0.01)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """A recording with what is said in it."""

    name: str
    content: bytes
    duration_seconds: float
    #: "" where it is not known.
    reference: str = ""
    language: str = ""


def read_wav(content: bytes) -> np.ndarray:
    """Return the samples of a 16 kHz mono 16-bit WAV file, int16."""
    with wave.open(io.BytesIO(content)) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (
            SAMPLE_RATE_HZ,
            1,
            2,
        ):
            raise ValueError("The benchmarks read 16 kHz mono 16-bit WAV files.")
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")


def write_wav(samples: np.ndarray) -> bytes:
    """Return int16 mono samples at 16 kHz as a WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


def sample_speech() -> np.ndarray:
    """Return the English sample of the repository, int16 at 16 kHz."""
    return read_wav((settings.BASE_DIR / "samples" / "english.wav").read_bytes())


def recordings_in(directory: Path) -> list[Spoken]:
    """Return the WAV files of a directory, with the text and language of NAME.txt, NAME.lang."""
    found = []
    for path in sorted(directory.glob("*.wav")):
        content = path.read_bytes()
        text, language = path.with_suffix(".txt"), path.with_suffix(".lang")
        found.append(
            Spoken(
                name=path.name,
                content=content,
                duration_seconds=len(read_wav(content)) / SAMPLE_RATE_HZ,
                reference=text.read_text(encoding="utf-8").strip() if text.exists() else "",
                language=language.read_text(encoding="utf-8").strip() if language.exists() else "",
            )
        )
    return found


@dataclass
class Report:
    """Everything that one run found."""

    sections: dict[str, list[Figure]] = field(default_factory=dict)

    @property
    def broken(self) -> list[Figure]:
        return [one for figures in self.sections.values() for one in figures if one.kept is False]
