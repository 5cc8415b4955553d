"""The first look at who calls, before a body is let in."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from transcription.models import ApiToken
from transcription.services import tokens
from transcription.web import credentials
from transcription.web.credentials import REMEMBER_SECONDS, KnownCallers

pytestmark = pytest.mark.django_db(transaction=True)


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def ann() -> User:
    return User.objects.create_user("ann")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kinds of what the database was asked for."""
    kinds: list[str] = []
    ask = credentials._ask

    def count(kind: str, secret: str) -> bool:
        kinds.append(kind)
        return ask(kind, secret)

    monkeypatch.setattr(credentials, "_ask", count)
    return kinds


def knows(callers: KnownCallers, **headers: str) -> bool:
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    return asyncio.run(callers.knows(sent))


def test_a_token_is_looked_up_once_in_a_while(ann: User, asked: list[str]) -> None:
    _, token = tokens.create(ann, name="web shop")
    clock = Clock()
    callers = KnownCallers(clock)

    assert all(knows(callers, authorization=f"Bearer {token}") for _ in range(5))
    assert asked == ["token"]

    ApiToken.objects.all().delete()
    clock.seconds += REMEMBER_SECONDS
    assert not knows(callers, authorization=f"Bearer {token}")
    assert asked == ["token", "token"]


def test_a_session_counts_if_somebody_is_logged_in(ann: User, asked: list[str]) -> None:
    browser = Client()
    browser.force_login(ann)
    key = browser.cookies["sessionid"].value
    callers = KnownCallers()

    assert knows(callers, cookie=f"theme=dark; sessionid={key}; csrftoken=x")
    browser.logout()
    assert not knows(KnownCallers(), cookie=f"sessionid={key}")
    assert asked == ["session", "session"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Basic YW5uOmFubg=="},
        {"authorization": "Token"},
        {"cookie": "theme=dark"},
        {"cookie": "\x00=;;; sessionid"},
    ],
)
def test_who_shows_nothing_is_not_looked_up(headers: dict[str, str], asked: list[str]) -> None:
    assert not knows(KnownCallers(), **headers)
    assert asked == []


def test_guessing_does_not_fill_the_memory(monkeypatch: Any, asked: list[str]) -> None:
    monkeypatch.setattr(credentials, "REMEMBER_COUNT", 3)
    callers = KnownCallers()

    for number in range(10):
        knows(callers, authorization=f"Token asr_{number}")

    assert len(callers._remembered) == 3
