"""Reviewing: what people do to a text, told to each other, and never at the machine's cost."""

from __future__ import annotations

import random
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from tests.services.reviewed import (
    OTHER_PAGE,
    PAGE,
    by,
    code_of,
    line,
    merge,
    reviewable,
    split,
    text,
    texts,
    times,
)
from transcription.models import Presence, Revision, SearchText, Segment, Transcription
from transcription.services import audit, change, presence, review, revisions, search
from transcription.services.errors import ServiceError
from transcription.services.remove import remove
from transcription.services.review import Operation, ReviewConflict
from transcription.services.revisions import lines_at, lines_of

pytestmark = pytest.mark.django_db

ReviewState, Status = Transcription.ReviewState, Transcription.Status


@pytest.fixture
def row(ann: User) -> Transcription:
    return reviewable(ann)


# --- what can be done -------------------------------------------------------------------------


def test_a_corrected_text_is_read_searched_and_counted(row: Transcription, ann: User) -> None:
    done = review.apply(row, by(ann), [text(row, 1, "  How is\nthe weather? ")])

    row.refresh_from_db()
    assert row.text == "Hello there. How is the weather? I am fine. Good bye."
    assert (row.revision, row.review_state) == (1, ReviewState.IN_REVIEW)
    assert [(at, one.text, one.revision) for at, one in done.changed] == [
        (1, "How is the weather?", 1)
    ]
    assert (done.revision, done.removed, done.order) == (1, (), None)
    assert search.find("weather") == [row.pk]
    assert search.find('"are you"') == []
    step = row.revisions.get()
    assert (step.kind, step.author, step.author_name, step.changed) == ("edit", ann, "ann", 1)
    [stored] = step.changes
    assert (stored["at"], len(stored["removed"]), len(stored["inserted"])) == (1, 1, 1)


def test_a_segment_is_split_between_its_words(row: Transcription, ann: User) -> None:
    done = review.apply(row, by(ann), [split(row, 0, 6)])

    assert texts(row) == ["Hello", "there.", "How are you?", "I am fine.", "Good bye."]
    first, second = line(row, 0), line(row, 1)
    assert (first.end_seconds, second.start_seconds, second.end_seconds) == (1.0, 1.0, 2.0)
    assert [word["word"] for word in first.words or []] == [" Hello"]
    assert [word["word"] for word in second.words or []] == [" there."]
    assert [at for at, _ in done.changed] == [0, 1]
    assert done.order == tuple(one.id for one in lines_of(row.pk))
    row.refresh_from_db()
    assert row.text == "Hello there. How are you? I am fine. Good bye."


def test_two_segments_are_merged_with_what_their_language_wants_between(ann: User) -> None:
    english = reviewable(ann)
    chinese = reviewable(ann, sentences=("今天天气", "很好。"), language="zh", with_words=False)
    second = line(english, 1).id

    done = review.apply(english, by(ann), [merge(english, 0)])
    review.apply(chinese, by(ann), [merge(chinese, 0)])

    assert texts(english) == ["Hello there. How are you?", "I am fine.", "Good bye."]
    assert texts(chinese) == ["今天天气很好。"]
    assert (done.removed, len(done.order or ())) == ((second,), 3)
    one = line(english, 0)
    assert (one.start_seconds, one.end_seconds, len(one.words or [])) == (0.0, 4.0, 5)
    assert [each.index for each in Segment.objects.filter(transcription=english)] == [0, 1, 2]


def test_times_may_be_moved_between_the_neighbours_and_no_further(
    row: Transcription, ann: User
) -> None:
    review.apply(row, by(ann), [times(row, 1, 2.5, 3.75)])
    assert (line(row, 1).start_seconds, line(row, 1).end_seconds) == (2.5, 3.75)
    assert line(row, 1).words[0]["start"] == 2.5  # type: ignore[index]

    for start, end in ((1.9, 3.0), (3.0, 4.1), (3.0, 3.0), (3.5, 3.0)):
        refused = code_of(lambda s=start, e=end: review.apply(row, by(ann), [times(row, 1, s, e)]))
        assert refused == "times_not_possible"
    # Up to the neighbours' new times, and not beyond the end of the recording.
    review.apply(row, by(ann), [times(row, 0, 0.0, 2.5)])
    assert code_of(lambda: review.apply(row, by(ann), [times(row, 3, 6, 8.5)])) == (
        "times_not_possible"
    )


