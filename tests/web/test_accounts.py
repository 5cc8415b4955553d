"""The pages on which people log in, set a password anew and look after their tokens."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone

from asr_project.env import email_from_url
from transcription.models import ApiToken, AuditEntry
from transcription.services import tokens

TOKENS = "/account/tokens/"
RESET = "/accounts/password-reset/"
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def nobody_has_called_yet() -> None:
    cache.clear()


@pytest.fixture
def ann(db: None) -> User:
    return User.objects.create_user("ann", email="ann@example.com", password=PASSWORD)


@pytest.fixture
def browser(ann: User) -> Client:
    browser = Client()
    browser.force_login(ann)
    return browser


@pytest.fixture
def with_email(settings: Any) -> None:
    settings.EMAIL_URL = "smtp://mail.example.com"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def text_of(response: Any) -> str:
    return str(response.content.decode())


# --- log-in -----------------------------------------------------------------------------------


def test_a_page_for_people_leads_to_the_log_in_and_back(ann: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    asked = browser.get(TOKENS)
    assert asked.headers["Location"] == f"/accounts/login/?next={TOKENS}"
    form = browser.get(asked.headers["Location"])
    csrf = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', text_of(form))
    assert csrf

    done = browser.post(
        "/accounts/login/",
        {
            "username": "ann",
            "password": PASSWORD,
            "next": TOKENS,
            "csrfmiddlewaretoken": csrf[1],
        },
    )
    assert (done.status_code, done.headers["Location"]) == (302, TOKENS)
    assert browser.get(TOKENS).status_code == 200
    assert browser.get("/accounts/logout/").status_code == 405


def test_a_wrong_password_is_told_without_saying_which_half_is_wrong(ann: User) -> None:
    known = Client().post("/accounts/login/", {"username": "ann", "password": "guess"})
    unknown = Client().post("/accounts/login/", {"username": "bob", "password": "guess"})

    assert known.status_code == unknown.status_code == 200
    assert "errorlist" in text_of(known)
    words = [
        re.search(r"errorlist.*?<li>(.*?)</li>", text_of(one), re.S) for one in (known, unknown)
    ]
    assert words[0]
    assert words[1]
    assert words[0][1] == words[1][1]


def test_the_log_in_leads_nowhere_else(ann: User) -> None:
    done = Client().post(
        "/accounts/login/?next=https://evil.example/",
        {"username": "ann", "password": PASSWORD, "next": "https://evil.example/"},
    )
    assert done.headers["Location"] == "/"


def test_logging_out_ends_the_session(browser: Client) -> None:
    browser.post("/accounts/logout/")
    assert browser.get(TOKENS).status_code == 302


# --- a forgotten password ---------------------------------------------------------------------


def test_a_forgotten_password_is_set_anew_by_a_link_that_works_once(
    ann: User, with_email: None
) -> None:
    browser = Client()
    assert browser.post(RESET, {"email": "ann@example.com"}).headers["Location"] == f"{RESET}sent/"
    [message] = mail.outbox
    assert message.to == ["ann@example.com"]
    assert "ann" in message.body
    link = re.search(r"http://testserver(/\S+)", message.body)
    assert link

    form = browser.get(link[1], follow=True)
    assert "new_password1" in text_of(form)
    new = "a wholly new password"
    done = browser.post(
        form.redirect_chain[-1][0], {"new_password1": new, "new_password2": new}, follow=True
    )
    assert "Your password is set" in text_of(done)
    assert Client().login(username="ann", password=new)
    assert "used already" in text_of(Client().get(link[1], follow=True))


def test_the_page_does_not_tell_who_has_an_account(ann: User, with_email: None) -> None:
    known, unknown = (
        Client().post(RESET, {"email": email}, follow=True)
        for email in ("ann@example.com", "nobody@example.com")
    )
    # But for the token of the form, which is another each time.
    one, other = (re.sub(r'value="\w{64}"', "", text_of(page)) for page in (known, unknown))
    assert one == other
    assert len(mail.outbox) == 1


def test_without_email_the_page_says_whom_to_ask(ann: User) -> None:
    page = Client().get(RESET)
    assert page.status_code == 200
    assert "sends no e-mail" in text_of(page)
    assert "changepassword" in text_of(page)
    posted = Client().post(RESET, {"email": "ann@example.com"})
    assert "sends no e-mail" in text_of(posted)
    assert mail.outbox == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://ann:p%40ss@mail.example", ("mail.example", 587, "ann", "p@ss", True, False)),
        ("smtp://mail.example.com:2525", ("mail.example.com", 2525, "", "", True, False)),
        ("smtps://u:p@mail.example.com", ("mail.example.com", 465, "u", "p", False, True)),
        ("smtp+plain://127.0.0.1", ("127.0.0.1", 25, "", "", False, False)),
    ],
)  # fmt: skip
def test_a_mail_server_is_named_by_url(url: str, expected: tuple[Any, ...]) -> None:
    found = email_from_url(url)
    names = ("HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "USE_TLS", "USE_SSL")
    assert tuple(found[f"EMAIL_{name}"] for name in names) == expected


@pytest.mark.parametrize("url", ["mail.example.com", "http://mail", "smtp://", "smtp://a:b"])
def test_a_url_that_names_no_mail_server_stops_the_start(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="ASR_EMAIL_URL"):
        email_from_url(url)


# --- tokens -----------------------------------------------------------------------------------


def test_a_token_is_made_on_the_page_and_shown_once(browser: Client, ann: User) -> None:
    made = browser.post(TOKENS, {"name": "<b>shop</b>", "scope": "read", "days": "30"})

    found = re.search(r'id="new-token">(asr_[\w-]+)<', text_of(made))
    assert found
    row = ApiToken.objects.get()
    assert tokens.find(found[1]) == row
    assert (row.user, row.scope) == (ann, "read")
    assert row.expires_at is not None
    assert timedelta(days=29) < row.expires_at - timezone.now() < timedelta(days=31)
    assert "no-store" in made.headers["Cache-Control"]
    again = text_of(browser.get(TOKENS))
    assert found[1] not in again
    assert "&lt;b&gt;shop" in again
    assert "<b>shop" not in again


def test_a_form_that_is_wrong_makes_no_token(browser: Client) -> None:
    page = browser.post(TOKENS, {"name": "", "scope": "god", "days": "3"})

    assert "errorlist" in text_of(page)
    assert not ApiToken.objects.exists()


def test_a_token_is_revoked_on_the_page_by_its_owner_alone(browser: Client, ann: User) -> None:
    row, token = tokens.create(ann, name="web shop")
    mallory = Client()
    mallory.force_login(User.objects.create_user("mallory"))

    assert row.shown not in text_of(mallory.get(TOKENS))
    assert mallory.post(f"{TOKENS}{row.pk}/revoke/").status_code == 404
    assert tokens.is_usable(token)
    done = browser.post(f"{TOKENS}{row.pk}/revoke/", follow=True)
    assert "is revoked" in text_of(done)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.via, entry.actor, entry.object_id) == (
        "token_revoked",
        "page",
        ann,
        str(row.pk),
    )
    assert not tokens.is_usable(token)
    assert browser.get(f"{TOKENS}{row.pk}/revoke/").status_code == 405


def test_the_pages_need_their_csrf_token(ann: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ann)
    row, token = tokens.create(ann, name="web shop")

    assert browser.post(TOKENS, {"name": "x", "scope": "full", "days": "0"}).status_code == 403
    assert browser.post(f"{TOKENS}{row.pk}/revoke/").status_code == 403
    assert tokens.is_usable(token)
    assert ApiToken.objects.count() == 1


def test_new_tokens_are_limited_by_address(browser: Client, settings: Any) -> None:
    settings.RATE_LOGIN = "1/m"
    fields = {"name": "x", "scope": "read", "days": "7"}

    assert browser.post(TOKENS, fields).status_code == 200
    refused = browser.post(TOKENS, fields)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1
    assert ApiToken.objects.count() == 1
