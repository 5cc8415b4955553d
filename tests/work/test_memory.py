"""Who must leave the memory for whom."""

from __future__ import annotations

from pathlib import Path

from transcription.engines.devices import DeviceMemory, cpu_memory, memory_of
from transcription.work.memory import (
    KEPT_SHARE,
    Resident,
    capacity_bytes,
    fits_beside,
    in_words,
    share_in_words,
    who_must_go,
)

GIB = 1024**3


def resident(name: str, gib: float, last_used: float = 0.0) -> Resident:
    return Resident(name=name, memory_bytes=int(gib * GIB), last_used=last_used)


def going(needed_gib: float, *residents: Resident, own: str = "new", capacity: float = 4.0) -> list:
    return who_must_go(
        int(needed_gib * GIB),
        residents=residents,
        own_name=own,
        capacity=int(capacity * GIB),
    )


def test_where_all_fit_nobody_goes() -> None:
    assert going(1.0, resident("a", 1.0), resident("b", 2.0)) == []


def test_who_was_not_used_for_longest_goes_first_and_no_more_than_needed() -> None:
    used = [resident("a", 1.0, last_used=30.0), resident("b", 2.0, last_used=20.0)]
    assert going(2.0, *used) == ["b"]
    assert going(3.5, *used) == ["b", "a"]


def test_a_reload_that_does_not_fit_twice_pushes_out_its_own_old_copy_alone() -> None:
    used = [resident("old", 2.0, last_used=99.0), resident("other", 1.0)]
    assert going(2.0, *used, own="old") == ["old"]
    assert going(1.0, *used, own="old") == []


def test_a_model_that_takes_no_memory_pushes_nobody_out() -> None:
    assert fits_beside(0, [resident("a", 9.0)], GIB)
    assert fits_beside(GIB, [resident("a", 9.0)], None)


def test_the_operators_limit_counts_before_the_device() -> None:
    device = DeviceMemory(total_bytes=100, free_bytes=50)
    assert capacity_bytes(limit_bytes=7, loaded_bytes=5, device=device) == 7
    spare = 50 - int(100 * KEPT_SHARE)
    assert capacity_bytes(limit_bytes=0, loaded_bytes=5, device=device) == 5 + spare
    assert capacity_bytes(limit_bytes=0, loaded_bytes=5, device=None) is None


def test_a_device_that_is_full_has_room_for_what_is_there_and_no_more() -> None:
    device = DeviceMemory(total_bytes=100, free_bytes=3)
    assert capacity_bytes(limit_bytes=0, loaded_bytes=40, device=device) == 40


def machine(folder: Path, **group: str) -> DeviceMemory | None:
    meminfo = folder / "meminfo"
    meminfo.write_text("MemTotal:   8000 kB\nMemFree:  10 kB\nMemAvailable:   6000 kB\n")
    for name, value in group.items():
        (folder / name.replace("_", ".")).write_text(value)
    return cpu_memory(meminfo, folder)


def test_memory_is_the_machines_or_the_containers(tmp_path) -> None:
    whole = DeviceMemory(total_bytes=8000 * 1024, free_bytes=6000 * 1024)
    assert machine(tmp_path) == whole
    group = {"memory_current": "900000\n", "memory_stat": "anon 1\ninactive_file 100000\n"}
    assert machine(tmp_path, memory_max="max\n", **group) == whole
    limited = machine(tmp_path, memory_max="1000000\n", **group)
    assert limited == DeviceMemory(total_bytes=1_000_000, free_bytes=200_000)


def test_a_machine_that_does_not_tell_is_not_guessed_at(tmp_path) -> None:
    assert cpu_memory(tmp_path / "absent", tmp_path) is None
    here = memory_of("cpu")
    assert here is not None
    assert 0 < here.free_bytes <= here.total_bytes


def test_sizes_are_said_as_people_compare_models() -> None:
    assert in_words(3_400_000_000) == "3.4 GB"
    assert in_words(1_700_000) == "1.7 MB"
    assert share_in_words(3_400_000_000, 4_000_000_000) == "3.4 of 4.0 GB"
    assert share_in_words(40_000_000, 1_000_000_000) == "40.0 MB of 1.0 GB"
