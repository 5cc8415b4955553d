"""The robots of WeCom, DingTalk and Feishu (Lark) groups.

All three answer HTTP 200 to what they refuse: whether a message arrived stands in the body.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from transcription.delivery.client import Answer
from transcription.delivery.outcome import Outcome, Verdict, verdict_on

_ANSWER_CHARACTERS = 500


@dataclass(frozen=True, kw_only=True)
class RobotRequest:
    """What is to be posted."""

    url: str
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What is particular to a platform."""

    #: Bytes of UTF-8 that a text may have.
    max_text_bytes: int
    #: Names of the error number and of its words in an answer; the first that is there counts.
    code_names: tuple[str, ...]
    words_names: tuple[str, ...]
    #: Error numbers that mean: too many messages, or the platform has trouble of its own.
    later_codes: frozenset[int]
    build: Callable[[str, str, str, datetime], RobotRequest]


def request_for(
    kind: str, *, url: str, secret: str, text: str, now: datetime
) -> RobotRequest:  # fmt: skip
    """Return the request that puts a text into the group; ``now`` must be aware.

    A text that is longer than the platform takes is cut, with "…" at its end.
    """
    platform = PLATFORMS[kind]
    return platform.build(url, secret, cut(text, platform.max_text_bytes), now)


def judge(kind: str, answer: Answer) -> Outcome:
    """Return what a platform's answer means."""
    platform = PLATFORMS[kind]
    said = answer.body.decode("utf-8", errors="replace")[:_ANSWER_CHARACTERS]
    verdict, error_code = verdict_on(answer.status)
    if verdict is not Verdict.DELIVERED:
        if verdict is Verdict.GONE:  # of a robot that is no more than a refusal
            verdict, error_code = Verdict.NEVER, "receiver_refused"
        return Outcome(
            verdict=verdict,
            error_code=error_code,
            http_status=answer.status,
            answer=said,
            retry_after_seconds=answer.retry_after_seconds,
        )
    values = _object_in(answer.body)
    code = _first(values, platform.code_names)
    if code == 0:
        return Outcome(verdict=Verdict.DELIVERED, http_status=answer.status)
    if not isinstance(code, int):
        # A proxy's or a portal's page, for all we know: the platform did not say that it took it.
        return Outcome(
            verdict=Verdict.LATER,
            error_code="robot_unreadable",
            http_status=answer.status,
            answer=said,
        )
    words = str(_first(values, platform.words_names) or "")
    return Outcome(
        verdict=Verdict.LATER if code in platform.later_codes else Verdict.NEVER,
        error_code="robot_refused",
        http_status=answer.status,
        answer=f"{code}: {words}"[:_ANSWER_CHARACTERS],
        retry_after_seconds=answer.retry_after_seconds,
    )


def cut(text: str, max_bytes: int) -> str:
    """Return the text, shortened to so many bytes of UTF-8 without splitting a character."""
    whole = text.encode()
    if len(whole) <= max_bytes:
        return text
    return whole[: max_bytes - len("…".encode())].decode("utf-8", errors="ignore") + "…"


def _object_in(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((values[name] for name in names if name in values), None)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _wecom(url: str, secret: str, text: str, now: datetime) -> RobotRequest:
    # Its key is a part of the URL; it signs nothing.
    return RobotRequest(url=url, body=_json({"msgtype": "text", "text": {"content": text}}))


def _dingtalk(url: str, secret: str, text: str, now: datetime) -> RobotRequest:
    if secret:
        milliseconds = int(now.timestamp() * 1000)
        signed = hmac.digest(secret.encode(), f"{milliseconds}\n{secret}".encode(), hashlib.sha256)
        query = urlencode(
            {"timestamp": milliseconds, "sign": base64.b64encode(signed).decode("ascii")}
        )
        url = f"{url}{'&' if '?' in url else '?'}{query}"
    return RobotRequest(url=url, body=_json({"msgtype": "text", "text": {"content": text}}))


def _feishu(url: str, secret: str, text: str, now: datetime) -> RobotRequest:
    message: dict[str, Any] = {"msg_type": "text", "content": {"text": text}}
    if secret:
        seconds = int(now.timestamp())
        # The words to sign are the key here, and what is signed is empty.
        signed = hmac.digest(f"{seconds}\n{secret}".encode(), b"", hashlib.sha256)
        message = {
            "timestamp": str(seconds),
            "sign": base64.b64encode(signed).decode("ascii"),
            **message,
        }
    return RobotRequest(url=url, body=_json(message))


PLATFORMS = {
    # https://developer.work.weixin.qq.com/document/path/91770: text of 2,048 bytes; 20 a minute.
    "wecom": Platform(
        max_text_bytes=2_048,
        code_names=("errcode",),
        words_names=("errmsg",),
        later_codes=frozenset({-1, 45009, 45033}),
        build=_wecom,
    ),
    # https://open.dingtalk.com/document/robots/custom-robot-access: 20,000 bytes with all around
    # it; 20 a minute, else nothing for ten minutes.
    "dingtalk": Platform(
        max_text_bytes=16_000,
        code_names=("errcode",),
        words_names=("errmsg",),
        later_codes=frozenset({-1, 130101}),
        build=_dingtalk,
    ),
    # https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot: 20 KB with all around it;
    # 100 a minute, 5 a second. Older robots write StatusCode.
    "feishu": Platform(
        max_text_bytes=16_000,
        code_names=("code", "StatusCode"),
        words_names=("msg", "StatusMessage"),
        later_codes=frozenset({9499, 11232, 11233}),
        build=_feishu,
    ),
}