def test_several_operations_are_done_in_their_order_or_not_at_all(
    row: Transcription, ann: User
) -> None:
    before = lines_of(row.pk)
    last = line(row, 3)
    wrong = Operation(op="merge", id=last.id or 0, revision=0, next_revision=0)
    assert code_of(lambda: review.apply(row, by(ann), [text(row, 0, "no"), wrong])) == (
        "nothing_to_merge"
    )
    assert (lines_of(row.pk), row.revisions.count()) == (before, 0)

    # Each sees the segments that the client saw.
    review.apply(
        row,
        by(ann),
        [merge(row, 0), text(row, 0, "Hello there, how are you?"), split(row, 0, 13)],
    )
    assert texts(row) == ["Hello there,", "how are you?", "I am fine.", "Good bye."]
    assert row.revisions.get().kind == "edit"


def test_a_text_may_be_emptied_and_written_again(row: Transcription, ann: User) -> None:
    review.apply(row, by(ann), [text(row, 0, "")])
    row.refresh_from_db()
    assert (line(row, 0).text, line(row, 0).words) == ("", [])
    assert row.text == "How are you? I am fine. Good bye."

    review.apply(row, by(ann), [text(row, 0, "Hi all")])
    assert [word["word"] for word in line(row, 0).words or []] == ["Hi", "all"]


def test_words_are_replaced_everywhere(row: Transcription, ann: User) -> None:
    sentences = ("The Cat sat.", "Concatenate the cat.", "No dog.")
    cats = reviewable(ann, sentences=sentences)

    def replaced(**options: Any) -> tuple[list[str], int]:
        wanted = {"find": "cat", "replacement": r"\1 dog", "match_case": False}
        _, count = review.replace_all(
            cats, by(ann), **{**wanted, "whole_words": True, "revision": cats.revision, **options}
        )
        return texts(cats), count

    now, count = replaced()
    assert (now, count) == ([r"The \1 dog sat.", r"Concatenate the \1 dog.", "No dog."], 2)
    assert cats.revisions.get().kind == "replace"
    now, count = replaced(find="cat", replacement="CAT", whole_words=False)
    assert (now[1], count) == (r"ConCATenate the \1 dog.", 1)
    assert replaced(find="cat", match_case=True)[1] == 0
    assert cats.revisions.count() == 2


def test_in_chinese_every_place_may_be_the_border_of_a_word(ann: User) -> None:
    row = reviewable(ann, sentences=("年度预算案", "Budget预算2026"), language="zh")
    _, count = review.replace_all(
        row, by(ann), find="预算", replacement="決算", match_case=True, whole_words=True, revision=0
    )
    assert (texts(row), count) == (["年度決算案", "Budget決算2026"], 2)


# --- limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": Status.PROCESSING, "step": "recognise"}, "not_reviewable"),
        ({"status": Status.FAILED}, "not_reviewable"),
        ({"status": Status.CANCELLED, "text": ""}, "not_reviewable"),
        ({"status": Status.CANCELLED, "step": "finish"}, "not_reviewable"),
        ({"review_state": ReviewState.APPROVED}, "review_approved"),
    ],
)
def test_only_a_finished_text_that_is_not_approved_can_be_changed(
    ann: User, fields: dict[str, Any], expected: str
) -> None:
    row = reviewable(ann, **fields)
    calls = (
        lambda: review.apply(row, by(ann), [text(row, 0, "x")]),
        lambda: review.restore(row, by(ann), 0),
        lambda: review.replace_all(
            row, by(ann), find="a", replacement="b", match_case=True, whole_words=False, revision=0
        ),
    )
    assert {code_of(call) for call in calls} == {expected}
    assert not Revision.objects.exists()


def test_what_was_cancelled_keeps_a_text_that_can_be_reviewed_even_when_it_is_emptied(
    ann: User,
) -> None:
    row = reviewable(ann, status=Status.CANCELLED, sentences=("Hello",))
    review.apply(row, by(ann), [text(row, 0, "")])
    review.apply(row, by(ann), [text(row, 0, "Hello again")])
    assert texts(row) == ["Hello again"]


