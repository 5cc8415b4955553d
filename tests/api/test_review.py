"""The review of a text, as the page for it calls it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.api.conftest import told, url_of
from tests.services.reviewed import PAGE, line, reviewable
from transcription.models import Transcription

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(ann: User) -> Transcription:
    return reviewable(ann)


def post(client: Client, row: Transcription, action: str, body: Any) -> Any:
    return client.post(url_of(row, action), body, content_type="application/json")


def edit(client: Client, row: Transcription, *operations: Any, **body: Any) -> Any:
    return post(client, row, "review", {"operations": operations, "session": str(PAGE), **body})


def text(row: Transcription, at: int, new: str) -> dict[str, Any]:
    here = line(row, at)
    return {"op": "text", "id": here.id, "revision": here.revision, "text": new}


def test_a_text_is_looked_at_changed_and_approved(
    client_of_ann: Client, row: Transcription
) -> None:
    seen = client_of_ann.get(url_of(row, "review")).json()
    assert (seen["revision"], seen["review_state"], seen["people"]) == (0, "unreviewed", [])
    assert seen["segments"][0] == {
        "id": line(row, 0).id,
        "index": 0,
        "start_seconds": 0.0,
        "end_seconds": 2.0,
        "text": "Hello there.",
        "language": "en",
        "words": [
            {"word": " Hello", "start": 0.0, "end": 1.0, "probability": 0.9},
            {"word": " there.", "start": 1.0, "end": 2.0, "probability": 0.9},
        ],
        "avg_logprob": -0.25,
        "revision": 0,
    }

    done = edit(client_of_ann, row, text(row, 0, "Hello you."))
    assert done.status_code == 200
    assert done.json() == {
        "revision": 1,
        "review_state": "in_review",
        "changed": [client_of_ann.get(url_of(row, "review")).json()["segments"][0]],
        "removed": [],
    }
    state = post(client_of_ann, row, "review/state", {"review_state": "approved"})
    assert state.json() == {"revision": 1, "review_state": "approved"}
    refused = edit(client_of_ann, row, text(row, 0, "No."))
    assert told(refused) == (409, "review_approved")
    assert "Reopen" in refused.json()["message"]
