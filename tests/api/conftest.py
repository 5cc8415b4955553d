"""Callers, and a way to have what they post completed while they wait."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from tests.served import eventually
from transcription.models import ApiToken, Transcription
from transcription.services import tokens

PostAndEnd = Callable[..., HttpResponse]
URL = "/api/v1/transcribe"
LIST_URL = "/api/v1/transcriptions/"


def wav(content: bytes = b"RIFF....WAVEfmt some sound") -> SimpleUploadedFile:
    return SimpleUploadedFile("talk.wav", content, content_type="audio/wav")


def stored(owner: User, content: bytes, **fields: Any) -> Transcription:
    """A transcription with this recording on the disk."""
    name = "audio/talk.wav"
    path = Path(settings.MEDIA_ROOT, name)
    path.parent.mkdir()
    path.write_bytes(content)
    return Transcription.objects.create(owner=owner, audio=name, content_type="audio/wav", **fields)


@pytest.fixture(autouse=True)
def nobody_has_called_yet() -> None:
    cache.clear()


@pytest.fixture
def ann(db: None) -> User:
    return User.objects.create_user("ann", password="ann's password")


def caller(user: User, scope: str = ApiToken.Scope.FULL, **fields: Any) -> Client:
    """A program with a token of this user's."""
    _, token = tokens.create(user, name="of the test", scope=scope, **fields)
    return Client(headers={"Authorization": f"Token {token}"})


@pytest.fixture
def client_of_ann(ann: User) -> Client:
    return caller(ann)


@pytest.fixture
def at_once(settings: Any, data_dir: Path, transactional_db: None) -> None:
    """The transcribe route does not wait (but gives up its database connection all the same)."""
    settings.SYNC_WAIT_SECONDS = 0.0


@pytest.fixture
def post_and_end(transactional_db: None, data_dir: Path) -> Callable[..., HttpResponse]:
    """Posts a recording and ends its transcription, while the caller waits for the answer."""

    def run(client: Client, url: str = URL, **changes: Any) -> HttpResponse:
        def post() -> HttpResponse:
            try:
                return client.post(url, {"file": wav()})
            finally:
                connection.close()

        known = set(Transcription.objects.values_list("pk", flat=True))
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(post)
            new = Transcription.objects.exclude(pk__in=known)
            eventually(lambda: new.exists() or answer.done())
            # As the finishing worker does: all of it in one UPDATE.
            new.update(**changes)
            return answer.result()

    return run


@pytest.fixture
def stranger(db: None) -> Client:
    return caller(User.objects.create_user("mallory"))


@pytest.fixture
def staff(db: None) -> Client:
    return caller(User.objects.create_user("root", is_staff=True))


def told(response: Any) -> tuple[int, str]:
    """Status and stable code of an error, in whichever shape."""
    body = response.json()
    return response.status_code, body.get("error", body)["code"]


def url_of(row: Transcription, action: str = "") -> str:
    return f"{LIST_URL}{row.pk}/{action + '/' if action else ''}"
