"""``manage.py transcribe``: recordings become text without a service."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command

from tests.engines.tone_words import speak
from tests.management.conftest import ROOT, SAMPLES, TINY, Terminal, left_behind, write_wav
from transcription.management.commands.transcribe import _write
from transcription.models import SpeechModel, Transcription
from transcription.work.locks import ServeLock, open_and_lock

ENGLISH, CHINESE = SAMPLES / "english.wav", SAMPLES / "chinese.wav"


class Ran:
    """What a run of the command said and how it ended."""

    def __init__(self, *words: object, errors: io.StringIO | None = None) -> None:
        output, errors = io.StringIO(), errors or io.StringIO()
        self.refusal = ""
        self.status = 0
        try:
            call_command("transcribe", *map(str, words), stdout=output, stderr=errors)
        except CommandError as error:
            self.refusal, self.status = str(error), error.returncode
        self.output, self.errors = output.getvalue(), errors.getvalue()


@pytest.fixture(autouse=True)
def nothing_is_left_behind(db: None) -> Iterator[None]:
    """The service's tables are there, empty; and no run leaves anything, however it ended."""
    yield
    assert left_behind() == []
    assert not Transcription.objects.exists()


def test_the_embedded_model_writes_both_samples_in_the_order_of_the_files() -> None:
    ran = Ran(CHINESE, ENGLISH)
    chinese, english = ran.output.split(f"==> {ENGLISH} <==\n")
    assert chinese.startswith(f"==> {CHINESE} <==\n")
    assert "语音识别服务" in chinese
    assert "The next train to the city leaves in the afternoon." in english
    assert ran.status == 0
    assert sorted(ran.errors.splitlines()) == [f"{CHINESE} (0:07, zh)", f"{ENGLISH} (0:09, en)"]


def test_a_single_text_is_all_of_the_output() -> None:
    ran = Ran(ENGLISH, "--engine", "fake")
    assert ran.output.startswith("Fake dd954e40 ")
    assert ran.output.count("\n") == 1


def test_qwen3_asr_writes_with_weights_from_any_folder(tmp_path: Path) -> None:
    # The hum of the Chinese voice is speech to the voice detection, that of the English is not.
    spoken = write_wav(tmp_path / "tones.wav", speak("河流石头。苹果房子水。", voice="zh"))
    ran = Ran(spoken, "--engine", "qwen3_asr", "--weights", TINY)
    assert (ran.output, ran.status) == ("河流石头。苹果房子水。\n", 0)


def test_the_language_and_the_prompt_reach_the_engine(tmp_path: Path) -> None:
    ran = Ran(ENGLISH, "--engine", "fake", "--language", "zh-CN", "--format", "json")
    assert json.loads(ran.output)["language"] == "zh"
    ran = Ran(ENGLISH, "--engine", "fake,obey_context=true", "--prompt", "[fake:repetition]")
    assert "repetition" in ran.errors


def test_a_setting_of_the_engine_can_be_given_with_the_model() -> None:
    assert Ran(ENGLISH, "--engine", "fake,voice=parrot").output.startswith("Parrot ")
    many = Ran(ENGLISH, "--engine", "fake,chunk_seconds=3", "--format", "json")
    one = Ran(ENGLISH, "--engine", "fake,words_per_second=0.1", "--format", "json")
    assert many.output.casefold().count("fake ") > one.output.casefold().count("fake ")


def test_bad_files_are_named_with_their_code_and_the_others_are_done(
    broken: Path, empty: Path, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.wav"
    ran = Ran(broken, ENGLISH, missing, empty, tmp_path, CHINESE, "--engine", "fake")
    assert ran.status == 1
    assert ran.refusal == "4 of 6 files came to nothing."
    assert f"{broken}: not_audio (3001): The file is not a recording" in ran.errors
    assert f"{missing}: file_not_found (7001): There is no such file. Check" in ran.errors
    assert f"{empty}: empty_file (2002): The file is empty." in ran.errors
    assert f"{tmp_path}: not_a_file (7003): That is a folder, or no plain file." in ran.errors
    assert [line for line in ran.output.splitlines() if line.startswith("==>")] == [
        f"==> {ENGLISH} <==",
        f"==> {CHINESE} <==",
    ]


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch) -> None:
    # Whoever runs the tests may be allowed everything.
    monkeypatch.setattr("transcription.management.local.os.access", lambda path, mode: False)
    ran = Ran(ENGLISH, "--engine", "fake")
    assert "file_not_readable (7002): The file cannot be read: permission denied." in ran.errors


