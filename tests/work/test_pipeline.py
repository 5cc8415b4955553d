"""From an accepted recording to its text."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from django.utils import timezone

from tests.work.conftest import follow_the_rows, wav
from transcription.engines.fake import FakeEngine
from transcription.models import Chunk, Lease, SpeechModel, Transcription
from transcription.services import search
from transcription.services.change import cancel, retry
from transcription.services.errors import ServiceError
from transcription.services.peaks import read_peaks
from transcription.work.paths import work_file
from transcription.work.prepare import stand_down
from transcription.work.progress import give_up
from transcription.work.recognise import recognise
from transcription.work.runtime import new_lease, runtime
from transcription.work.tasks import look_for_chores, look_for_speech
from transcription.work.upkeep import release_leases_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_recording_becomes_text(fake_model, post, work, speech) -> None:
    row = post(speech)
    assert (row.status, row.progress) == ("queued", 0.0)
    work()
    row.refresh_from_db()
    assert row.status == Transcription.Status.COMPLETED
    assert row.text.startswith("Fake ")
    assert row.language == "en"
    assert row.model_name == "fake"
    assert row.progress == 1.0
    assert row.duration_seconds == pytest.approx((len(speech) - 44) / 32_000, abs=0.01)
    assert [segment.index for segment in row.segments.all()] == list(range(row.segments.count()))
    assert " ".join(segment.text for segment in row.segments.all()) == row.text
    assert not work_file(row.pk).exists()


def test_the_waveform_outlives_the_decoded_audio(fake_model, post, work, speech) -> None:
    row = post(speech)
    with pytest.raises(ServiceError, match="no waveform"):
        read_peaks(row.pk, None)
    work()
    row.refresh_from_db()
    shown = read_peaks(row.pk, row.duration_seconds)
    assert len(shown.peaks) == math.ceil(row.duration_seconds * shown.peaks_per_second)
    samples = np.frombuffer(speech[44:], dtype="<i2")
    assert max(shown.peaks) == pytest.approx(np.abs(samples / 32_768).max(), abs=0.01)
    assert not work_file(row.pk).exists()


def test_a_recording_is_found_by_its_name_at_once_and_by_its_words_when_it_is_finished(
    fake_model, post, work, speech
) -> None:
    row = post(speech)
    name = row.file_name.rpartition(".")[0]
    assert search.find(name) == [row.pk]
    assert search.find("fake") == []
    work()
    row.refresh_from_db()
    assert search.find(f'"{row.text}"') == search.find(f"fake {name}") == [row.pk]


def test_silence_is_completed_with_empty_text_and_says_so(fake_model, post, work) -> None:
    row = post(wav(np.zeros(48_000)))
    work()
    row.refresh_from_db()
    assert (row.status, row.text, row.language) == ("completed", "", "")
    assert row.warnings == ["no_speech"]
    assert row.duration_seconds == 3.0
    assert not Chunk.objects.exists()


def three_sentences(speech: bytes) -> bytes:
    """Return the sentence three times with silence between: three chunks."""
    said = np.frombuffer(speech[44:], dtype="<i2")
    pause = np.zeros(5 * 16_000, dtype="<i2")
    return wav(np.concatenate([said, pause, said, pause, said]))


def recognise_first_chunk(row: Transcription, model: SpeechModel) -> Chunk:
    """Recognise the first chunk alone, as if its worker then turned to other people's."""
    here = runtime()
    first = row.chunks.order_by("start_sample").first()
    assert first is not None
    ready = here.engines.ready(model)
    assert ready is not None
    recognise(Chunk.objects.claim([first.pk], new_lease()), ready, here)
    first.refresh_from_db()
    return first


@pytest.fixture
def obedient_model(transactional_db) -> SpeechModel:
    """The fake engine, which does what the prompt orders."""
    return SpeechModel.objects.create(
        name="fake", engine="fake", chunk_seconds=30.0, options={"obey_context": True}
    )


def test_chunks_of_different_people_are_recognised_in_one_batch(
    fake_model, post, work, speech, monkeypatch, django_user_model
) -> None:
    batches = []
    really = FakeEngine.transcribe
    monkeypatch.setattr(
        FakeEngine,
        "transcribe",
        lambda self, clips: batches.append(len(clips)) or really(self, clips),
    )
    people = [django_user_model.objects.create(username=name) for name in ("ann", "bob", "eve")]
    rows = [post(speech, owner=person) for person in people]
    work()
    assert batches == [sum(row.chunks.count() for row in rows)]
    for row in rows:
        row.refresh_from_db()
    # and each gets his own text, which is the same since the audio is
    assert {row.text for row in rows} == {rows[0].text}
    assert rows[0].text


