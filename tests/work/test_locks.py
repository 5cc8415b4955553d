"""Locks between processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.work.launched import ROOT
from transcription.work import devices
from transcription.work.devices import device_lock
from transcription.work.locks import Holders, LockTakenError, ServeLock

HOLD = {
    "serve": "lock = ServeLock(run_dir); lock.take(); lock.announce('http://127.0.0.1:8000')",
    "device": "device_lock('cuda', run_dir=run_dir)",
}


@contextmanager
def another_process(run_dir: Path, holds: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds a lock until it is killed."""
    code = (
        "import sys, time; from pathlib import Path; from transcription.work.locks import *\n"
        "from transcription.work.devices import device_lock\n"
        f"run_dir = Path(sys.argv[1]); kept = {{}}\n{HOLD[holds]}\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", code, str(run_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_service_on_a_data_directory_is_refused_in_words(tmp_path: Path) -> None:
    with another_process(tmp_path, "serve") as other:
        with pytest.raises(LockTakenError) as refused:
            ServeLock(tmp_path).take()
        words = str(refused.value)
        assert f"process {other.pid} on http://127.0.0.1:8000" in words
        assert "ASR_DATA_DIR" in words


def test_the_right_to_serve_is_free_again_after_a_kill(tmp_path: Path) -> None:
    lock = ServeLock(tmp_path)
    with another_process(tmp_path, "serve") as other:
        served = lock.read()
        assert served is not None
        assert (served.pid, served.url) == (other.pid, "http://127.0.0.1:8000")
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert lock.read() is None
        lock.take()
        lock.release()


def test_nobody_serves_a_fresh_directory(tmp_path: Path) -> None:
    assert ServeLock(tmp_path).read() is None


def test_an_address_is_announced_by_the_holder_alone(tmp_path: Path) -> None:
    lock = ServeLock(tmp_path)
    with pytest.raises(LockTakenError):
        lock.announce("http://127.0.0.1:8000")
    lock.take()
    assert lock.read() == ServeLock(tmp_path).read()
    lock.announce("http://127.0.0.1:8000/" + "x" * 100)
    lock.announce("http://127.0.0.1:1")
    served = lock.read()
    assert served is not None
    assert served.url == "http://127.0.0.1:1"
    lock.release()


@pytest.fixture
def no_gpu_held(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    held: dict[str, int] = {}
    monkeypatch.setattr(devices, "_held", held)
    yield held
    for fd in held.values():
        os.close(fd)


def test_one_gpu_is_for_one_worker(tmp_path: Path, no_gpu_held: dict[str, int]) -> None:
    with another_process(tmp_path, "device") as other:  # "cuda" is the first GPU
        with pytest.raises(LockTakenError, match="ASR_ENGINE_CLUSTERS"):
            device_lock("cuda:0", run_dir=tmp_path, wait_seconds=0.1)
        device_lock("cuda:1", run_dir=tmp_path, wait_seconds=0)
        device_lock("cpu", run_dir=tmp_path, wait_seconds=0)
        other.kill()
        device_lock("cuda:0", run_dir=tmp_path, wait_seconds=10)
        assert sorted(no_gpu_held) == ["cuda-0", "cuda-1"]


def test_a_worker_may_put_a_second_model_onto_its_gpu(
    tmp_path: Path, no_gpu_held: dict[str, int]
) -> None:
    device_lock("cuda", run_dir=tmp_path, wait_seconds=0)
    device_lock("cuda:0", run_dir=tmp_path, wait_seconds=0)
    assert len(no_gpu_held) == 1


def test_waiting_for_a_gpu_ends_when_the_worker_is_told_to_stop(
    tmp_path: Path, no_gpu_held: dict[str, int]
) -> None:
    with another_process(tmp_path, "device"), pytest.raises(LockTakenError, match="Told to stop"):
        device_lock("cuda", run_dir=tmp_path, wait_seconds=3600, give_up=lambda: True)


def test_a_start_is_gone_when_the_last_process_that_inherited_its_lock_is(tmp_path: Path) -> None:
    holders = Holders(tmp_path)
    holder = holders.new("engine-0")
    assert holder.name.startswith("engine-0@")
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[holder.fd])
    os.close(holder.fd)
    with process:
        assert holders.known() == [holder.name]
        assert not holders.is_gone(holder.name)
        process.kill()
    assert holders.is_gone(holder.name)
    holders.forget(holder.name)
    assert holders.known() == []