def test_each_text_can_be_a_file_with_the_name_of_its_recording(tmp_path: Path) -> None:
    target = tmp_path / "new" / "texts"
    ran = Ran(ENGLISH, CHINESE, "--engine", "fake", "--format", "srt", "--output-dir", target)
    assert ran.output == ""
    assert sorted(path.name for path in target.iterdir()) == ["chinese.srt", "english.srt"]
    text = (target / "english.srt").read_text(encoding="utf-8")
    assert text.startswith("1\n00:00:00,")
    assert f"{ENGLISH} -> {target / 'english.srt'} (0:09, en)" in ran.errors


def test_a_text_that_is_there_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    target = tmp_path / "text.txt"
    target.write_text("reviewed by hand")
    ran = Ran(ENGLISH, "--engine", "fake", "-o", target)
    assert ran.status == 1
    assert f"output_exists (7004): {target} is there already. Add --overwrite" in ran.errors
    assert target.read_text() == "reviewed by hand"
    assert Ran(ENGLISH, "--engine", "fake", "-o", target, "--overwrite").status == 0
    assert target.read_text().startswith("Fake ")
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = Ran(ENGLISH, "--engine", "fake", "-o", tmp_path / "file" / "text.txt")
    assert ran.status == 1
    assert "output_not_writable (7005)" in ran.errors
    assert f"{tmp_path / 'file'} is no folder" in ran.errors


def test_a_text_that_came_there_while_the_work_went_on_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "text.txt"
    assert _write(0, target, "the first", overwrite=False) is None
    wrong = _write(0, target, "the second", overwrite=False)
    assert wrong is not None
    assert wrong.code == "output_exists"
    assert target.read_text() == "the first"
    (tmp_path / "folder").mkdir()
    wrong = _write(0, tmp_path / "folder", "text", overwrite=True)
    assert wrong is not None
    assert wrong.code == "output_not_writable"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "text.txt"]