def test_the_text_so_far_can_be_read_before_the_recording_is_done(
    fake_model, post, fresh_worker, speech
) -> None:
    row = post(three_sentences(speech))
    look_for_chores()
    row.refresh_from_db()
    assert row.status == "processing"
    first = recognise_first_chunk(row, fake_model)
    row.refresh_from_db()
    assert first.text.startswith("fake ")
    assert 0.0 < row.progress < 1.0


def test_a_bad_file_fails_at_once_with_its_reason_and_the_next_is_served(
    fake_model, post, work, speech
) -> None:
    bad = post(b"This is a letter, not a recording. " * 100)
    good = post(speech)
    work()
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.status, bad.error_code) == ("failed", "not_audio")
    assert "WAV" in bad.error_message
    assert bad.attempts == 1
    assert bad.audio.storage.exists(bad.audio.name)  # nothing is lost
    assert good.status == "completed"


def test_a_chunk_on_which_the_engine_keeps_failing_becomes_a_gap(
    obedient_model, post, work, speech, settings
) -> None:
    settings.RETRY_DELAYS_SECONDS = (0.0, 0.0)
    row = post(speech, prompt="[fake:error]")
    work()
    row.refresh_from_db()
    assert (row.status, row.error_code) == ("failed", "recognition_failed")
    assert set(row.chunks.values_list("state", "attempts")) == {("failed", 3)}


def test_a_recording_with_a_gap_is_completed_and_says_so(fake_model, post, work, speech) -> None:
    row = post(three_sentences(speech))
    look_for_chores()
    gap = row.chunks.order_by("start_sample")[1]
    [claimed] = Chunk.objects.claim([gap.pk], new_lease())
    give_up(claimed, "worker_crashed")
    work()
    row.refresh_from_db()
    assert (row.status, row.warnings) == ("completed", ["partial_text"])
    assert row.text.casefold().count("fake ") == row.chunks.filter(state="done").count() >= 2


def test_an_interrupted_preparation_starts_over_and_doubles_nothing(
    fake_model, post, work, speech
) -> None:
    row = post(three_sentences(speech))
    look_for_chores()
    chunks = list(row.chunks.values_list("start_sample", "end_sample"))
    # as if the worker had died just before its last word
    Transcription.objects.filter(pk=row.pk).update(step="prepare", state="pending", attempts=1)
    work()
    row.refresh_from_db()
    assert row.status == "completed"
    assert list(row.chunks.values_list("start_sample", "end_sample")) == chunks


def test_chunks_that_another_version_cut_otherwise_are_cut_anew(
    fake_model, post, work, speech
) -> None:
    row = post(three_sentences(speech))
    Chunk.objects.create(
        transcription=row, start_sample=7, end_sample=400_000, model_name="fake", text="old"
    )
    Transcription.objects.update(started_at=timezone.now())
    work()
    row.refresh_from_db()
    assert row.status == "completed"
    assert not row.chunks.filter(start_sample=7).exists()


def test_lost_work_audio_is_decoded_again(fake_model, post, work, speech) -> None:
    row = post(three_sentences(speech))
    look_for_chores()
    work_file(row.pk).unlink()
    look_for_speech()
    row.refresh_from_db()
    assert (row.step, row.state) == ("prepare", "pending")
    assert set(row.chunks.values_list("attempts", flat=True)) == {0}
    look_for_chores()
    Chunk.objects.update(not_before=timezone.now())
    work()
    row.refresh_from_db()
    assert row.status == "completed"
    assert row.text.casefold().count("fake ") == row.chunks.count()


def test_a_text_that_was_cut_off_is_halved_and_recognised_again(
    obedient_model, post, work, speech
) -> None:
    row = post(speech, prompt="[fake:length]")
    work()
    row.refresh_from_db()
    assert row.status == "completed"
    assert row.warnings == ["text_cut_off"]  # the engine says so down to the shortest piece
    assert row.chunks.count() > 1
    ends = list(row.chunks.order_by("start_sample").values_list("start_sample", "end_sample"))
    assert all(left[1] == right[0] for left, right in pairwise(ends))
    assert row.processed_seconds == pytest.approx(row.speech_seconds)


def test_new_weights_in_the_middle_of_a_recording_write_all_of_it(
    fake_model, post, fresh_worker, work, speech
) -> None:
    row = post(three_sentences(speech))
    look_for_chores()
    recognise_first_chunk(row, fake_model)
    SpeechModel.objects.update(options={"voice": "other"}, generation=2)
    follow_the_rows()
    work()
    row.refresh_from_db()
    assert row.status == "completed"
    assert "fake" not in row.text.casefold()
    assert row.text.casefold().count("other ") == row.chunks.count()
    assert row.processed_seconds == pytest.approx(row.speech_seconds)


