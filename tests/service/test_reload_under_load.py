"""New weights while people send recordings: nobody is refused, nothing fails, nothing is mixed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engines.tiny import TINY, TINY_B
from tests.engines.tone_words import LEXICON_A, LEXICON_B, Lexicon, speak
from transcription.audio.split import Splitter
from transcription.management.benchmarks.common import (
    SAMPLE_RATE_HZ,
    Measured,
    measured_service,
    write_wav,
)

#: Shorter than a recording of several sentences, so that it has several chunks.
CHUNK_SECONDS = 3.0
#: Far above what it takes.
PATIENCE_SECONDS = 240.0
#: Which directory each reload names, and whether it can be loaded.
RELOADS = (("b", True), ("cut", False), ("a", True), ("incomplete", False), ("b", True))


@dataclass(frozen=True, kw_only=True)
class Service:
    """The running service, its weights, and somebody who may reload them."""

    measured: Measured
    weights: Path

    def admin(self, body: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
        """Ask for a reload, or for its state."""
        request = urllib.request.Request(
            f"{self.measured.service.url}/admin/reload-model",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": self.measured.client.authorization,
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=60.0) as response:
            return response.status, json.loads(response.read())

    def reload(self, name: str) -> int:
        """Ask for the weights of this directory; the generation that is then wanted."""
        status, answer = self.admin({"weights": str(self.weights / name)})
        assert (status, answer["status"]) == (202, "reloading")
        return int(answer["generation"])

    def settled(self, generation: int) -> dict[str, Any]:
        """The state once the workers have loaded that generation, or could not."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            _, state = self.admin()
            assert state["generation"] == generation
            if state["status"] in {"loaded", "failed"}:
                return state
            assert time.monotonic() < end, state
            time.sleep(0.1)

    def transcribe(self, name: str, content: bytes) -> dict[str, Any]:
        """Send one recording and wait for it to be over; its detail."""
        client = self.measured.client
        answer = client.transcribe(name, content, {"language": "en"})
        assert answer.status in {200, 202}, answer.body
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            detail = client.get(f"/api/v1/transcriptions/{answer.body['data']['id']}/").body
            if detail["status"] in {"completed", "failed", "cancelled"}:
                return dict(detail)
            assert time.monotonic() < end, detail
            time.sleep(0.1)

    def chunks_of(self, pk: str) -> list[tuple[str, str]]:
        """State and digest of each chunk of a recording."""
        database = sqlite3.connect(self.measured.data_dir / "db.sqlite3", timeout=30.0)
        try:
            return database.execute(
                "SELECT state, weights_digest FROM transcription_chunk WHERE transcription_id = ?",
                [pk.replace("-", "")],
            ).fetchall()
        finally:
            database.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    weights = tmp_path_factory.mktemp("weights")
    for name, source in (("a", TINY), ("b", TINY_B), ("cut", TINY_B), ("incomplete", TINY_B)):
        shutil.copytree(source, weights / name)
    cut = weights / "cut" / "model.safetensors"
    os.truncate(cut, cut.stat().st_size - 1000)
    (weights / "incomplete" / "tokenizer.json").unlink()
    with measured_service(
        engine="qwen3_asr",
        model_options={"weights": str(weights / "a"), "chunk_seconds": CHUNK_SECONDS},
        environment={
            "ASR_ENGINE_THREADS": "1",
            "ASR_MODEL_MEMORY_MB": "100",
            "ASR_DEVICE": "cpu",
            "ASR_TICK_SECONDS": "1",
        },
    ) as measured:
        database = sqlite3.connect(measured.data_dir / "db.sqlite3", timeout=30.0)
        with database:
            database.execute("UPDATE auth_user SET is_staff = 1, is_superuser = 1")
        database.close()
        yield Service(measured=measured, weights=weights)


@pytest.fixture(scope="module")
def clips() -> list[np.ndarray]:
    """Sentences of tones, int16, that the voice detector hears as speech from end to end."""
    found = []
    words = [word for word in LEXICON_A.english if word not in LEXICON_A.variants]
    for seed in range(200):
        random = np.random.default_rng(seed)
        said = " ".join(random.choice(words, 3)).capitalize() + "."
        samples = (speak(said, voice="zh", seed=seed) * 32767).astype(np.int16)
        splitter = Splitter(max_chunk_seconds=CHUNK_SECONDS)
        spans = [*splitter.feed(samples), *splitter.finish()]
        heard = sum(span.end_sample - span.start_sample for span in spans)
        if heard >= 0.95 * len(samples):
            found.append(samples)
            if len(found) == 12:
                return found
    raise AssertionError("The voice detector hears too few of the tones.")


