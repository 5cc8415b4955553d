"""A wrong setting is named at start-up, not at the first upload."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from asr_project.env import Env, database_from_url, read_env_file

BASE_DIR = Path(__file__).resolve().parent.parent


def ids() -> list[str]:
    return [found.id for found in run_checks()]


def test_the_settings_as_they_come_are_right() -> None:
    assert ids() == []


def test_a_batch_must_be_able_to_end_before_its_task_is_cut_off(settings) -> None:
    settings.BATCH_LIMIT_SECONDS = 900
    assert ids() == ["asr.E001"]


@pytest.mark.parametrize("rate", ["five a minute", "5", "5/y", ""])
def test_a_rate_that_cannot_be_read_is_named(settings, rate) -> None:
    settings.RATE_USER = rate
    assert ids() == ["asr.E002"]


def test_every_rate_is_looked_at(settings) -> None:
    names = [name for name in dir(django_settings) if name.startswith("RATE_")]
    for name in names:
        setattr(settings, name, "often")
    assert ids() == ["asr.E002"] * len(names)
    assert len(names) == 7


def test_strangers_are_not_let_in_further_than_those_who_are_known(settings) -> None:
    settings.MAX_ANONYMOUS_UPLOAD_BYTES = settings.MAX_UPLOAD_BYTES + 1
    assert ids() == []
    settings.ALLOW_ANONYMOUS = True
    assert ids() == ["asr.E040"]


def test_audio_is_not_to_outlive_its_text(settings) -> None:
    settings.AUDIO_KEPT_DAYS, settings.TEXT_KEPT_DAYS = 30.5, 30.0
    [found] = run_checks()
    assert found.id == "asr.E050"
    assert "30.5 days" in found.msg
    for audio, text in ((30.0, 30.0), (0.0, 30.0), (30.0, 0.0)):
        settings.AUDIO_KEPT_DAYS, settings.TEXT_KEPT_DAYS = audio, text
        assert ids() == []


def test_several_web_processes_need_a_cache_that_they_share(settings) -> None:
    settings.WEB_PROCESSES = 2
    settings.REDIS_URL = ""
    assert ids() == ["asr.E003"]
    settings.REDIS_URL = "redis://127.0.0.1:6379/0"
    assert ids() == []


def test_polishing_by_a_model_needs_the_model(settings, tmp_path) -> None:
    settings.POLISH = "model"
    settings.WEIGHTS_DIR = tmp_path
    [found] = run_checks()
    assert found.id == "asr.E030"
    assert "fetch_model punct-cap-seg-47lang" in found.msg
    settings.WEIGHTS_DIR = BASE_DIR / "tests" / "punctuation"
    settings.PUNCTUATION_MODEL = "tiny-punct-cap-seg"
    assert ids() == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ASR_MAX_UPLOAD_MB", "two", "whole number"),
        ("ASR_MAX_UPLOAD_MB", "0", "from 1"),
        ("ASR_DEBUG", "perhaps", "true or false"),
        ("ASR_AUDIO_KEPT_DAYS", "-1", "from 0"),
        ("ASR_AUDIT_KEPT_DAYS", "0", "from 1"),
        ("ASR_POLISH", "polished", "off, rules, model"),
        ("ASR_CHINESE_SCRIPT", "both", "simplified, traditional"),
        ("ASR_EMAIL_URL", "mail.example.com", "smtp://"),
        ("ASR_DATABASE_URL", "mysql://here/db", "postgresql://"),
        ("ASR_RETRY_DELAYS_SECONDS", "0,soon", "could not convert"),
    ],
)
def test_a_value_that_cannot_be_right_stops_the_start_in_words(
    name: str, value: str, words: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=BASE_DIR,
        env={"ASR_ENV_FILE": "", "ASR_DATA_DIR": str(tmp_path), name: value},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert name in done.stderr
    assert words in done.stderr


def test_a_private_host_that_cannot_be_read_is_named(settings) -> None:
    settings.WEBHOOK_PRIVATE_HOSTS = ["hooks.internal", "10.0.0.1/8"]
    (error,) = run_checks()
    assert error.id == "asr.E020"
    assert "10.0.0.1/8" in error.msg
    settings.WEBHOOK_PRIVATE_HOSTS = ["hooks.internal", "10.0.0.0/8"]
    assert ids() == []


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# comment\n\nASR_A='from the file'\nexport ASR_B=2\n", encoding="utf-8")
    env = Env({"ASR_B": "3"}, read_env_file(path))
    assert env.text("ASR_A", "", "") == "from the file"
    assert env.integer("ASR_B", 1, "") == 3
    assert [one.name for one in env.declared] == ["ASR_A", "ASR_B"]


def test_a_line_of_the_file_that_is_no_setting_is_named(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("ASR_A=1\nwhat is this\n", encoding="utf-8")
    with pytest.raises(ImproperlyConfigured, match="line 2"):
        read_env_file(path)


def test_a_postgresql_url_is_read_with_its_password_and_options() -> None:
    found = database_from_url("postgresql://ann:p%40ss@db:5433/asr?sslmode=require")
    assert found["PASSWORD"] == "p@ss"
    assert (found["HOST"], found["PORT"], found["NAME"]) == ("db", 5433, "asr")
    # A server that is gone must not keep every request waiting for minutes.
    assert found["OPTIONS"] == {"connect_timeout": "10", "sslmode": "require"}
    slow = database_from_url("postgresql://db/asr?connect_timeout=60")
    assert slow["OPTIONS"] == {"connect_timeout": "60"}
