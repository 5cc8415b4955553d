"""The process that decodes: what it may do, and what happens when it dies."""

from __future__ import annotations

import gc
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.audio.conftest import decode_file
from tests.audio.made import flac_silence, tone, wav_bytes
from transcription.audio.decode import DecodeLimits, Decoder
from transcription.audio.errors import AudioError
from transcription.audio.sandbox import CODE_ROOT


@pytest.fixture
def long_file(tmp_path: Path) -> Path:
    """Two minutes: far more than fits between two processes, so its decoder has to wait."""
    path = tmp_path / "long.wav"
    path.write_bytes(wav_bytes(np.tile(tone(10), 12)))
    return path


def state_of(pid: int) -> str | None:
    """ "R", "S", "Z"… or None if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return None


def wait_until_gone(pid: int) -> None:
    """Wait for a process that is not our child. Fails after 10 s."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], 10)[0], f"process {pid} is still there"
    finally:
        os.close(descriptor)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_the_decoder_is_bound_to_its_limits(long_file: Path) -> None:
    limits = DecodeLimits(cpu_seconds=77, memory_bytes=500 << 20)
    with Decoder(limits) as decoder, decoder.decode(long_file) as decoding:
        pid = decoding.decoder_pid
        bounds = {
            line[:26].strip(): line[26:].split()[:2]
            for line in Path(f"/proc/{pid}/limits").read_text().splitlines()
        }
        assert bounds["Max open files"] == ["0", "0"]
        assert bounds["Max file size"] == ["0", "0"]
        assert bounds["Max core file size"] == ["0", "0"]
        assert bounds["Max cpu time"] == ["77", "79"]
        assert bounds["Max address space"] == [str(500 << 20)] * 2


