"""The first start of an installation."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import call_command

from transcription.models import ApiToken, SpeechModel
from transcription.services import tokens

pytestmark = pytest.mark.django_db


def setup(**options: object) -> str:
    output = io.StringIO()
    call_command("setup_service", stdout=output, **options)
    return output.getvalue()


def said(output: str, label: str) -> str:
    found = re.search(rf"^{label}: +(\S+)", output, re.MULTILINE)
    assert found, output
    return found.group(1)


def test_the_first_start_prints_an_account_that_can_log_in() -> None:
    output = setup(port=8123)
    user = authenticate(username=said(output, "Account"), password=said(output, "Password"))
    assert isinstance(user, User)
    assert user.is_superuser
    assert user.username == "admin"


def test_the_first_start_prints_a_token_that_works() -> None:
    row = tokens.find(said(setup(), "API token"))
    assert row is not None
    assert row.user.username == "admin"


def test_the_first_start_prints_a_curl_line_that_can_be_pasted() -> None:
    output = setup(port=8123)
    line = next(line for line in output.splitlines() if line.strip().startswith("curl"))
    words = shlex.split(line)
    assert words[-1] == "http://127.0.0.1:8123/api/v1/transcribe"
    assert words[words.index("-H") + 1] == f"Authorization: Token {said(output, 'API token')}"
    assert Path(words[words.index("-F") + 1].removeprefix("file=@")).is_file()


def test_the_first_start_enters_the_embedded_model() -> None:
    setup()
    assert SpeechModel.objects.get().name == "whisper-base"


def test_a_later_start_prints_the_address_and_makes_nothing() -> None:
    setup()
    assert setup(port=8123).strip() == "Address:   http://127.0.0.1:8123"
    assert User.objects.count() == 1
    assert ApiToken.objects.count() == 1


def test_an_administrator_made_by_hand_is_left_alone() -> None:
    User.objects.create_superuser("ann", password="x")
    assert "Password" not in setup()
    assert User.objects.count() == 1


def test_a_plain_account_named_admin_is_not_taken_over() -> None:
    plain = User.objects.create_user("admin", password="x")
    name = said(setup(), "Account")
    assert name.startswith("admin-")
    plain.refresh_from_db()
    assert not plain.is_superuser


def test_an_address_for_everybody_is_shown_as_the_loopback() -> None:
    assert said(setup(host="0.0.0.0"), "Address") == "http://127.0.0.1:8000"
    assert said(setup(host="::1"), "Address") == "http://[::1]:8000"


def test_no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        output = setup()
    for label in ("Password", "API token"):
        assert said(output, label) not in caplog.text
