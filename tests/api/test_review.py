"""The review of a text, as the page for it calls it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from tests.api.conftest import LIST_URL, caller, told, url_of
from tests.services.reviewed import OTHER_PAGE, PAGE, line, reviewable, texts
from transcription.api.events import _Stream
from transcription.models import ApiToken, Chunk, Transcription
from transcription.web.watcher import Seen

pytestmark = pytest.mark.django_db

#: The token; the row; begin, the row locked, texts, words; the segment; the revision before, the
#: new one; text and state; the row and the terms of the search; end.
QUERIES_OF_AN_EDIT = 13


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


# --- who may ----------------------------------------------------------------------------------

ROUTES = [
    ("get", "review", None),
    ("post", "review", {"operations": []}),
    ("post", "review/replace", {"find": "a", "with": "b", "revision": 0}),
    ("post", "review/state", {"review_state": "in_review"}),
    ("get", "review/changes/?after=0", None),
    ("get", "revisions", None),
    ("get", "revisions/0", None),
    ("post", "revisions/0/restore", {}),
]


def call(client: Client, row: Transcription, route: tuple[str, str, Any]) -> Any:
    method, action, body = route
    if method == "post":
        return post(client, row, action, body)
    path = url_of(row) + action
    return client.get(path if "?" in path else f"{path}/")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route[0]} {route[1]}")
def test_owner_and_staff_may_a_stranger_finds_nothing_and_a_reader_only_reads(
    route: tuple[str, str, Any],
    ann: User,
    client_of_ann: Client,
    stranger: Client,
    staff: Client,
    row: Transcription,
) -> None:
    session = Client()
    session.force_login(ann)
    for client in (client_of_ann, staff, session, caller(ann, ApiToken.Scope.TRANSCRIBE)):
        assert call(client, row, route).status_code == 200
    assert told(call(stranger, row, route)) == (404, "not_found")
    assert told(call(Client(), row, route)) == (401, "authentication_required")
    reading = call(caller(ann, ApiToken.Scope.READ), row, route)
    assert reading.status_code == (200 if route[0] == "get" else 403)


def test_a_token_for_transcribing_changes_its_users_own_texts_alone(row: Transcription) -> None:
    root = caller(User.objects.create_user("r", is_staff=True), ApiToken.Scope.TRANSCRIBE)
    assert root.get(url_of(row, "review")).status_code == 200
    assert told(edit(root, row, text(row, 0, "x"))) == (403, "permission_denied")


def test_a_session_needs_its_csrf_token(ann: User, row: Transcription) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ann)
    assert told(edit(browser, row, text(row, 0, "x"))) == (403, "csrf_failed")


# --- what is answered -------------------------------------------------------------------------


def test_a_conflict_says_how_it_is_now(
    client_of_ann: Client, staff: Client, row: Transcription
) -> None:
    seen = text(row, 0, "Ann's.")
    edit(staff, row, text(row, 0, "Root's."), session=str(OTHER_PAGE))

    refused = edit(client_of_ann, row, seen)

    assert told(refused) == (409, "review_conflict")
    data = refused.json()["data"]
    changed_at = data["conflicts"][0].pop("changed_at")
    assert changed_at.startswith("20")
    assert data == {
        "revision": 1,
        "conflicts": [{"id": seen["id"], "text": "Root's.", "revision": 1, "author": "root"}],
    }


def test_everything_a_page_needs_in_one_story(
    client_of_ann: Client, staff: Client, row: Transcription
) -> None:
    other = {"after": 0, "session": str(OTHER_PAGE)}
    assert staff.get(url_of(row, "review/changes"), other).json()["people"] == []
    here = line(row, 0)
    split = {"op": "split", "id": here.id, "revision": 0, "at_character": 6, "at_seconds": 0.75}
    done = edit(client_of_ann, row, split).json()
    assert [one["text"] for one in done["changed"]] == ["Hello", "there."]
    assert done["order"][0] == here.id
    assert len(done["order"]) == 5

    client_of_ann.get(url_of(row, "review"), {"session": str(PAGE)})
    heard = staff.get(url_of(row, "review/changes"), other).json()
    assert heard == {**done, "people": ["ann"]}
    own = client_of_ann.get(url_of(row, "review/changes"), {"after": 0, "session": str(PAGE)})
    assert own.json() == {
        "revision": 1,
        "review_state": "in_review",
        "changed": [],
        "removed": [],
        "people": ["root"],
    }

    words = {"find": "ARE", "with": "were", "revision": 1, "session": str(OTHER_PAGE)}
    replaced = post(staff, row, "review/replace", words).json()
    assert (replaced["replaced"], replaced["revision"]) == (1, 2)
    late = edit(client_of_ann, row, text(row, 4, "Bye."), after=1).json()
    assert [one["text"] for one in late["changed"]] == ["How were you?", "Bye."]

    page = client_of_ann.get(url_of(row, "revisions"), {"page_size": 2}).json()
    assert [(one["number"], one["author"], one["kind"]) for one in page["results"]] == [
        (3, "ann", "edit"),
        (2, "root", "replace"),
    ]
    assert page["results"][0]["summary"] == {"changed": 1}
    page = client_of_ann.get(page["next"]).json()
    assert [one["number"] for one in page["results"]] == [1]

    then = client_of_ann.get(url_of(row, "revisions/2")).json()
    assert [one["text"] for one in then["segments"]][2:] == [
        "How were you?",
        "I am fine.",
        "Good bye.",
    ]
    assert [one["after"][0]["text"] for one in then["diff"]["before"]] == ["How were you?"]
    assert len(then["diff"]["machine"]) == 2
    assert then["diff"]["before"][0]["parts"][1] == {"kind": "removed", "text": "are"}
    machine = client_of_ann.get(url_of(row, "revisions/0")).json()
    assert (machine["number"], machine["author"], machine["diff"]["machine"]) == (0, None, [])

    back = post(client_of_ann, row, "revisions/0/restore", {"session": str(PAGE)}).json()
    assert (back["revision"], len(back["removed"]), len(back["order"])) == (4, 1, 4)
    assert texts(row)[0] == "Hello there."
    for number in ("9", "9" * 30):
        assert told(client_of_ann.get(url_of(row, f"revisions/{number}"))) == (404, "not_found")
        refused = post(client_of_ann, row, f"revisions/{number}/restore", {})
        assert told(refused) == (404, "not_found")


@pytest.mark.parametrize(
    ("operation", "status", "code"),
    [
        ({"op": "text", "text": "x" * 10_001}, 400, "segment_text_too_long"),
        ({"op": "split", "at_character": 0}, 400, "split_outside_text"),
        ({"op": "times", "start_seconds": 3, "end_seconds": 5}, 400, "times_not_possible"),
        ({"op": "merge", "next_revision": 7}, 409, "review_conflict"),
        ({"op": "text", "text": "x", "id": 987654321}, 404, "segment_unknown"),
        ({"op": "text"}, 400, "invalid"),
        ({"op": "text", "text": "a\x00b"}, 400, "invalid"),
        ({"op": "times", "start_seconds": 0}, 400, "invalid"),
        ({"op": "split", "at_character": 3, "at_seconds": 1e400}, 400, None),
        ({"op": "dance"}, 400, "invalid"),
        ({"op": "text", "text": "x", "id": 2**70}, 400, "invalid"),
    ],
)
def test_what_cannot_be_done_has_its_code_and_changes_nothing(
    client_of_ann: Client, row: Transcription, operation: Any, status: int, code: str | None
) -> None:
    refused = edit(client_of_ann, row, {"id": line(row, 0).id, "revision": 0, **operation})
    assert refused.status_code == status, refused.content
    assert code in (None, refused.json()["code"])
    assert texts(row)[0] == "Hello there."


def test_too_many_operations_are_refused_before_they_are_read(
    client_of_ann: Client, row: Transcription
) -> None:
    refused = edit(client_of_ann, row, *[{"nonsense": 1}] * 1_001)
    assert told(refused) == (400, "too_many_operations")
    assert "1001" in refused.json()["message"]


def test_what_is_running_has_no_review(client_of_ann: Client, ann: User) -> None:
    running = reviewable(ann, status="processing", step="recognise")
    for route in ROUTES:
        if route[1] != "revisions":
            assert told(call(client_of_ann, running, route)) == (409, "not_reviewable")


def test_a_retry_of_what_people_corrected_is_refused_in_words(
    client_of_ann: Client, ann: User, data_dir: Any
) -> None:
    row = reviewable(ann, status="cancelled", audio="here.wav")
    (data_dir / "media_root" / "here.wav").write_bytes(b"RIFF")
    edit(client_of_ann, row, text(row, 0, "Mine."))
    refused = post(client_of_ann, row, "retry", {})
    assert told(refused) == (409, "retry_would_lose_review")
    assert "as a new one" in refused.json()["message"]


# --- where else the reviewed text is seen -----------------------------------------------------


def test_the_reviewed_text_is_what_everything_else_shows(
    client_of_ann: Client, row: Transcription
) -> None:
    edit(client_of_ann, row, text(row, 0, "Reviewed words."))

    shown = client_of_ann.get(url_of(row)).json()
    assert shown["text"] == "Reviewed words. How are you? I am fine. Good bye."
    assert (shown["review_state"], shown["revision"]) == ("in_review", 1)
    assert shown["segments"][0]["text"] == "Reviewed words."
    segments = client_of_ann.get(url_of(row, "segments")).json()["results"]
    assert [word["word"] for word in segments[0]["words"]] == ["Reviewed", "words."]
    for format_name in ("txt", "srt", "vtt", "tsv", "json"):
        file = client_of_ann.get(url_of(row, "download"), {"format": format_name})
        assert "Reviewed words." in file.content.decode().replace("\n", " ")
    listed = client_of_ann.get(LIST_URL, {"search": "reviewed words"}).json()["results"]
    assert [(one["id"], one["review_state"]) for one in listed] == [(str(row.pk), "in_review")]


def test_a_stream_tells_the_reviewed_text_too(client_of_ann: Client, row: Transcription) -> None:
    Chunk.objects.create(
        transcription=row,
        start_sample=0,
        end_sample=16_000,
        model_name="fake",
        state=Chunk.State.DONE,
        text="the machine's",
        segments=[{"start": 0.0, "end": 1.0, "text": "the machine's"}],
    )
    over = Seen(status="completed", processed_seconds=8.0)

    def told_segments(last_event_id: str = "") -> str:
        news = _Stream(row.pk, last_event_id).news(over, language="en", url="/")
        return b"".join(news).decode()

    assert "the machine's" in told_segments()
    edit(client_of_ann, row, text(row, 0, "Reviewed words."))
    now = told_segments()
    assert "the machine's" not in now
    assert now.count("event: segment") == 4
    assert "Reviewed words." in now
    # Who had all of it is told the end alone.
    [mark] = set(re.findall(r"id: (\S+)", now))
    assert "event: segment" not in told_segments(mark)


def test_lists_are_narrowed_by_the_state_of_the_review(
    client_of_ann: Client, ann: User, row: Transcription
) -> None:
    reviewable(ann, review_state="approved", title="done")

    def found(state: str) -> list[str]:
        page = client_of_ann.get(LIST_URL, {"review_state": state}).json()
        return [one["title"] for one in page["results"]]

    assert (found("approved"), found("unreviewed"), found("in_review")) == (["done"], [""], [])
    refused = client_of_ann.get(LIST_URL, {"review_state": "perfect"})
    assert (told(refused), refused.json()["errors"][0]["field"]) == (
        (400, "invalid"),
        "review_state",
    )


# --- cost -------------------------------------------------------------------------------------


def test_a_person_who_types_is_never_asked_to_slow_down(
    client_of_ann: Client, row: Transcription, settings: Any
) -> None:
    """Saves and polls are counted once each, by user and token, and by nothing narrower."""
    settings.RATE_API_UPLOADS = "1/m"
    settings.RATE_API_USER = settings.RATE_API_TOKEN = "24/m"
    query = {"after": 0, "session": str(PAGE)}
    for second in range(20):
        assert edit(client_of_ann, row, text(row, 0, f"typed {second}")).status_code == 200
        if second % 5 == 0:
            assert client_of_ann.get(url_of(row, "review/changes"), query).status_code == 200
    assert row.revisions.count() == 1


def test_what_the_settings_allow_is_many_people_typing_on_one_account() -> None:
    for rate in (settings.RATE_API_USER, settings.RATE_API_TOKEN):
        assert int(rate.partition("/m")[0]) >= 10 * (60 + 12)


@pytest.mark.parametrize("sentences", [4, 400])
def test_the_queries_of_each_call_are_as_many_for_any_length(
    client_of_ann: Client, ann: User, django_assert_num_queries: Any, sentences: int
) -> None:
    row = reviewable(ann, sentences=tuple(f"Number {n}." for n in range(sentences)))
    query = {"after": 0, "session": str(PAGE)}
    client_of_ann.get(url_of(row, "review/changes"), query)
    with django_assert_num_queries(4):  # the token, the row, presence, people
        client_of_ann.get(url_of(row, "review/changes"), query)
    with django_assert_num_queries(4):  # the segments, and no page to note
        client_of_ann.get(url_of(row, "review"))
    operation = text(row, 0, "x")
    with django_assert_num_queries(QUERIES_OF_AN_EDIT):
        edit(client_of_ann, row, operation)
    other = {"after": 0, "session": str(OTHER_PAGE)}
    client_of_ann.get(url_of(row, "review/changes"), other)
    with django_assert_num_queries(11):
        client_of_ann.get(url_of(row, "review/changes"), other)


@pytest.mark.parametrize("route", ["review/", "review/replace/", "review/state/"])
def test_a_client_that_asks_what_a_route_takes_is_told(route: str) -> None:
    ann = User.objects.create_user("asks")
    row = reviewable(ann)
    answer = caller(ann).options(f"{url_of(row)}{route}")
    assert answer.status_code == 200