def test_limits_have_codes_of_their_own(row: Transcription, ann: User) -> None:
    long = "x" * (review.MOST_CHARACTERS + 1)
    here = line(row, 0)
    assert code_of(lambda: review.apply(row, by(ann), [text(row, 0, long)])) == (
        "segment_text_too_long"
    )
    many = [text(row, 0, "x")] * (review.MOST_OPERATIONS + 1)
    assert code_of(lambda: review.apply(row, by(ann), many)) == "too_many_operations"
    for at in (0, len(here.text), 500):
        assert code_of(lambda at=at: review.apply(row, by(ann), [split(row, 0, at)])) == (
            "split_outside_text"
        )
    foreign = line(reviewable(ann), 0)
    unknown = Operation(op="text", id=foreign.id or 0, revision=0, text="x")
    assert code_of(lambda: review.apply(row, by(ann), [unknown])) == "segment_unknown"


def test_merging_and_replacing_keep_to_the_limit_too(ann: User) -> None:
    half = "ab" * (review.MOST_CHARACTERS // 4)
    row = reviewable(ann, sentences=(half, half), with_words=False)
    assert code_of(lambda: review.apply(row, by(ann), [merge(row, 0)])) == "segment_text_too_long"
    assert code_of(
        lambda: review.replace_all(
            row, by(ann), find="a", replacement="aaaaa", match_case=True, whole_words=False,
            revision=0,
        )
    ) == "segment_text_too_long"  # fmt: skip


# --- two people -------------------------------------------------------------------------------


def test_who_saw_an_older_state_is_told_and_overwrites_nothing(
    row: Transcription, ann: User, bob: User
) -> None:
    seen = text(row, 0, "Ann's.")
    review.apply(row, by(bob, OTHER_PAGE), [text(row, 0, "Bob's.")])

    with pytest.raises(ReviewConflict) as refused:
        review.apply(row, by(ann), [text(row, 2, "I am not."), seen])

    assert texts(row) == ["Bob's.", "How are you?", "I am fine.", "Good bye."]
    [conflict] = refused.value.data["conflicts"]  # type: ignore[index]
    assert refused.value.data["revision"] == 1  # type: ignore[index]
    assert (conflict["id"], conflict["text"], conflict["revision"], conflict["author"]) == (
        seen.id, "Bob's.", 1, "bob",
    )  # fmt: skip
    assert timezone.now() - conflict["changed_at"] < timedelta(minutes=1)


def test_different_segments_are_never_in_conflict(row: Transcription, ann: User, bob: User) -> None:
    seen = text(row, 2, "Ann's.")
    review.apply(row, by(bob, OTHER_PAGE), [merge(row, 0)])
    review.apply(row, by(ann), [seen])
    assert texts(row) == ["Hello there. How are you?", "Ann's.", "Good bye."]


def test_a_segment_that_is_gone_is_a_conflict_with_who_took_it_away(
    row: Transcription, ann: User, bob: User
) -> None:
    seen, late_merge = text(row, 1, "Ann's."), merge(row, 1)
    review.apply(row, by(bob, OTHER_PAGE), [merge(row, 0)])

    for operation in (seen, late_merge):
        with pytest.raises(ReviewConflict) as refused:
            review.apply(row, by(ann), [operation])
        [conflict] = refused.value.data["conflicts"]  # type: ignore[index]
        assert (conflict["id"], conflict["text"], conflict["revision"], conflict["author"]) == (
            seen.id, None, 1, "bob",
        )  # fmt: skip


def test_merging_with_a_segment_that_has_changed_is_a_conflict(
    row: Transcription, ann: User, bob: User
) -> None:
    seen = merge(row, 0)
    other = merge(row, 0, next_id=line(row, 2).id)
    assert code_of(lambda: review.apply(row, by(ann), [other])) == "review_conflict"
    review.apply(row, by(bob, OTHER_PAGE), [text(row, 1, "How do you do?")])

    with pytest.raises(ReviewConflict) as refused:
        review.apply(row, by(ann), [seen])
    [conflict] = refused.value.data["conflicts"]  # type: ignore[index]
    assert (conflict["id"], conflict["text"]) == (line(row, 1).id, "How do you do?")


def test_what_is_sent_twice_is_done_once(row: Transcription, ann: User) -> None:
    edit = text(row, 0, "Hello, all.")
    review.apply(row, by(ann), [edit])
    again = review.apply(row, by(ann), [edit])

    assert (again.revision, row.revisions.count()) == (1, 1)
    # The client learns the revision that it has missed.
    assert [(one.id, one.revision) for _, one in again.changed] == [(edit.id, 1)]


def test_replacing_goes_over_nobodys_changes(row: Transcription, ann: User, bob: User) -> None:
    def replace(user: User, session: uuid.UUID, revision: int) -> int:
        options = {"match_case": True, "whole_words": False, "revision": revision}
        return review.replace_all(row, by(user, session), find="you", replacement="we", **options)[
            1
        ]

    review.apply(row, by(bob, OTHER_PAGE), [text(row, 1, "How do you do?")])
    assert code_of(lambda: replace(ann, PAGE, 0)) == "review_conflict"
    # What a page did itself it has seen.
    assert replace(bob, OTHER_PAGE, 0) == 1
    assert texts(row)[1] == "How do we do?"


def test_others_are_told_what_has_changed_since(row: Transcription, ann: User, bob: User) -> None:
    gone = line(row, 2).id
    review.apply(row, by(ann), [text(row, 0, "Ann's.")])
    review.apply(row, by(bob, OTHER_PAGE), [merge(row, 1)])

    for_ann = review.changes_since(row, 0, session=PAGE)
    assert [one.text for _, one in for_ann.changed] == ["How are you? I am fine."]
    assert (for_ann.removed, for_ann.revision) == ((gone,), 2)
    assert for_ann.order == tuple(one.id for one in lines_of(row.pk))
    for_bob = review.changes_since(row, 0, session=OTHER_PAGE)
    assert [one.text for _, one in for_bob.changed] == ["Ann's."]
    assert (for_bob.removed, for_bob.order) == ((), None)
    for_anybody = review.changes_since(row, 0, session=None)
    assert len(for_anybody.changed) == 2
    assert review.changes_since(row, 2, session=None).changed == ()


def test_what_was_restored_away_and_back_is_not_told_as_gone(
    row: Transcription, ann: User, bob: User
) -> None:
    review.apply(row, by(bob, OTHER_PAGE), [merge(row, 0)])
    review.restore(row, by(bob, OTHER_PAGE), 0)
    told = review.changes_since(row, 0, session=PAGE)
    assert told.removed == ()
    assert [one.text for _, one in told.changed] == ["Hello there.", "How are you?"]


@pytest.mark.django_db(transaction=True)
def test_of_two_who_change_the_same_segment_at_once_one_is_told(ann: User, bob: User) -> None:
    row = reviewable(ann)
    gate = threading.Barrier(2, timeout=20)
    operations = {user: text(row, 0, f"By {user}.") for user in (ann, bob)}

    def run(user: User) -> str:
        try:
            gate.wait()
            review.apply(
                Transcription.objects.get(pk=row.pk), by(user, uuid.uuid4()), [operations[user]]
            )
            return "done"
        except ServiceError as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(run, (ann, bob)))

    assert sorted(outcomes) == ["done", "review_conflict"]
    winner = "ann" if outcomes[0] == "done" else "bob"
    assert texts(row)[0] == f"By {winner}."
    assert row.revisions.get().author_name == winner