def test_two_recordings_never_share_a_text(tmp_path: Path) -> None:
    twin = tmp_path / "english.mp3"
    ran = Ran(ENGLISH, twin, "--engine", "fake", "--output-dir", tmp_path / "texts")
    assert f"{ENGLISH} and {twin} would both be written to" in ran.refusal


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "srt"], "Several srt files cannot share the standard output"),
        (["-o", "text.txt"], "-o names one file for one recording"),
        (["--language", "klingon"], "The language 'klingon' is not known"),
        (["--prompt", "x" * 2001], "The prompt has more than 2000 characters"),
        (["--model", "large"], "There is no model 'large'. There are: whisper-base."),
        (["--engine", "magic"], "There is no engine 'magic'. There are: fake, "),
        (["--weights", "."], "--weights goes with --engine"),
        (["--engine", "fake,chunk_seconds=x"], "chunk_seconds=x: expected a number"),
        (["--engine", "fake,voice"], "'voice' in 'fake,voice' is no setting"),
        (["--device", "gpu"], "'gpu' is no device"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_starts(
    words: list[str], said: str
) -> None:
    ran = Ran(ENGLISH, CHINESE, *words)
    assert ran.status == 1
    assert said in ran.refusal


def test_the_models_of_the_service_are_used_and_its_routing() -> None:
    SpeechModel.objects.create(name="short", engine="fake", order=1, max_seconds=8.0,
                               options={"voice": "short"})  # fmt: skip
    SpeechModel.objects.create(name="long", engine="fake", order=2, options={"voice": "long"})
    SpeechModel.objects.create(name="off", engine="fake", enabled=False, options={"voice": "off"})
    ran = Ran(CHINESE, ENGLISH)
    assert [line.split()[0] for line in ran.output.splitlines() if " <==" not in line and line] == [
        "Short",
        "Long",
    ]
    # To try a model before the service uses it is what the command is for.
    assert Ran(ENGLISH, "--model", "off").output.startswith("Off ")


def test_a_model_that_cannot_be_loaded_fails_its_files_in_words() -> None:
    ran = Ran(ENGLISH, "--engine", "fake,load_error=Half of it is missing.")
    assert ran.status == 1
    assert "model_unavailable (4003)" in ran.errors
    assert "Half of it is missing." in ran.errors


def test_a_recording_that_kills_its_worker_is_given_up() -> None:
    ran = Ran(ENGLISH, "--engine", "fake,obey_context=true", "--prompt", "[fake:kill]")
    assert ran.status == 1
    assert "recognition_failed (4002)" in ran.errors


def test_a_worker_that_cannot_even_start_is_quoted(settings: Any, tmp_path: Path) -> None:
    # What an old installation of Python packages looks like, say: its settings do not import.
    settings.BASE_DIR = tmp_path
    ran = Ran(ENGLISH, "--engine", "fake")
    assert ran.status == 1
    assert "before a model was in memory" in ran.refusal
    assert "No module named 'transcription'" in ran.refusal


def test_a_gpu_that_the_service_works_on_is_left_to_it(settings: Any, tmp_path: Path) -> None:
    settings.RUN_DIR = tmp_path
    serving = ServeLock(tmp_path)
    serving.take()
    serving.announce("http://127.0.0.1:8123")
    held = open_and_lock(tmp_path / "cuda-1.lock")
    assert held is not None
    try:
        ran = Ran(ENGLISH, "--engine", "fake", "--device", "cuda:1")
    finally:
        os.close(held)
        serving.release()
    assert ran.status == 1
    assert ran.refusal.startswith(
        "The running service (http://127.0.0.1:8123) has its model on the device 'cuda:1'"
    )
    assert "Add --device cpu, or --device" in ran.refusal
    assert Ran(ENGLISH, "--engine", "fake", "--device", "cuda:1").status == 0


def test_times_of_words_are_in_the_json_where_they_are_asked_for() -> None:
    ran = Ran(ENGLISH, "--engine", "fake", "--format", "json", "--words")
    [first, *_] = json.loads(ran.output)["segments"]
    assert first["words"][0]["text"] == "fake"


def test_a_terminal_sees_a_bar_that_is_taken_away_again() -> None:
    terminal = Terminal()
    Ran(ENGLISH, CHINESE, "--engine", "fake,seconds_per_second=0.1", errors=terminal)
    shown = terminal.getvalue()
    assert "of 2 files" in shown
    assert "█" in shown
    assert "× real time" in shown
    assert "Loaded fake on cpu as none" in shown
    assert shown.rindex("\r\033[K") > shown.rindex("░")


def test_quiet_means_quiet() -> None:
    ran = Ran(ENGLISH, "--engine", "fake", "--verbosity", "0")
    assert ran.errors == ""
    assert ran.output


# --- as a program of its own


def manage(data_dir: Path, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", *map(str, words)],
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("ASR_")},
            "DJANGO_SETTINGS_MODULE": "asr_project.settings",
            "ASR_ENV_FILE": "",
            "ASR_DATA_DIR": str(data_dir),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Ctrl-C reaches every process of the terminal's foreground group.
        start_new_session=True,
        # What is started in the background inherits that Ctrl-C means nothing.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


def wait_for(what: Any, patience_seconds: float = 60.0) -> None:
    deadline = time.monotonic() + patience_seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.05)


def test_it_works_where_nothing_is_set_up_and_makes_no_database(tmp_path: Path) -> None:
    process = manage(tmp_path, "transcribe", ENGLISH, "--engine", "fake")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert output.startswith("Fake ")
    assert not list(tmp_path.glob("*.sqlite3*"))
    assert list((tmp_path / "local").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_behind_however_it_is_ended(number: int, tmp_path: Path) -> None:
    slow = "fake,seconds_per_second=100"
    process = manage(tmp_path, "transcribe", ENGLISH, "--engine", slow)
    local = tmp_path / "local"
    wait_for(lambda: list(local.glob("*/db.sqlite3-wal")))
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.kill()
    _output, errors = process.communicate(timeout=60)
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "Interrupted: what is finished is written, the rest is not." in errors
        assert "Traceback" not in errors
        assert list(local.iterdir()) == []
    else:
        # The worker finds itself alone and takes its data along.
        wait_for(lambda: not any(path.is_dir() for path in local.iterdir()))


def test_the_next_run_removes_what_a_power_cut_left() -> None:
    local = Path(django_settings.DATA_DIR, "local")
    local.mkdir(exist_ok=True)
    (local / "run-old.lock").touch()
    (local / "run-old").mkdir()
    (local / "run-old" / "db.sqlite3").touch()
    assert Ran(ENGLISH, "--engine", "fake").status == 0
    assert left_behind() == []