def recording(clips: list[np.ndarray], number: int) -> tuple[str, bytes]:
    """The recording with this number: every fourth has four sentences with pauses between."""
    pause = np.zeros(int(1.8 * SAMPLE_RATE_HZ), np.int16)
    sentences = 4 if number % 4 == 0 else 1
    parts = []
    for place in range(sentences):
        parts += [clips[(number + place) % len(clips)], pause]
    return f"{'long' if sentences > 1 else 'short'}-{number}.wav", write_wav(np.concatenate(parts))


def lexicons_in(text: str) -> set[str]:
    """Which models' words a text has."""
    words = set(text.lower().replace(".", " ").split())

    def has(lexicon: Lexicon) -> bool:
        return bool(words & {*lexicon.english, *lexicon.variants.values()})

    return {name for name, lexicon in (("a", LEXICON_A), ("b", LEXICON_B)) if has(lexicon)}


def one_model_wrote(service: Service, detail: dict[str, Any]) -> str:
    """Which model wrote a transcript: "a" or "b", and nothing else."""
    assert (detail["status"], detail["error"], detail["warnings"]) == ("completed", None, [])
    chunks = service.chunks_of(detail["id"])
    assert {state for state, _digest in chunks} == {"done"}
    assert len({digest for _state, digest in chunks}) == 1
    if detail["file_name"].startswith("long"):
        assert len(chunks) > 1
    [name] = lexicons_in(detail["text"])
    return name


class HealthWatch:
    """Asks for /health all the time and remembers every answer that was not 200."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/health"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.asked = 0
        self.bad: list[str] = []

    def __enter__(self) -> HealthWatch:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            self.asked += 1
            try:
                with urllib.request.urlopen(self._url, timeout=60.0) as response:
                    if response.status != 200:
                        self.bad.append(str(response.status))
            except (OSError, urllib.error.URLError) as error:
                self.bad.append(repr(error))


def reload_under_load(service: Service, clips: list[np.ndarray], count: int) -> None:
    service.settled(service.reload("a"))
    groups = np.array_split(np.arange(count), len(RELOADS) + 1)
    sent: list[Future[dict[str, Any]]] = []
    _, before = service.admin()
    with (
        HealthWatch(service.measured.service.url) as health,
        ThreadPoolExecutor(max_workers=8) as people,
    ):

        def send(group: np.ndarray) -> None:
            for number in group:
                sent.append(people.submit(service.transcribe, *recording(clips, int(number))))

        send(groups[0])
        serving = before["workers"][0]["generation_loaded"]
        for group, (name, can_be_loaded) in zip(groups[1:], RELOADS, strict=True):
            sent[-len(group)].result(PATIENCE_SECONDS)  # the work is going on
            generation = service.reload(name)
            send(group)
            state = service.settled(generation)
            [worker] = state["workers"]
            if can_be_loaded:
                assert (state["status"], worker["error"]) == ("loaded", "")
                serving = generation
            else:
                assert state["status"] == "failed"
                assert str(generation) in worker["error"]
            assert worker["generation_loaded"] == serving
            # All of this was one process that never stopped.
            assert worker["pid"] == before["workers"][0]["pid"]
        details = [one.result(PATIENCE_SECONDS) for one in sent]
    assert (health.bad, health.asked > 0) == ([], True)
    assert len(details) == count
    wrote = [one_model_wrote(service, detail) for detail in details]
    assert set(wrote) == {"a", "b"}
    after = service.transcribe(*recording(clips, 0))
    assert one_model_wrote(service, after) == "b"


@pytest.mark.timeout(600)
def test_forty_files_and_five_reloads_two_of_them_broken(
    service: Service, clips: list[np.ndarray]
) -> None:
    reload_under_load(service, clips, 40)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_hundred_files_and_five_reloads_two_of_them_broken(
    service: Service, clips: list[np.ndarray]
) -> None:
    reload_under_load(service, clips, 200)


@pytest.mark.timeout(600)
def test_a_worker_that_crashes_after_a_broken_reload_serves_with_the_old_weights(
    service: Service, clips: list[np.ndarray]
) -> None:
    shutil.copytree(service.weights / "cut", service.weights / "mended")
    good = service.reload("b")
    service.settled(good)
    broken = service.reload("mended")
    [worker] = service.settled(broken)["workers"]
    os.kill(worker["pid"], signal.SIGKILL)
    detail = service.transcribe(*recording(clips, 0))
    assert one_model_wrote(service, detail) == "b"
    state = service.settled(broken)
    [fresh] = [one for one in state["workers"] if one["pid"] != worker["pid"]]
    assert (fresh["state"], fresh["generation_loaded"]) == ("failed", good)
    assert "model.safetensors" in fresh["error"]
    assert state["last_good"]["weights"] == str(service.weights / "b")
    # Repaired: the next request for a reload is enough.
    shutil.copy(TINY_B / "model.safetensors", service.weights / "mended" / "model.safetensors")
    assert service.settled(service.reload("mended"))["status"] == "loaded"
