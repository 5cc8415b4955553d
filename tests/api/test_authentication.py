"""What knowing a caller costs, and what it leaves behind."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from tests.api.conftest import LIST_URL
from transcription.api.authentication import ScopePermission
from transcription.models import ApiToken, Transcription
from transcription.services import audit, tokens


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Token abc", "abc"),
        ("Bearer abc", "abc"),
        ("  tOkEn   abc ", "abc"),
        ("Token", ""),
        ("Token a b", ""),
        ("Basic YW5uOmFubg==", None),
        ("abc", None),
        ("", None),
    ],
)
def test_a_header_holds_one_token_or_none(header: str, token: str | None) -> None:
    assert tokens.token_in(header) == token


def test_only_a_digest_of_a_token_is_stored(ann: User) -> None:
    row, token = tokens.create(ann, name="web shop")

    assert token.startswith("asr_")
    stored = " ".join(str(value) for value in ApiToken.objects.values_list().get())
    assert token not in stored
    assert stored.count(row.shown) == 1
    assert len(row.shown) < len(token) / 3


def test_the_last_use_is_written_at_most_once_a_minute(
    client_of_ann: Client, django_assert_num_queries: Any
) -> None:
    client_of_ann.get(LIST_URL)
    first = ApiToken.objects.get().last_used_at
    assert first is not None
    assert timezone.now() - first < timedelta(seconds=30)

    with django_assert_num_queries(2):
        client_of_ann.get(LIST_URL)
    assert ApiToken.objects.get().last_used_at == first

    ApiToken.objects.update(last_used_at=first - timedelta(minutes=2))
    client_of_ann.get(LIST_URL)
    assert ApiToken.objects.get().last_used_at > first - timedelta(minutes=1)


def test_of_two_requests_at_once_one_writes_the_last_use(
    ann: User, django_assert_num_queries: Any
) -> None:
    row, _ = tokens.create(ann, name="web shop")
    tokens.note_use(row)
    written = ApiToken.objects.get().last_used_at

    with django_assert_num_queries(1):
        tokens.note_use(row)  # as the other request had read it: never used

    assert ApiToken.objects.get().last_used_at == written


def test_a_token_is_revoked_once(ann: User) -> None:
    row, token = tokens.create(ann, name="web shop")
    assert tokens.is_usable(token)

    assert tokens.revoke(row, audit.Actor.of_command()) is True
    assert tokens.revoke(row, audit.Actor.of_command()) is False
    assert not tokens.is_usable(token)


def test_a_token_with_the_scope_transcribe_changes_only_what_is_its_users() -> None:
    mine, other = User(pk=1), User(pk=2, is_staff=True)

    def may(scope: str, owner: User, method: str = "delete") -> bool:
        request = APIView().initialize_request(getattr(APIRequestFactory(), method)("/"))
        request.user, request.auth = mine, ApiToken(scope=scope)
        row = Transcription(owner=owner)
        return ScopePermission().has_object_permission(request, APIView(), row)

    assert may("transcribe", mine)
    assert not may("transcribe", other)
    assert may("transcribe", other, "get")
    assert may("full", other)


def test_a_session_may_do_what_its_user_may(ann: User) -> None:
    browser = Client()
    browser.force_login(ann)

    assert browser.get(LIST_URL).status_code == 200
