"""Which recording is prepared next."""

from __future__ import annotations

from transcription.work.chores import (
    LONG_FILE_BYTES,
    MOST_IN_PROGRESS,
    MOST_LONG_IN_PROGRESS,
    QueuedFile,
    choose_file,
)


def file(id: int, owner: str = "ann", long: bool = False, waited: float = 0.0) -> QueuedFile:
    return QueuedFile(
        id=id, owner=owner, size_bytes=LONG_FILE_BYTES if long else 100_000, waited_seconds=waited
    )


def choose(queued: list[QueuedFile], **facts: object) -> object:
    given = {
        "long_being_prepared": 0,
        "long_in_progress": 0,
        "in_progress": 0,
        "workers": 2,
        "last_served": {},
        **facts,
    }
    chosen = choose_file(queued, **given)  # type: ignore[arg-type]
    return chosen.id if chosen else None


def test_the_recording_that_waited_longest_goes_first() -> None:
    assert choose([file(1, waited=3), file(2, waited=9)]) == 2


def test_a_short_recording_goes_before_a_long_one() -> None:
    assert choose([file(1, long=True, waited=60), file(2)]) == 2


def test_a_long_recording_is_not_put_off_for_ever() -> None:
    assert choose([file(1, long=True, waited=600), file(2)]) == 1


def test_one_worker_is_always_left_for_short_recordings() -> None:
    assert choose([file(1, long=True, waited=600), file(2)], long_being_prepared=1) == 2
    assert choose([file(1, long=True)], long_being_prepared=1) is None
    assert choose([file(1, long=True)], long_being_prepared=1, workers=3) == 1


def test_owners_take_turns() -> None:
    queued = [file(1, "ann", waited=99), file(2, "ann", waited=98), file(3, "bob", waited=1)]
    assert choose(queued, last_served={"ann": 7}) == 3
    assert choose(queued, last_served={"ann": 7, "bob": 8}) == 1


def test_no_more_recordings_are_decoded_than_the_disk_should_hold() -> None:
    assert choose([file(1)], in_progress=MOST_IN_PROGRESS) is None
    assert choose([file(1, long=True)], long_in_progress=MOST_LONG_IN_PROGRESS) is None
    assert choose([file(1)], long_in_progress=MOST_LONG_IN_PROGRESS) == 1
