"""Options are read strictly: a slip of the pen is an error that says what there is."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from transcription.engines.base import EngineError
from transcription.engines.options import TEXT_UNCHANGED, read_options, text_options


@dataclass(frozen=True, kw_only=True)
class ToyOptions:
    beams: int = 5
    pace: float = 1.0
    voice: str = "a"
    loud: bool = False
    steps: tuple[float, ...] = (0.0,)
    limit: int | None = None
    threads: int = field(default=1, metadata=TEXT_UNCHANGED)

    def __post_init__(self) -> None:
        if self.beams < 1:
            raise ValueError("beams must be 1 or more")


def test_what_is_left_out_keeps_its_default() -> None:
    assert read_options(ToyOptions, {}, engine="toy") == ToyOptions()


def test_values_as_json_gives_them_are_taken() -> None:
    given = {"beams": 2, "pace": 3, "voice": "b", "loud": True, "steps": [0, 0.5], "limit": None}
    options = read_options(ToyOptions, given, engine="toy")
    assert options == ToyOptions(beams=2, pace=3.0, voice="b", loud=True, steps=(0.0, 0.5))
    assert isinstance(options.pace, float)


def test_an_unknown_option_is_an_error_with_the_known_ones() -> None:
    with pytest.raises(EngineError, match=r"'toy' has no option named beam_size\..*beams"):
        read_options(ToyOptions, {"beam_size": 2}, engine="toy")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"beams": "5"}, "beams.* a whole number"),
        ({"beams": 5.0}, "beams.* a whole number"),
        ({"beams": True}, "beams.* a whole number"),
        ({"pace": "fast"}, "pace.* a number"),
        ({"voice": 1}, "voice.* text"),
        ({"loud": 1}, "loud.* true or false"),
        ({"steps": 0.5}, "steps.* a list, each entry a number"),
        ({"steps": ["a"]}, "steps.* a list, each entry a number"),
        ({"limit": "no"}, "limit.* a whole number or null"),
    ],
)
def test_a_value_of_another_type_is_an_error_that_says_which_is_right(
    given: dict[str, object], wanted: str
) -> None:
    with pytest.raises(EngineError, match=wanted):
        read_options(ToyOptions, given, engine="toy")


def test_a_value_that_the_engine_cannot_work_with_is_an_error() -> None:
    with pytest.raises(EngineError, match="beams must be 1 or more"):
        read_options(ToyOptions, {"beams": 0}, engine="toy")


def test_only_what_changes_the_text_counts_for_the_digest() -> None:
    assert "threads" not in text_options(ToyOptions())
    assert text_options(ToyOptions())["beams"] == 5
