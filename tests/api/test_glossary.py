"""``/api/v1/glossary/``: one's own terms, and those for everybody."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.api.conftest import caller
from transcription.models import ApiToken, GlossaryTerm
from transcription.services import glossary

URL = "/api/v1/glossary/"


def post(client: Client, **fields: Any) -> Any:
    return client.post(URL, fields, content_type="application/json")


@pytest.fixture
def chief(db: None) -> User:
    """Staff who may do everything with the glossary."""
    user = User.objects.create_user("chief", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__endswith="_glossaryterm"))
    return user


def test_a_term_is_entered_changed_and_deleted(client_of_ann: Client, ann: User) -> None:
    answer = post(client_of_ann, term="  Kuber\nnetes ", language="zh-CN", note="the cluster")
    assert answer.status_code == 201, answer.json()
    shown = answer.json()
    assert (shown["term"], shown["language"], shown["for_all"]) == ("Kuber netes", "zh", False)
    one = f"{URL}{shown['id']}/"
    changed = client_of_ann.patch(
        one, {"term": "Kubernetes", "is_active": False}, content_type="application/json"
    )
    assert changed.status_code == 200, changed.json()
    row = GlossaryTerm.objects.get()
    assert (row.owner, row.term, row.is_active, row.note) == (
        ann, "Kubernetes", False, "the cluster"
    )  # fmt: skip
    assert client_of_ann.delete(one).status_code == 204
    assert not GlossaryTerm.objects.exists()


def test_everybody_sees_his_own_and_those_for_all(
    client_of_ann: Client, ann: User, chief: User, django_assert_num_queries: Any
) -> None:
    for owner, term in ((ann, "mine"), (None, "of all"), (chief, "of the chief")):
        glossary.create(owner, term=term)
    # the token, its use, the rows
    with django_assert_num_queries(3):
        shown = client_of_ann.get(URL).json()["results"]
    assert [one["term"] for one in shown] == ["of all", "mine"]
    glossary.create(ann, term="another")
    with django_assert_num_queries(2):
        assert len(client_of_ann.get(URL).json()["results"]) == 3
    only = client_of_ann.get(f"{URL}?for_all=true").json()["results"]
    assert [one["term"] for one in only] == ["of all"]


def test_a_stranger_finds_nothing(client_of_ann: Client, chief: User) -> None:
    theirs = glossary.create(chief, term="of the chief")
    assert client_of_ann.get(f"{URL}{theirs.pk}/").status_code == 404
    assert client_of_ann.delete(f"{URL}{theirs.pk}/").status_code == 404
    assert Client().get(URL).status_code == 401


def test_terms_for_all_are_for_staff_with_the_permission(
    client_of_ann: Client, chief: User
) -> None:
    answer = post(client_of_ann, term="of all", for_all=True)
    assert (answer.status_code, answer.json()["code"]) == (403, "glossary_not_yours")
    staff = User.objects.create_user("staff", is_staff=True)
    assert post(caller(staff), term="of all", for_all=True).status_code == 403
    answer = post(caller(chief), term="of all", for_all=True)
    assert answer.status_code == 201, answer.json()
    one = f"{URL}{answer.json()['id']}/"
    assert GlossaryTerm.objects.get().owner is None
    for refused in (
        client_of_ann.patch(one, {"term": "x"}, content_type="application/json"),
        client_of_ann.delete(one),
    ):
        assert refused.json()["code"] == "glossary_not_yours"
    assert caller(chief).delete(one).status_code == 204


def test_a_token_to_read_enters_nothing(ann: User) -> None:
    assert post(caller(ann, ApiToken.Scope.READ), term="x").status_code == 403
    assert post(caller(ann, ApiToken.Scope.TRANSCRIBE), term="x").status_code == 403


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"term": "…"}, 400, "glossary_term_invalid"),
        ({"term": "x" * 101}, 400, "glossary_term_invalid"),
        ({"term": "a\u202eb"}, 400, "glossary_term_invalid"),
        ({"term": "a", "language": "tlh"}, 400, "unknown_language"),
        ({"term": "there"}, 409, "glossary_term_there"),
    ],
)
def test_what_is_no_term_is_refused(
    client_of_ann: Client, ann: User, fields: dict[str, str], status: int, code: str
) -> None:
    glossary.create(ann, term="there")
    answer = post(client_of_ann, **fields)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_glossary_can_be_full(
    client_of_ann: Client, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glossary, "MAX_TERMS", 1)
    assert post(client_of_ann, term="one").status_code == 201
    answer = post(client_of_ann, term="two")
    assert (answer.status_code, answer.json()["code"]) == (409, "glossary_full")
