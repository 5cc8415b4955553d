"""Models that do not fit into memory together: whose turn it is."""

from __future__ import annotations

from collections.abc import Iterable

from transcription.work.choosing import PATIENCE_SECONDS, held_back


def held(
    waited: dict[str, float],
    *,
    in_memory: Iterable[str] = ("a",),
    swaps: Iterable[str] = ("b", "c"),
    since_load: float = 1e9,
) -> set[str]:
    return set(
        held_back(
            waited,
            in_memory=set(in_memory),
            needing_a_swap=set(swaps),
            since_last_load_seconds=since_load,
        )
    )


def test_a_model_that_fits_beside_is_never_held_back() -> None:
    assert held({"a": 5.0, "b": 0.0}, swaps=()) == set()


def test_the_model_in_memory_is_served_first() -> None:
    assert held({"a": 0.0, "b": PATIENCE_SECONDS - 1}) == {"b"}


def test_who_has_waited_long_enough_is_swapped_in() -> None:
    assert held({"a": 0.0, "b": PATIENCE_SECONDS}) == set()


def test_nobody_is_swapped_right_after_another_swap() -> None:
    assert held({"a": 0.0, "b": 900.0}, since_load=PATIENCE_SECONDS - 1) == {"b"}
    assert held({"a": 0.0, "b": 900.0}, since_load=PATIENCE_SECONDS) == set()


def test_without_work_for_what_is_in_memory_nobody_waits_for_anything() -> None:
    assert held({"b": 0.0}, since_load=0.0) == set()


def test_of_several_only_the_one_that_has_waited_longest_is_swapped_in() -> None:
    assert held({"b": 1.0, "c": 2.0}) == {"b"}
    assert held({"a": 0.0, "b": 40.0, "c": 30.0}) == {"c"}


def test_two_models_with_work_without_end_are_served_in_turns_of_some_length() -> None:
    in_memory, left_at, loaded_at = "a", {"b": 0.0}, 0.0
    served = {"a": 0, "b": 0}
    swaps = 0
    for now in range(600):
        other = "b" if in_memory == "a" else "a"
        waited = {in_memory: 600.0, other: now - left_at[other]}
        if not held(waited, in_memory=[in_memory], swaps=[other], since_load=now - loaded_at):
            left_at[in_memory], loaded_at, in_memory = float(now), float(now), other
            swaps += 1
        served[in_memory] += 1
    assert abs(served["a"] - served["b"]) <= PATIENCE_SECONDS
    assert swaps == 600 // PATIENCE_SECONDS - 1
