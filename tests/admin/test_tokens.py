"""API tokens in the admin."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from transcription.models import ApiToken
from transcription.services import tokens

LIST = "/admin/transcription/apitoken/"


@pytest.fixture
def clerk(db: None) -> User:
    """Staff who may deal with tokens, and no superuser."""
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__endswith="_apitoken"))
    return clerk


def add(browser: Client, user: User, **changes: Any) -> Any:
    data = {"user": user.pk, "name": "web shop", "scope": "read", **changes}
    return browser.post(f"{LIST}add/", data, follow=True)


def test_a_new_token_is_shown_once_and_works(staff: Client, root: User) -> None:
    page = add(staff, root).content.decode()

    shown = re.search(r"<code>(asr_[\w-]+)</code>", page)
    assert shown is not None
    row = tokens.find(shown[1])
    assert row is not None
    assert (row.user, row.name, row.scope) == (root, "web shop", "read")
    for url in (LIST, f"{LIST}{row.pk}/change/"):
        again = staff.get(url).content.decode()
        assert shown[1] not in again
        assert row.shown in again


def test_what_a_token_may_do_is_settled_when_it_is_made(staff: Client, root: User) -> None:
    row, token = tokens.create(root, name="web shop", scope="read")

    staff.post(
        f"{LIST}{row.pk}/change/",
        {"name": "web shop, old", "scope": "full", "expires_at_0": "", "expires_at_1": ""},
    )

    row.refresh_from_db()
    assert (row.name, row.scope) == ("web shop, old", "read")
    assert tokens.find(token) == row


def test_tokens_are_revoked_together(staff: Client, root: User) -> None:
    made = [tokens.create(root, name=f"token {number}") for number in range(2)]

    response = staff.post(
        LIST,
        {"action": "revoke", "_selected_action": [str(row.pk) for row, _ in made]},
        follow=True,
    )

    assert "2 tokens were revoked." in response.content.decode()
    assert not any(tokens.is_usable(token) for _, token in made)


def test_staff_who_are_no_superusers_make_and_see_tokens_of_their_own_only(
    clerk: User, root: User
) -> None:
    browser = Client()
    browser.force_login(clerk)
    row, _ = tokens.create(root, name="of the superuser")

    refused = add(browser, root)
    assert "Select a valid choice" in refused.content.decode()
    assert ApiToken.objects.count() == 1
    assert "of the superuser" not in browser.get(LIST).content.decode()
    assert browser.get(f"{LIST}{row.pk}/change/").status_code == 302  # as if it were not there

    add(browser, clerk)
    assert ApiToken.objects.filter(user=clerk).count() == 1