@pytest.mark.django_db(transaction=True)
def test_two_who_work_on_different_segments_at_once_lose_nothing(ann: User, bob: User) -> None:
    sentences = tuple(f"Sentence {number} of many." for number in range(20))
    row = reviewable(ann, sentences=sentences)
    machine = lines_of(row.pk)
    gate = threading.Barrier(2, timeout=20)
    edits = 8

    def run(user: User, first: int) -> None:
        chance, own = random.Random(first), {one.id for one in machine[first::2]}
        try:
            gate.wait()
            here = Transcription.objects.get(pk=row.pk)
            session = uuid.uuid4()
            for number in range(edits):
                mine = [each for each in lines_of(row.pk) if each.id in own]
                one = chance.choice([each for each in mine if len(each.text) > 3])
                operation = Operation(
                    op="split" if number % 2 else "text",
                    id=one.id or 0,
                    revision=one.revision,
                    text=f"{user.username} {number} wrote this",
                    at_character=3,
                )
                done = review.apply(here, by(user, session), [operation])
                own |= {each.id for _, each in done.changed}
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(run, ann, 0), pool.submit(run, bob, 1)]:
            future.result()

    after = lines_of(row.pk)
    row.refresh_from_db()
    assert len(after) == 20 + edits
    assert list(row.segments.values_list("index", flat=True)) == list(range(20 + edits))
    assert row.text == revisions.text_of(after)
    assert row.revision == 2 * edits
    assert lines_at(row, 0) == machine


