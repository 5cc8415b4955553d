"""The glossary in the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from transcription.models import GlossaryTerm
from transcription.services import glossary

URL = "/admin/transcription/glossaryterm/"


@pytest.fixture
def chief(db: None) -> User:
    user = User.objects.create_user("chief", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__endswith="_glossaryterm"))
    return user


@pytest.fixture
def page(chief: User) -> Client:
    client = Client()
    client.force_login(chief)
    return client


def test_staff_enter_terms_for_all_and_do_not_see_those_of_others(
    page: Client, chief: User
) -> None:
    ann = User.objects.create_user("ann")
    hers = glossary.create(ann, term="Annerley")
    saved = page.post(
        f"{URL}add/", {"term": " Kubernetes  2", "language": "zh-CN", "note": "", "is_active": "on"}
    )
    assert saved.status_code == 302, saved.context["errors"]
    row = GlossaryTerm.objects.get(term="Kubernetes 2")
    assert (row.owner, row.language) == (None, "zh")
    shown = page.get(URL).content.decode()
    assert "Kubernetes 2" in shown
    assert "everybody" in shown
    assert "Annerley" not in shown
    assert page.get(f"{URL}{hers.pk}/change/").status_code == 302
    assert "Kubernetes" in page.get(f"{URL}?for=all").content.decode()
    assert "Kubernetes" not in page.get(f"{URL}?for=mine").content.decode()


def test_a_term_that_is_there_is_refused_in_words(page: Client) -> None:
    glossary.create(None, term="etcd")
    again = page.post(f"{URL}add/", {"term": "etcd", "language": "", "is_active": "on"})
    assert "is in this glossary already" in again.content.decode()
    wrong = page.post(f"{URL}add/", {"term": "etcd2", "language": "tlh", "is_active": "on"})
    assert "is not known" in wrong.content.decode().replace("&#x27;", "'")
    assert GlossaryTerm.objects.count() == 1


def test_the_list_asks_as_often_for_many_as_for_few(
    page: Client, chief: User, django_assert_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    glossary.create(chief, term="one")
    with CaptureQueriesContext(
        connection,
    ) as few:
        page.get(URL)
    for number in range(20):
        glossary.create(chief if number % 2 else None, term=f"more {number}")
    with django_assert_num_queries(len(few)):
        page.get(URL)