def test_the_decoder_has_no_environment_but_its_own(
    long_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASR_SECRET_KEY", "hush")
    with Decoder() as decoder, decoder.decode(long_file) as decoding:
        environment = Path(f"/proc/{decoding.decoder_pid}/environ").read_bytes()
        assert b"hush" not in environment
        assert b"OPENBLAS_NUM_THREADS=1" in environment
        assert Path(f"/proc/{decoding.decoder_pid}/cwd").readlink() == Path("/")


def test_the_decoder_holds_nothing_but_the_file_and_its_pipes(long_file: Path) -> None:
    with Decoder() as decoder, decoder.decode(long_file) as decoding:
        folder = Path(f"/proc/{decoding.decoder_pid}/fd")
        held = sorted(str(entry.readlink()) for entry in folder.iterdir())
        assert [name.partition(":")[0] for name in held] == [
            *(["/dev/null"] * 2),
            str(long_file),
            *(["pipe"] * 2),
        ]


def test_asking_for_audio_loads_neither_ffmpeg_nor_django_nor_an_engine() -> None:
    code = (
        "import sys; from transcription.audio import decode, split, workfile, sniff; "
        "print(sorted({'av', 'django', 'torch', 'ctranslate2', 'faster_whisper', 'onnxruntime'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CODE_ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_decoder_process_loads_neither_django_nor_an_engine() -> None:
    code = (
        "import sys; from transcription.audio import decode_child; "
        "print(sorted({'django', 'torch', 'ctranslate2', 'faster_whisper', 'onnxruntime'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CODE_ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_leaving_early_ends_the_decoder(long_file: Path) -> None:
    with Decoder() as decoder:
        with decoder.decode(long_file) as decoding:
            next(iter(decoding))
            pid = decoding.decoder_pid
            assert pid is not None
            assert state_of(pid) is not None
        assert state_of(pid) is None
        assert decode_file(decoder, long_file).report.duration_seconds == 120


def test_a_decoder_that_stands_still_is_ended(long_file: Path) -> None:
    with Decoder(DecodeLimits(stall_seconds=0.3)) as decoder:
        with decoder.decode(long_file) as decoding:
            pid = decoding.decoder_pid
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            with pytest.raises(AudioError) as caught:
                list(decoding)
            assert caught.value.code == "decode_timeout"
            assert not caught.value.retryable
            assert state_of(pid) is None
        assert decode_file(decoder, long_file).report.duration_seconds == 120


def test_the_time_that_the_caller_waits_is_limited_in_all(tmp_path: Path) -> None:
    path = tmp_path / "silence.flac"
    path.write_bytes(flac_silence(5 * 3600))
    with (
        Decoder(DecodeLimits(wall_seconds=0.4)) as decoder,
        pytest.raises(AudioError) as caught,
        decoder.decode(path) as decoding,
    ):
        list(decoding)
    assert caught.value.code == "decode_timeout"


def test_processor_time_is_limited(tmp_path: Path) -> None:
    path = tmp_path / "silence.flac"
    path.write_bytes(flac_silence(5 * 3600))
    with Decoder(DecodeLimits(cpu_seconds=1)) as decoder:
        with pytest.raises(AudioError) as caught, decoder.decode(path) as decoding:
            list(decoding)
        assert caught.value.code == "decode_timeout"
        path.write_bytes(wav_bytes(tone(1)))
        assert decode_file(decoder, path).report.duration_seconds == 1


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_crash_is_worth_another_attempt_and_the_next_file_decodes(
    number: signal.Signals, long_file: Path
) -> None:
    with Decoder() as decoder:
        with decoder.decode(long_file) as decoding:
            assert decoding.decoder_pid is not None
            os.kill(decoding.decoder_pid, number)
            with pytest.raises(AudioError, match=f"signal {int(number)}") as caught:
                list(decoding)
        assert caught.value.code == "decoder_crashed"
        assert caught.value.retryable
        assert decode_file(decoder, long_file).report.duration_seconds == 120


def test_the_loss_of_the_whole_sandbox_costs_one_file(long_file: Path) -> None:
    with Decoder() as decoder:
        with decoder.decode(long_file) as decoding:
            assert decoding.decoder_pid is not None
            os.kill(parent_of(decoding.decoder_pid), signal.SIGKILL)
            with pytest.raises(AudioError) as caught:
                list(decoding)
        assert caught.value.code == "decoder_crashed"
        assert caught.value.retryable
        assert decode_file(decoder, long_file).report.duration_seconds == 120


def test_a_sandbox_that_died_while_it_stood_by_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(tone(1)))
    with Decoder() as decoder:
        with decoder.decode(path) as decoding:
            assert decoding.decoder_pid is not None
            host = parent_of(decoding.decoder_pid)
        os.kill(host, signal.SIGKILL)
        wait_until_gone(host)
        assert decode_file(decoder, path).report.duration_seconds == 1


def test_a_sandbox_that_cannot_start_says_so_and_may_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(tone(1)))
    with Decoder() as decoder:
        decoder.discard_host()
        monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
        with pytest.raises(AudioError, match="could not be started") as caught:
            decoder.decode(path).__enter__()
        assert caught.value.retryable
        monkeypatch.undo()
        assert decode_file(decoder, path).report.duration_seconds == 1


def test_the_sandbox_dies_with_its_worker(long_file: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; "
        "from transcription.audio.decode import Decoder; "
        "decoding = Decoder().decode(Path(sys.argv[1])).__enter__(); "
        "print(decoding.decoder_pid, flush=True); time.sleep(60)"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", code, str(long_file)],
        cwd=CODE_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with worker:
        assert worker.stdout is not None
        decoder_pid = int(worker.stdout.readline())
        host = parent_of(decoder_pid)
        worker.kill()
    wait_until_gone(decoder_pid)
    wait_until_gone(host)


def test_a_decoder_made_before_a_fork_works_on_both_sides(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(tone(1)))
    code = (
        "import os, sys; from pathlib import Path; from transcription.audio.decode import Decoder\n"
        "decoder = Decoder()\n"
        "def decode():\n"
        "    with decoder.decode(Path(sys.argv[1])) as decoding:\n"
        "        return sum(len(block) for block in decoding)\n"
        "first = decode()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    same = decode() == first\n"
        "    decoder.close()\n"
        "    os._exit(0 if same else 1)\n"
        "status = os.waitpid(pid, 0)[1]\n"
        "print(status, decode() == first)\n"
        "decoder.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(path)],
        cwd=CODE_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == ("0 True", "")


def test_a_sandbox_whose_thread_has_ended_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(tone(1)))
    made: list[Decoder] = []
    thread = threading.Thread(target=lambda: made.append(Decoder()))
    thread.start()
    thread.join()
    with made[0] as decoder:
        assert decode_file(decoder, path).report.duration_seconds == 1


def test_two_decoders_work_side_by_side(long_file: Path) -> None:
    with Decoder() as one, Decoder() as other:
        with one.decode(long_file) as first, other.decode(long_file) as second:
            pairs = zip(first, second, strict=True)
            assert all(np.array_equal(left, right) for left, right in pairs)
        assert first.report == second.report


def test_a_closed_decoder_decodes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(tone(1)))
    decoder = Decoder()
    decoder.close()
    decoder.close()
    with pytest.raises(RuntimeError, match="closed"):
        decoder.decode(path).__enter__()


def test_a_long_file_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    path = tmp_path / "silence.flac"
    peaks = []
    with Decoder() as decoder:
        for seconds in (60, 3600):
            path.write_bytes(flac_silence(seconds))
            with decoder.decode(path) as decoding:
                status = Path(f"/proc/{decoding.decoder_pid}/status")
                peak = 0
                for number, _ in enumerate(decoding):
                    if number % 200 == 0 and decoding.decoder_pid is not None:
                        text = status.read_text()
                        peak = max(peak, int(text.split("VmHWM:")[1].split()[0]))
            peaks.append(peak)
    assert 0 < peaks[1] < peaks[0] * 1.3


def test_a_forgotten_decoder_leaves_no_process_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(tone(1)))
    decoder = Decoder()
    with decoder.decode(path) as decoding:
        assert decoding.decoder_pid is not None
        host = parent_of(decoding.decoder_pid)
    assert state_of(host) is not None
    del decoder, decoding
    gc.collect()
    assert state_of(host) is None


def test_limits_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="min_duration_seconds"):
        DecodeLimits(max_duration_seconds=0.05)
    with pytest.raises(ValueError, match="above zero"):
        DecodeLimits(cpu_seconds=0)


def test_waiting_for_a_slow_caller_is_not_held_against_the_file(long_file: Path) -> None:
    with (
        Decoder(DecodeLimits(wall_seconds=1, stall_seconds=1)) as decoder,
        decoder.decode(long_file) as decoding,
    ):
        blocks = iter(decoding)
        next(blocks)
        # Busy with something else for longer than both limits together.
        done = time.monotonic() + 1.2
        while time.monotonic() < done:
            np.fft.rfft(np.zeros(100_000))
        assert sum(len(block) for block in blocks) == 118 * 16_000
