"""Who shares the next batch."""

from __future__ import annotations

from dataclasses import replace

from transcription.work.batching import MAX_PADDING, WaitingChunk, choose_batch


def chunk(id: int, **facts: object) -> WaitingChunk:
    given = {
        "transcription": f"recording-{id}",
        "owner": "ann",
        "model_name": "base",
        "start_sample": 0,
        "seconds": 20.0,
        "remaining_seconds": 20.0,
        "waited_seconds": 0.0,
        **facts,
    }
    return WaitingChunk(id=id, **given)  # type: ignore[arg-type]


def ids(batch: list[WaitingChunk]) -> list[int]:
    return [one.id for one in batch]


def choose(
    waiting: list[WaitingChunk], budget: float = 240.0, served: dict | None = None
) -> list[int]:
    return ids(choose_batch(waiting, budget_seconds=budget, last_served=served or {}))


def test_nothing_waits_so_nothing_is_chosen() -> None:
    assert choose([]) == []


def test_chunks_of_different_people_share_a_batch() -> None:
    waiting = [chunk(1, owner="ann"), chunk(2, owner="bob"), chunk(3, owner=None)]
    assert sorted(choose(waiting)) == [1, 2, 3]


def test_the_owner_who_was_served_longest_ago_begins() -> None:
    waiting = [chunk(1, owner="ann"), chunk(2, owner="bob"), chunk(3, owner="eve")]
    assert choose(waiting, served={"ann": 5, "bob": 3, "eve": 4}) == [2, 3, 1]
    assert choose(waiting, served={"ann": 5, "bob": 3})[0] == 3  # eve was never served


def test_one_owner_with_many_recordings_does_not_crowd_out_another() -> None:
    waiting = [chunk(number, owner="ann") for number in range(100)] + [chunk(200, owner="bob")]
    assert 200 in choose(waiting, budget=40.0)


def test_a_short_recording_goes_before_a_long_one_of_the_same_owner() -> None:
    waiting = [
        chunk(1, remaining_seconds=10_800.0),
        chunk(2, remaining_seconds=5.0, seconds=5.0),
    ]
    assert choose(waiting, budget=5.0) == [2]


def test_a_long_recording_does_not_starve_behind_ever_new_short_ones() -> None:
    waiting = [
        chunk(1, remaining_seconds=10_800.0, waited_seconds=1_200.0),
        chunk(2, remaining_seconds=5.0, seconds=5.0),
    ]
    assert choose(waiting)[0] == 1


def test_the_padded_batch_stays_within_its_budget() -> None:
    waiting = [chunk(number, seconds=30.0) for number in range(20)]
    assert len(choose(waiting, budget=240.0)) == 8


def test_a_chunk_over_the_budget_still_gets_its_turn_alone() -> None:
    assert choose([chunk(1, seconds=60.0), chunk(2, seconds=60.0)], budget=30.0) == [1]


def test_short_clips_do_not_pay_for_the_padding_of_a_long_one() -> None:
    waiting = [chunk(1, owner="ann", seconds=30.0)] + [
        chunk(number, owner="bob", seconds=2.0) for number in range(2, 40)
    ]
    batch = choose_batch(waiting, budget_seconds=240.0, last_served={"bob": 9})
    padded = max(one.seconds for one in batch) * len(batch)
    assert padded <= MAX_PADDING * sum(one.seconds for one in batch)
    assert batch[0].id == 1


def test_a_chunk_that_was_interrupted_before_is_claimed_alone() -> None:
    waiting = [chunk(1, interrupted=True)]
    assert choose(waiting) == [1]
    assert choose([chunk(1, interrupted=True), chunk(2, interrupted=True, owner="bob")]) in (
        [1],
        [2],
    )
    # and it keeps nobody else waiting
    assert choose([chunk(1, interrupted=True), chunk(2), chunk(3)]) == [2, 3]


def test_an_interrupted_chunk_of_one_owner_does_not_join_the_batch_of_others() -> None:
    waiting = [chunk(1, owner="ann"), chunk(2, owner="bob", interrupted=True)]
    assert choose(waiting, served={"bob": 1}) == [1]


def test_the_first_words_of_a_recording_do_not_wait_for_a_full_batch() -> None:
    waiting = [chunk(n, transcription="new", start_sample=n, begun=False) for n in range(8)]
    assert choose(waiting) == [0, 1]
    assert choose([*waiting, chunk(20, transcription="other")]) == [0, 1, 20]
    begun = [chunk(n, transcription="old", start_sample=n) for n in range(8)]
    assert len(choose(begun)) == 8


def test_a_batch_holds_chunks_of_one_model_only() -> None:
    waiting = [chunk(1), chunk(2, model_name="large"), chunk(3)]
    assert choose(waiting) == [1, 3]


def test_the_chunks_of_one_recording_come_in_their_order() -> None:
    first = chunk(1, transcription="same", start_sample=0)
    waiting = [replace(first, id=number, start_sample=1000 - number) for number in range(5)]
    assert choose(waiting) == [4, 3, 2, 1, 0]