def test_text_of_two_weights_that_met_all_the_same_is_recognised_anew(
    fake_model, post, work, speech
) -> None:
    row = post(three_sentences(speech))
    look_for_chores()
    first = recognise_first_chunk(row, fake_model)
    Chunk.objects.filter(pk=first.pk).update(weights_digest="other", text="of other weights")
    Transcription.objects.update(processed_seconds=0.0)  # so that no batch notices it
    work()
    work()
    row.refresh_from_db()
    assert row.status == "completed"
    assert "of other weights" not in row.text
    assert len(set(row.chunks.values_list("weights_digest", flat=True))) == 1


def test_a_model_that_cannot_be_loaded_leaves_its_recordings_waiting(
    fake_model, post, work, speech
) -> None:
    SpeechModel.objects.update(options={"load_error": "model.bin is missing"})
    row = post(speech)
    work()
    row.refresh_from_db()
    assert row.status == "processing"
    assert "model.bin is missing" in runtime().engines.errors()
    SpeechModel.objects.update(options={}, generation=2)
    follow_the_rows()
    work()
    row.refresh_from_db()
    assert row.status == "completed"


def test_a_broken_reload_keeps_the_old_model_serving(fake_model, post, work, speech) -> None:
    post(speech)
    work()
    SpeechModel.objects.update(options={"load_error": "broken"}, generation=2)
    follow_the_rows()
    row = post(speech)
    work()
    row.refresh_from_db()
    assert row.status == "completed"
    assert runtime().engines.loaded()[0].generation == 1


def test_cancelling_keeps_what_is_there(fake_model, post, work, speech) -> None:
    row = post(three_sentences(speech))
    look_for_chores()
    recognise_first_chunk(row, fake_model)
    row.refresh_from_db()
    cancel(row)
    work()
    row.refresh_from_db()
    assert row.status == "cancelled"
    assert row.text.startswith("Fake ")
    assert row.segments.exists()
    assert not work_file(row.pk).exists()
    with pytest.raises(ServiceError, match="cancelled"):
        cancel(row)


def test_a_cancelled_recording_can_be_retried_and_keeps_its_finished_chunks(
    fake_model, post, work, speech
) -> None:
    row = post(three_sentences(speech))
    look_for_chores()
    cancel(row)
    work()
    row.refresh_from_db()
    assert row.status == "cancelled"
    retry(row)
    assert row.status == "queued"
    work()
    row.refresh_from_db()
    assert (row.status, row.error_code) == ("completed", "")
    assert row.text.casefold().count("fake ") == row.chunks.count()


def test_a_cancelled_recording_can_be_retried_while_its_text_is_being_joined(
    fake_model, post, speech
) -> None:
    row = post(three_sentences(speech))
    look_for_chores()
    cancel(row)
    # As a worker does that begins to join the text so far.
    assert Transcription.objects.claim([row.pk], new_lease())
    row.refresh_from_db()
    retry(row)
    assert row.status == "queued"


def test_a_failed_recording_can_be_retried_once_its_cause_is_gone(
    fake_model, post, work, speech, settings
) -> None:
    settings.MAX_DURATION_SECONDS = 1.0
    row = post(speech)
    stand_down()
    work()
    row.refresh_from_db()
    assert (row.status, row.error_code) == ("failed", "audio_too_long")
    settings.MAX_DURATION_SECONDS = 3600.0
    retry(row)
    stand_down()
    work()
    row.refresh_from_db()
    assert row.status == "completed"
    stand_down()


def test_without_a_model_a_recording_waits_for_one(transactional_db, post, work, speech) -> None:
    row = post(speech)
    work()
    row.refresh_from_db()
    assert (row.state, row.attempts, row.last_error) == ("pending", 0, "no model")


def test_a_recording_whose_audio_is_gone_says_so(fake_model, post, work, speech) -> None:
    row = post(speech)
    row.audio.storage.delete(row.audio.name)
    work()
    row.refresh_from_db()
    assert (row.status, row.error_code) == ("failed", "recording_missing")


def test_a_recording_that_keeps_killing_its_worker_is_given_up_and_kept(
    fake_model, post, speech, settings
) -> None:
    settings.RETRY_DELAYS_SECONDS = (0.0,)
    row = post(speech)
    for _ in range(2):
        assert Transcription.objects.claim([row.pk], Lease(holder="chores", seconds=60))
        assert release_leases_of("chores") == 1
    row.refresh_from_db()
    assert (row.status, row.error_code) == ("failed", "worker_crashed")
    assert row.audio.storage.exists(row.audio.name)
