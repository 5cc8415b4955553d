"""Decisions of the table of many clients at once, with plain values: also those for a GPU."""

from __future__ import annotations

import math
import threading

import pytest

from transcription.management.benchmarks import concurrency
from transcription.management.benchmarks.concurrency import Level, grows

MIB = 2**20


def level(**facts: object) -> Level:
    given = {"at_once": 4, "seconds": (1.0,), "errors": (), "peak_bytes": (1000 * MIB,), **facts}
    return Level(**given)  # type: ignore[arg-type]


def test_the_mean_and_the_time_of_95_of_100() -> None:
    measured = level(seconds=tuple(float(second) for second in range(1, 101)))
    assert measured.mean_seconds == 50.5
    assert measured.p95_seconds == 95.0
    assert level(seconds=(3.0, 1.0)).p95_seconds == 3.0


def test_one_failed_request_makes_a_level_unstable() -> None:
    assert level().stable
    assert not level(errors=("503: busy",)).stable


def test_a_level_without_any_answer_is_a_line_of_the_table_too() -> None:
    nothing = level(seconds=(), errors=("no answer",) * 4)
    assert math.isnan(nothing.mean_seconds)
    assert nothing.line().endswith("NO")


@pytest.mark.parametrize(
    ("peaks_mib", "expected"),
    [
        ((1000,), False),
        ((1000, 1010, 1020, 1030), False),
        ((1000, 1300, 1200, 1300), False),  # the allocator has what it needs
        ((1000, 1100, 1200, 1300), True),
        ((100, 100, 130, 100), False),  # noise of small processes
        ((100, 100, 140, 100), True),
    ],
)
def test_memory_grows_if_later_rounds_need_clearly_more(peaks_mib, expected) -> None:
    assert grows([peak * MIB for peak in peaks_mib]) is expected


def test_an_unstable_level_breaks_the_promise() -> None:
    figures = concurrency.figures([level(), level(at_once=16, errors=("503",))])
    assert [figure.name for figure in figures if figure.kept is False] == ["16 at once, stable"]
    assert [figure.name for figure in figures if figure.kept] == ["4 at once, stable"]


def test_the_table_has_the_handbook_s_columns() -> None:
    line = level(seconds=(2.0, 4.0), peak_bytes=(4403 * MIB,)).line()
    assert line.split() == ["4", "3.00", "s", "4.00", "s", "4.30", "GiB", "yes"]


def test_on_a_gpu_its_memory_is_read_and_on_a_cpu_the_engine_s() -> None:
    assert concurrency.device_of([{"device": "cuda:0"}, {"device": "cuda:0"}]) == "cuda:0"
    assert "nvidia-smi" in concurrency.memory_of("cuda:0")
    assert "nvidia-smi" in concurrency.memory_of("cuda")  # as CTranslate2 calls it
    assert "RSS" in concurrency.memory_of("cpu")


@pytest.mark.parametrize("devices", [[], ["cpu", "cuda:0"]])
def test_models_on_several_devices_are_no_table(devices) -> None:
    with pytest.raises(ValueError, match="one is expected"):
        concurrency.device_of([{"device": device} for device in devices])


def test_the_memory_of_gpus_is_what_nvidia_smi_prints() -> None:
    assert concurrency.parse_gpu_memory("4403\n") == 4403 * MIB
    assert concurrency.parse_gpu_memory("4403\n12\n") == 4415 * MIB


@pytest.mark.parametrize("printed", ["", "\n", "[N/A]\n", "No devices were found\n"])
def test_a_gpu_whose_memory_is_not_told_is_an_error_and_not_zero(printed) -> None:
    with pytest.raises(ValueError, match=r"lists no GPU|invalid literal"):
        concurrency.parse_gpu_memory(printed)


def test_the_peak_of_a_round_is_the_highest_reading() -> None:
    readings = iter([3, 9, 4])
    all_read = threading.Event()

    def read() -> int:
        reading = next(readings, None)
        if reading is None:
            all_read.set()
            return 4
        return reading

    with concurrency._Peak(read) as peak:
        assert all_read.wait(60)
    assert peak.bytes == 9


def test_a_reading_that_fails_is_not_lost_in_its_thread() -> None:
    def fail() -> int:
        raise FileNotFoundError("nvidia-smi")

    with pytest.raises(FileNotFoundError), concurrency._Peak(fail):
        pass
