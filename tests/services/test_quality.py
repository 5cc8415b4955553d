"""How good the models are, by what people made of their texts."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client

from tests.services.reviewed import by, reviewable, text
from transcription.models import ReviewScore
from transcription.services import quality, review

PAGE = "/admin/transcription/quality/"


def score_all() -> None:
    while quality.score_next():
        pass


def test_an_approved_text_is_scored_against_the_machine_s(ann: User) -> None:
    row = reviewable(ann, model_name="small")
    review.apply(row, by(ann), [text(row, 1, "how were you"), text(row, 3, "Good bye, friend.")])
    review.set_state(row, by(ann), "approved")
    assert quality.waiting() == 1
    assert quality.table() == []
    score_all()
    [one] = quality.table()
    # hello there how were you i am fine good bye friend
    assert (one.unit, one.errors, one.reference_length) == ("word", 2, 11)
    assert (one.model_name, one.language, one.recordings, one.unchanged) == ("small", "en", 1, 0)
    assert one.rate == pytest.approx(2 / 11)
    assert one.hours == pytest.approx(8 / 3600)


def test_reopening_takes_the_score_away_and_approving_again_scores_the_new_text(
    ann: User,
) -> None:
    row = reviewable(ann)
    review.set_state(row, by(ann), "approved")
    score_all()
    assert [one.errors for one in quality.table()] == [0]
    assert quality.table()[0].unchanged_share == 1.0
    review.set_state(row, by(ann), "in_review")
    assert quality.table() == []
    review.apply(row, by(ann), [text(row, 0, "Hello here.")])
    review.set_state(row, by(ann), "approved")
    score_all()
    assert [(one.errors, one.unchanged) for one in quality.table()] == [(1, 0)]


def test_a_score_of_the_text_before_is_not_written_to_the_next_approval(
    ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = reviewable(ann)
    review.set_state(row, by(ann), "approved")
    really = quality._scored

    def meanwhile(waiting: ReviewScore) -> dict[str, Any]:
        found = really(waiting)
        review.set_state(row, by(ann), "in_review")
        review.apply(row, by(ann), [text(row, 0, "Hello here.")])
        review.set_state(row, by(ann), "approved")
        return found

    monkeypatch.setattr(quality, "_scored", meanwhile)
    assert quality.score_next()
    assert quality.waiting() == 1
    monkeypatch.setattr(quality, "_scored", really)
    score_all()
    assert [one.errors for one in quality.table()] == [1]


def test_models_and_languages_are_told_apart_and_chinese_is_counted_in_characters(
    ann: User, django_assert_num_queries: Any
) -> None:
    chinese = reviewable(ann, sentences=("今天天气很好。",), language="zh", model_name="small")
    review.apply(chinese, by(ann), [text(chinese, 0, "今天天汽很好。")])
    rows = [reviewable(ann, model_name=name) for name in ("small", "small", "large")]
    for row in (chinese, *rows):
        review.set_state(row, by(ann), "approved")
    score_all()
    with django_assert_num_queries(1):
        found = quality.table()
    assert [(one.model_name, one.language, one.rate_name, one.recordings) for one in found] == [
        ("large", "en", "WER", 1),
        ("small", "en", "WER", 2),
        ("small", "zh", "CER", 1),
    ]
    assert found[2].rate == pytest.approx(1 / 6)


def test_one_that_cannot_be_scored_holds_nobody_up(
    ann: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*args: Any, **options: Any) -> None:
        raise ValueError("no such thing")

    row = reviewable(ann)
    review.set_state(row, by(ann), "approved")
    with monkeypatch.context() as broken:
        broken.setattr(quality, "count_errors", fails)
        assert quality.score_next()
    assert not quality.score_next()
    assert quality.table() == []
    assert f"{row.pk} cannot be scored" in caplog.text


def test_the_command_scores_what_waits_and_shows_the_table(ann: User) -> None:
    def said(*words: str) -> str:
        output = io.StringIO()
        call_command("quality", *words, stdout=output)
        return output.getvalue()

    assert said() == "No recording is approved yet.\n"
    row = reviewable(ann, model_name="small")
    review.apply(row, by(ann), [text(row, 0, "")])
    review.set_state(row, by(ann), "approved")
    heading, line = said().splitlines()
    assert heading.split()[:4] == ["model", "language", "recordings", "hours"]
    # "hello there" was never said: two of eight.
    assert line.split() == ["small", "en", "1", "0.00", "WER", "25.00%", "2", "8", "0%"]
    assert json.loads(said("--json"))[0]["rate"] == pytest.approx(0.25)


def test_the_page_shows_the_table_to_staff_who_may(
    ann: User, django_assert_max_num_queries: Any
) -> None:
    row = reviewable(ann, model_name="small-model")
    review.apply(row, by(ann), [text(row, 0, "Hello here.")])
    review.set_state(row, by(ann), "approved")
    staff = User.objects.create_user("staff", is_staff=True)
    client = Client()
    client.force_login(staff)
    assert client.get(PAGE).status_code == 403
    staff.user_permissions.add(Permission.objects.get(codename="view_reviewscore"))
    assert "1 approved recording is still being scored" in client.get(PAGE).content.decode()
    score_all()
    # session, user, two of permissions, the table, what waits
    with django_assert_max_num_queries(6):
        page = client.get(PAGE).content.decode()
    assert "small-model" in page
    assert "<td>English</td>" in page
    assert "WER 10.00" in page
    assert "1 in 10 words" in page
    index = client.get("/admin/").content.decode()
    assert "Quality by reviews" in index
    assert client.get("/admin/transcription/reviewscore/")["Location"] == PAGE
    stranger = Client()
    stranger.force_login(ann)
    assert stranger.get(PAGE).status_code == 302
