"""The robots of group chats: what is sent to them, and what their answers mean."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from transcription.delivery.client import Answer
from transcription.delivery.outcome import Verdict
from transcription.delivery.robots import PLATFORMS, RobotRequest, cut, judge, request_for

NOW = datetime(2026, 11, 25, 12, 0, 0, 250_000, tzinfo=UTC)
SECONDS = 1795608000
WECOM = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k"
DINGTALK = "https://oapi.dingtalk.com/robot/send?access_token=t"
FEISHU = "https://open.feishu.cn/open-apis/bot/v2/hook/h"


def request(kind: str, url: str, secret: str = "", text: str = "完成") -> RobotRequest:
    return request_for(kind, url=url, secret=secret, text=text, now=NOW)


def answer(body: Any, status: int = 200, **changes: Any) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(
        **{"status": status, "body": content, "retry_after_seconds": None, "is_public": True}
        | changes
    )


def test_wecom_gets_a_text_at_its_address() -> None:
    made = request("wecom", WECOM)
    assert made.url == WECOM
    assert json.loads(made.body) == {"msgtype": "text", "text": {"content": "完成"}}


def test_dingtalk_is_signed_in_the_query() -> None:
    made = request("dingtalk", DINGTALK, "SECabc")

    query = parse_qs(urlsplit(made.url).query)
    assert query["access_token"] == ["t"]
    assert query["timestamp"] == [str(SECONDS * 1000 + 250)]
    expected = hmac.digest(b"SECabc", f"{SECONDS * 1000 + 250}\nSECabc".encode(), hashlib.sha256)
    assert query["sign"] == [base64.b64encode(expected).decode()]
    assert "+" not in urlsplit(made.url).query  # which would be read as a space
    assert request("dingtalk", DINGTALK).url == DINGTALK


def test_feishu_is_signed_in_the_body() -> None:
    made = request("feishu", FEISHU, "abc")

    message = json.loads(made.body)
    assert made.url == FEISHU
    assert message["timestamp"] == str(SECONDS)
    expected = hmac.digest(f"{SECONDS}\nabc".encode(), b"", hashlib.sha256)
    assert message["sign"] == base64.b64encode(expected).decode()
    assert (message["msg_type"], message["content"]) == ("text", {"text": "完成"})
    assert "sign" not in json.loads(request("feishu", FEISHU).body)


@pytest.mark.parametrize("kind", PLATFORMS)
def test_a_text_is_cut_to_what_the_platform_takes(kind: str) -> None:
    limit = PLATFORMS[kind].max_text_bytes
    body = json.loads(request(kind, "https://robot.example/", text="字" * 30_000).body)
    text = body["content"]["text"] if kind == "feishu" else body["text"]["content"]
    assert limit - 3 <= len(text.encode()) <= limit
    assert text.endswith("字…")


def test_wecom_takes_2048_bytes() -> None:
    assert PLATFORMS["wecom"].max_text_bytes == 2048


def test_a_text_that_fits_is_left_alone() -> None:
    assert cut("字" * 3, 9) == "字字字"
    assert cut("字" * 3, 8) == "字…"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("wecom", {"errcode": 0, "errmsg": "ok"}),
        ("dingtalk", {"errcode": 0, "errmsg": "ok"}),
        ("feishu", {"code": 0, "msg": "success", "data": {}}),
        ("feishu", {"StatusCode": 0, "StatusMessage": "success"}),
    ],
)
def test_only_the_platforms_own_zero_is_success(kind: str, body: Any) -> None:
    assert judge(kind, answer(body)).verdict is Verdict.DELIVERED


@pytest.mark.parametrize(
    ("kind", "body", "verdict", "words"),
    [
        ("wecom", {"errcode": 93000, "errmsg": "invalid webhook url"}, Verdict.NEVER,
         "93000: invalid webhook url"),
        ("wecom", {"errcode": 45009, "errmsg": "api freq out of limit"}, Verdict.LATER,
         "45009: api freq out of limit"),
        ("dingtalk", {"errcode": 310000, "errmsg": "sign not match"}, Verdict.NEVER,
         "310000: sign not match"),
        ("dingtalk", {"errcode": 130101, "errmsg": "send too fast"}, Verdict.LATER,
         "130101: send too fast"),
        ("feishu", {"code": 19021, "msg": "sign match fail"}, Verdict.NEVER,
         "19021: sign match fail"),
        ("feishu", {"code": 9499, "msg": "too many request"}, Verdict.LATER,
         "9499: too many request"),
        ("feishu", {"code": 11232, "msg": "frequency limited"}, Verdict.LATER,
         "11232: frequency limited"),
    ],
)  # fmt: skip
def test_an_http_200_with_an_error_number_is_a_failure_in_the_platforms_words(
    kind: str, body: Any, verdict: Verdict, words: str
) -> None:
    outcome = judge(kind, answer(body))
    assert (outcome.verdict, outcome.error_code, outcome.answer) == (
        verdict,
        "robot_refused",
        words,
    )


@pytest.mark.parametrize("body", [b"", b"<html>Sign in</html>", b"[0]", b"{}", b'{"errcode": "0"}'])
def test_an_answer_that_is_not_the_platforms_is_no_success(body: bytes) -> None:
    outcome = judge("wecom", answer(body))
    assert (outcome.verdict, outcome.error_code) == (Verdict.LATER, "robot_unreadable")


def test_an_http_error_counts_before_the_body() -> None:
    assert judge("wecom", answer({"errcode": 0}, status=502)).verdict is Verdict.LATER
    assert judge("wecom", answer({"errcode": 0}, status=404)).verdict is Verdict.NEVER
    gone = judge("wecom", answer({"errcode": 0}, status=410))
    assert (gone.verdict, gone.error_code) == (Verdict.NEVER, "receiver_refused")
    busy = judge("feishu", answer(b"", status=429, retry_after_seconds=60.0))
    assert (busy.verdict, busy.retry_after_seconds) == (Verdict.LATER, 60.0)