# --- states, deleting, retrying ---------------------------------------------------------------


def test_approving_says_who_and_when_and_reopening_takes_it_back(
    row: Transcription, ann: User
) -> None:
    review.set_state(row, by(ann), ReviewState.APPROVED)
    row.refresh_from_db()
    assert (row.review_state, row.reviewed_by, row.revision) == ("approved", ann, 0)
    assert row.reviewed_at is not None
    review.set_state(row, by(ann), ReviewState.IN_REVIEW)
    row.refresh_from_db()
    assert (row.review_state, row.reviewed_by, row.reviewed_at) == ("in_review", None, None)
    review.apply(row, by(ann), [text(row, 0, "x")])
    running = reviewable(ann, status=Status.PROCESSING, step="recognise")
    assert code_of(lambda: review.set_state(running, by(ann), "approved")) == "not_reviewable"


def test_nothing_of_a_review_outlives_its_transcription(ann: User, data_dir: Any) -> None:
    row = reviewable(ann)
    review.apply(row, by(ann), [text(row, 0, "secret")])
    presence.note(row, by(ann))
    remove(row, audit.RETENTION)
    for table in (Revision, Presence, Segment, SearchText):
        assert not table.objects.exists()


def test_an_account_may_go_and_its_name_stays_with_what_it_wrote(
    row: Transcription, bob: User
) -> None:
    review.apply(row, by(bob), [text(row, 0, "Bob's.")])
    review.set_state(row, by(bob), ReviewState.APPROVED)
    bob.delete()
    row.refresh_from_db()
    step = row.revisions.get()
    assert (step.author, step.author_name, row.reviewed_by) == (None, "bob", None)


def test_a_retry_does_not_throw_a_persons_work_away(ann: User, data_dir: Any) -> None:
    row = reviewable(ann, status=Status.CANCELLED, audio="audio/here.wav")
    row.audio.storage.save("audio/here.wav", BytesIO(b"RIFF"))
    review.apply(row, by(ann), [text(row, 0, "Mine.")])

    assert code_of(lambda: change.retry(row)) == "retry_would_lose_review"
    assert texts(row)[0] == "Mine."

    other = reviewable(ann, status=Status.CANCELLED, audio="audio/here.wav")
    review.set_state(other, by(ann), ReviewState.APPROVED)
    change.retry(other)
    assert (other.status, other.review_state, other.reviewed_by) == ("queued", "unreviewed", None)


# --- presence, cost ---------------------------------------------------------------------------


def test_people_are_told_who_else_has_it_open(row: Transcription, ann: User, bob: User) -> None:
    presence.note(row, by(ann))
    presence.note(row, by(bob, OTHER_PAGE))
    presence.note(row, by(bob, uuid.uuid4()))
    presence.note(row, by(bob, None))
    assert (presence.others(row, by(ann)), presence.others(row, by(bob))) == (["bob"], ["ann"])

    Presence.objects.filter(user=bob).update(seen_at=timezone.now() - timedelta(seconds=21))
    assert presence.others(row, by(ann)) == []
    presence.note(row, by(bob, uuid.uuid4()))
    assert Presence.objects.filter(user=bob).count() == 1, "closed pages go when another opens"

    Presence.objects.update(seen_at=timezone.now() - timedelta(hours=2))
    presence.forget_closed()
    assert not Presence.objects.exists()


@pytest.mark.parametrize("kind", ["text", "split", "merge"])
def test_the_number_of_queries_does_not_grow_with_the_text(
    ann: User, kind: str, django_assert_max_num_queries: Any
) -> None:
    row = reviewable(ann, sentences=tuple(f"Sentence {n} of a long text." for n in range(600)))
    make = {"text": lambda: text(row, 1, "x"), "split": lambda: split(row, 1, 4),
            "merge": lambda: merge(row, 1)}[kind]  # fmt: skip
    operation = make()
    with django_assert_max_num_queries(18):
        review.apply(row, by(ann), [operation])
    assert list(row.segments.values_list("index", flat=True)) == list(range(row.segments.count()))
