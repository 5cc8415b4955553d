"""From the glossary to the engine; and a context that the engine writes down is noticed."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from transcription.engines.base import Clip
from transcription.engines.fake import FakeEngine
from transcription.models import SpeechModel, Transcription
from transcription.services import glossary
from transcription.services.change import change_language_hint

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[list[Clip]]:
    """What the engine is given, batch by batch."""
    given: list[list[Clip]] = []
    really = FakeEngine.transcribe
    monkeypatch.setattr(
        FakeEngine,
        "transcribe",
        lambda self, clips: given.append(list(clips)) or really(self, clips),
    )
    return given


@pytest.fixture
def obedient_model(transactional_db: None) -> SpeechModel:
    return SpeechModel.objects.create(
        name="fake", engine="fake", chunk_seconds=30.0, options={"obey_context": True}
    )


def test_people_with_and_without_a_glossary_share_a_batch_and_each_is_sent_his_own(
    fake_model, post, work, speech, batches
) -> None:
    ann, bob = User.objects.create_user("ann"), User.objects.create_user("bob")
    alone = post(speech, owner=bob, prompt="The garden.")
    glossary.create(ann, term="Kubernetes")
    glossary.create(ann, term="强化学习", language="zh")
    glossary.create(ann, term="gone", is_active=False)
    hers = post(speech, owner=ann, prompt="The garden.")
    chinese = post(speech, owner=ann, language_hint="zh")
    english = post(speech, owner=ann, language_hint="en")
    work()
    assert len(batches) == 1
    contexts = sorted(clip.context for clip in batches[0])
    assert contexts == [
        "Kubernetes",
        "Kubernetes, 强化学习",
        "Kubernetes, 强化学习. The garden.",
        "The garden.",
    ]
    rows = [Transcription.objects.get(pk=row.pk) for row in (alone, hers, chinese, english)]
    assert {row.status for row in rows} == {"completed"}
    assert rows[0].text == rows[1].text
    assert not any(row.warnings for row in rows)


def test_terms_for_all_come_after_ones_own_and_what_had_no_room_is_said(
    fake_model, post, work, speech
) -> None:
    ann = User.objects.create_user("ann")
    glossary.create(None, term="Prometheus")
    for number in range(40):
        glossary.create(ann, term=f"Nameofsomebody{number}")
    row, nobodys = post(speech, owner=ann), post(speech)
    assert (nobodys.glossary, nobodys.glossary_left_out) == ("Prometheus", 0)
    # The newest is the weightiest.
    assert row.glossary.endswith(", Nameofsomebody38, Nameofsomebody39")
    assert "Prometheus" not in row.glossary
    assert row.glossary_left_out == 40 - row.glossary.count("Nameof")
    work()
    row.refresh_from_db()
    assert row.warnings == ["glossary_cut"]


def test_what_is_sent_is_fixed_when_the_recording_is_accepted(
    fake_model, post, speech, work, batches
) -> None:
    ann = User.objects.create_user("ann")
    term = glossary.create(ann, term="Kubernetes", language="en")
    post(speech, owner=ann)
    glossary.change(term, term="Prometheus")
    glossary.create(ann, term="etcd")
    work()
    assert [clip.context for clip in batches[0]] == ["Kubernetes"]
    # But for another language others may be wanted.
    waiting = post(speech, owner=ann)
    assert waiting.glossary == "Prometheus, etcd"
    change_language_hint(waiting, "zh")
    assert waiting.glossary == "etcd"


def test_a_context_in_the_text_is_dropped_and_the_rest_of_the_batch_is_as_it_was(
    obedient_model, post, work, speech, batches
) -> None:
    clean = post(speech)
    leaky = post(speech, prompt="[fake:leak] Prometheus, etcd, Kubernetes")
    work()
    clean.refresh_from_db()
    leaky.refresh_from_db()
    assert [len(batch) for batch in batches] == [2, 1]
    assert leaky.text == clean.text
    assert leaky.text.startswith("Fake ")
    assert (leaky.warnings, clean.warnings) == (["context_dropped"], [])
    assert [chunk.context_dropped for chunk in leaky.chunks.all()] == [True]
    assert [segment.text for segment in leaky.segments.all()] == [
        segment.text for segment in clean.segments.all()
    ]


def test_somebody_who_says_one_term_is_not_recognised_twice(
    obedient_model, post, work, speech, batches
) -> None:
    row = post(speech, prompt="[fake:leak] Kubernetes")
    work()
    row.refresh_from_db()
    assert row.text.startswith("Kubernetes")
    assert [len(batch) for batch in batches] == [1]
    assert row.warnings == []
