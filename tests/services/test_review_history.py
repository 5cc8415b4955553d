"""What was before a review: rebuilt exactly, compared, restored."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
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
from transcription.models import Revision, Transcription
from transcription.services import review, revisions
from transcription.services.review import Operation
from transcription.services.revisions import lines_at, lines_of

pytestmark = pytest.mark.django_db

ReviewState, Status = Transcription.ReviewState, Transcription.Status


@pytest.fixture
def row(ann: User) -> Transcription:
    return reviewable(ann)


def random_operation(chance: random.Random, row: Transcription) -> Operation:
    lines = lines_of(row.pk)
    at = chance.randrange(len(lines))
    kind = chance.choice(["text", "text", "split", "merge", "times"])
    if kind == "split" and len(lines[at].text) > 1:
        return split(row, at, chance.randrange(1, len(lines[at].text)))
    if kind == "merge" and at + 1 < len(lines):
        return merge(row, at)
    if kind == "times" and lines[at].end_seconds - lines[at].start_seconds > 0.1:
        middle = (lines[at].start_seconds + lines[at].end_seconds) / 2
        return times(row, at, lines[at].start_seconds, middle)
    words = lines[at].text.split() + chance.choices(["ja", "天气", "Ünïcode", "😀", "3,5"], k=2)
    chance.shuffle(words)
    return text(row, at, " ".join(words[: chance.randrange(len(words) + 1)]))


@pytest.mark.parametrize("seed", range(6))
def test_whatever_people_did_the_machines_text_can_be_rebuilt_exactly(
    ann: User, bob: User, seed: int
) -> None:
    chance = random.Random(seed)
    row = reviewable(ann, with_words=seed % 3 > 0)
    Transcription.objects.filter(pk=row.pk).update(text="As the machine  joined it.")
    row.refresh_from_db()
    states = {0: lines_of(row.pk)}
    for number in range(25):
        by_whom = by(chance.choice([ann, bob]), chance.choice([PAGE, OTHER_PAGE, None]))
        if number % 8 == 7:
            review.restore(row, by_whom, chance.choice(list(states)))
        else:
            review.apply(row, by_whom, [random_operation(chance, row)])
        if row.revision not in states:
            # The one before may have been folded into this one.
            known = {0, *row.revisions.values_list("number", flat=True)}
            states = {at: lines for at, lines in states.items() if at in known}
            states[row.revision] = lines_of(row.pk)
    assert len(states) > 10

    for number, lines in states.items():
        assert lines_at(row, number) == lines, number
    indexes = list(row.segments.order_by("index").values_list("index", flat=True))
    assert indexes == list(range(len(indexes)))
    review.restore(row, by(ann), 0)
    row.refresh_from_db()
    assert [one.content() for one in lines_of(row.pk)] == [one.content() for one in states[0]]
    assert row.text == "As the machine  joined it."
    assert not row.segments.filter(words__isnull=False).exists() or seed % 3 > 0


def test_restoring_is_a_revision_of_its_own_and_can_be_taken_back(
    row: Transcription, ann: User, bob: User
) -> None:
    review.apply(row, by(ann), [merge(row, 0)])
    review.apply(row, by(ann), [text(row, 0, "All new.")])
    review.restore(row, by(bob), 1)
    assert texts(row)[0] == "Hello there. How are you?"
    review.restore(row, by(bob), 2)
    assert texts(row)[0] == "All new."
    assert [one.kind for one in row.revisions.all()] == ["restore", "restore", "edit", "merge"]
    assert review.restore(row, by(bob), 4).revision == 4, "nothing to do, so no revision"
    with pytest.raises(Revision.DoesNotExist):
        review.restore(row, by(bob), 9)


def test_the_machines_text_comes_back_as_it_was_even_where_its_segments_did_already(
    ann: User,
) -> None:
    row = reviewable(ann, with_words=False, text="Joined  by the machine.")
    review.apply(row, by(ann), [text(row, 0, "x")])
    review.apply(row, by(ann, OTHER_PAGE), [text(row, 0, "Hello there.")])
    assert revisions.machine_text(row) == "Joined  by the machine."
    review.restore(row, by(ann), 0)
    row.refresh_from_db()
    assert row.text == "Joined  by the machine."


def test_restoring_goes_over_nobodys_changes_where_the_page_says_what_it_saw(
    row: Transcription, ann: User, bob: User
) -> None:
    review.apply(row, by(ann), [text(row, 0, "Ann's.")])
    review.apply(row, by(bob, OTHER_PAGE), [text(row, 1, "Bob's.")])
    assert code_of(lambda: review.restore(row, by(ann), 0, revision=1)) == "review_conflict"
    review.restore(row, by(ann), 0, revision=2)
    assert texts(row)[:2] == ["Hello there.", "How are you?"]


def test_what_is_typed_into_one_segment_is_one_revision(
    row: Transcription, ann: User, bob: User
) -> None:
    for typed in ("H", "He", "Hey"):
        review.apply(row, by(ann), [text(row, 0, typed)])
    step = row.revisions.get()
    assert (step.number, row.revision, line(row, 0).revision) == (3, 3, 3)
    assert (step.changes[0]["removed"][0]["text"], step.changes[0]["inserted"][0]["text"]) == (
        "Hello there.", "Hey",
    )  # fmt: skip
    assert [one.text for _, one in review.changes_since(row, 2, session=None).changed] == ["Hey"]

    # Not into that of another segment, page or person, nor after five minutes.
    review.apply(row, by(ann), [text(row, 1, "x")])
    review.apply(row, by(ann, OTHER_PAGE), [text(row, 1, "xx")])
    review.apply(row, by(bob, OTHER_PAGE), [text(row, 1, "xxx")])
    Revision.objects.update(created_at=timezone.now() - timedelta(minutes=6))
    review.apply(row, by(bob, OTHER_PAGE), [text(row, 1, "xxxx")])
    assert [one.number for one in row.revisions.order_by("number")] == [3, 4, 5, 6, 7]


def test_looking_back_says_what_differs_from_the_machine_and_from_the_step_before(
    row: Transcription, ann: User
) -> None:
    review.apply(row, by(ann), [text(row, 0, "Hello you.")])
    review.apply(row, by(ann), [merge(row, 1)])

    then = revisions.look_back(row, 2)
    assert then.step is not None
    assert then.step.kind == "merge"
    assert [len(one.before) for one in then.from_before] == [2]
    assert [(one.before[0].text, one.after[0].text) for one in then.from_machine] == [
        ("Hello there.", "Hello you."),
        ("How are you?", "How are you? I am fine."),
    ]
    assert then.from_machine[0].parts == (
        ("same", "Hello "), ("removed", "there."), ("added", "you."),
    )  # fmt: skip
    machine = revisions.look_back(row, 0)
    assert (machine.step, machine.from_machine, machine.from_before) == (None, (), ())
    assert machine.lines[0].text == "Hello there."
