"""In which language somebody is answered: his cookie, his browser's wish, the setting."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.utils import translation

from transcription.models import Bot, Delivery, Lease, Transcription
from transcription.services import bots, tokens
from transcription.services.change import cancel
from transcription.services.errors import ServiceError, error_message
from transcription.work.prepare import fail

CHINESE = "请求未携带令牌"
ENGLISH = "No token was sent"
API = "/api/v1/transcriptions/"


@pytest.fixture(autouse=True)
def nobody_has_called_yet(db: None) -> None:
    cache.clear()


@pytest.mark.parametrize(
    ("header", "is_chinese"),
    [
        *((name, True) for name in ("zh", "zh-CN", "zh-Hans", "zh-Hans-CN", "zh-SG", "zh-cn")),
        # There is one written Chinese here: better than English to whoever asks for the other.
        *((name, True) for name in ("zh-TW", "zh-HK", "zh-Hant", "zh-Hant-TW")),
        ("zh-CN,zh;q=0.9,en;q=0.8", True),
        ("fr,zh;q=0.5,en;q=0.4", True),
        ("en-GB,en;q=0.9,zh;q=0.8", False),
        ("en", False),
        ("fr", False),
        ("", False),
        ("not a language;;q=x", False),
    ],
)
def test_a_browsers_wish_is_followed_by_pages_and_by_the_api(header: str, is_chinese: bool) -> None:
    caller = Client(headers={"Accept-Language": header})
    page = caller.get("/accounts/login/")
    assert f'lang="{"zh-hans" if is_chinese else "en"}"' in page.content.decode()
    refused = caller.get(API)
    assert (CHINESE if is_chinese else ENGLISH) in refused.json()["message"]
    for response in (page, refused):
        assert response.headers["Content-Language"] == ("zh-hans" if is_chinese else "en")
        assert "Accept-Language" in response.headers["Vary"]


def test_the_cookie_comes_before_the_browsers_wish(settings: Any) -> None:
    caller = Client(headers={"Accept-Language": "en"})
    caller.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    assert 'lang="zh-hans"' in caller.get("/accounts/login/").content.decode()
    assert CHINESE in caller.get(API).json()["message"]


def test_where_nobody_asks_the_setting_decides(settings: Any) -> None:
    settings.LANGUAGE_CODE = "zh-hans"
    assert CHINESE in Client().get(API).json()["message"]
    assert ENGLISH in Client(headers={"Accept-Language": "en"}).get(API).json()["message"]


def test_a_field_of_the_framework_and_one_of_ours_are_told_in_chinese() -> None:
    user = User.objects.create_user("ann")
    _row, token = tokens.create(user, name="of the test")
    caller = Client(headers={"Accept-Language": "zh-CN", "Authorization": f"Token {token}"})
    wrong = caller.get(API, {"page_size": "1", "status": "nothing"}).json()
    assert "不是合法选项" in wrong["message"]
    [moment] = caller.get(API, {"created_after": "then"}).json()["errors"]
    assert moment["message"].startswith("不是有效的日期或时间")
    [language] = caller.get(API, {"language": "Klingon"}).json()["errors"]
    assert language["message"].startswith("未知的语言“Klingon”")


def test_a_status_within_a_sentence_is_in_its_language() -> None:
    row = Transcription.objects.create(status="completed", step="over", state="done")
    with pytest.raises(ServiceError) as caught:
        cancel(row)
    assert caught.value.words() == "That is not possible while the transcription is completed."
    with translation.override("zh-hans"):
        assert caught.value.words() == "转写处于“已完成”状态时不能执行此操作。"


# --- what a worker wrote is told in the language of whoever reads it


def failed_in_a_worker(language: str, **details: object) -> Transcription:
    user = User.objects.create_user(f"ann {uuid.uuid4()}")
    made = Transcription.objects.create(owner=user)
    [row] = Transcription.objects.claim([made.pk], Lease(holder="chores", seconds=60.0))
    with translation.override(language):
        fail(row, "audio_too_long", "7 h", **details)
    row.refresh_from_db()
    return row


@pytest.mark.parametrize("workers_language", ["en", "zh-hans"])
def test_a_failure_is_told_in_the_readers_language(workers_language: str) -> None:
    row = failed_in_a_worker(workers_language, limit="6 h")
    assert row.error_message.startswith("The recording is longer than 6 h.")
    assert row.owner is not None
    _row, token = tokens.create(row.owner, name="of the test")
    for language, words in (
        ("zh-CN", "录音超过 6 h。"),
        ("en", "The recording is longer than 6 h."),
    ):
        caller = Client(headers={"Accept-Language": language, "Authorization": f"Token {token}"})
        told = caller.get(f"{API}{row.pk}/").json()["error"]
        assert told["code"] == "audio_too_long"
        assert told["message"].startswith(words)


def test_a_failure_of_an_older_version_is_told_as_it_was_written() -> None:
    row = Transcription(error_code="audio_too_long", error_message="Longer than 6 hours.")
    with translation.override("zh-hans"):
        assert error_message(row) == "Longer than 6 hours."
        assert error_message(Transcription(error_code="bygone", error_message="Old.")) == "Old."


def test_the_admin_tells_a_failure_in_the_readers_language() -> None:
    row = failed_in_a_worker("en", limit="6 h")
    browser = Client(headers={"Accept-Language": "zh-CN"})
    browser.force_login(User.objects.create_superuser("root"))
    page = browser.get(f"/admin/transcription/transcription/{row.pk}/change/").content.decode()
    assert "录音超过 6 h。" in page
    assert "The recording is longer" not in page


def test_a_chat_is_told_in_the_language_of_the_setting(data_dir: Path) -> None:
    row = failed_in_a_worker("en", limit="6 h")
    payload = {
        "data": {
            "title": "会议",
            "duration_seconds": 61.0,
            "language": None,
            "error": {"code": row.error_code, "message": row.error_message},
        }
    }
    message = Delivery(event="transcription.failed", payload=payload, transcription=row)
    # A worker's language is that of ASR_LANGUAGE.
    with translation.override("zh-hans"):
        told = bots.message_for(message, Bot(name="群", kind="feishu"), row)
    assert told.splitlines()[:3] == [
        "转写失败：会议",
        "1 分 1 秒",
        "录音超过 6 h。请切成几段后逐一发送。",
    ]


def test_the_description_of_the_api_is_english_for_everybody() -> None:
    told = [
        Client(headers={"Accept-Language": name}).get("/api/v1/schema/").json()
        for name in ("zh-CN", "en")
    ]
    assert told[0] == told[1]
