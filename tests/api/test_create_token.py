"""``manage.py create_token USER``."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from tests.api.conftest import LIST_URL
from transcription.models import ApiToken


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("create_token", *arguments, stdout=out)
    return out.getvalue()


def test_it_prints_a_token_that_works_and_nothing_else(ann: User) -> None:
    printed = run("ann")

    assert printed.count("\n") == 1
    client = Client(headers={"Authorization": f"Token {printed.strip()}"})
    assert client.get(LIST_URL).status_code == 200
    assert ApiToken.objects.get().scope == "full"
    assert ApiToken.objects.get().expires_at is None


def test_it_takes_a_name_a_scope_and_an_end(ann: User) -> None:
    run("ann", "--name", "web shop", "--scope", "read", "--days", "30")

    token = ApiToken.objects.get()
    assert (token.name, token.scope) == ("web shop", "read")
    assert token.expires_at is not None
    assert timedelta(days=29) < token.expires_at - timezone.now() < timedelta(days=31)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody"], "There is no user 'nobody'"),
        (["ann", "--days", "0"], "--days"),
        (["ann", "--days", "nan"], "--days"),
        (["ann", "--name", "x" * 101], "100 characters"),
        (["ann", "--scope", "everything"], "invalid choice"),
    ],
)
def test_what_is_wrong_is_said_in_words_and_makes_no_token(
    ann: User, arguments: list[str], words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        run(*arguments)

    assert not ApiToken.objects.exists()


def test_somebody_who_may_not_log_in_gets_none(ann: User) -> None:
    User.objects.update(is_active=False)

    with pytest.raises(CommandError, match="not active"):
        run("ann")
