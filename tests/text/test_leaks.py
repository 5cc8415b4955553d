"""What tells the context from speech."""

from __future__ import annotations

import pytest

from transcription.text.leaks import is_heard_again, is_suspect

TERMS = "张伟, 强化学习, Prometheus, etcd, Kubernetes"
PROMPT = "A talk about the garden. Thank you very much for coming to our small town tonight."


@pytest.mark.parametrize(
    ("text", "context", "seconds", "no_speech"),
    [
        ("Prometheus, etcd, Kubernetes.", TERMS, 20.0, None),
        ("Prometheus etcd", TERMS, 2.0, None),
        ("张伟，强化学习", TERMS, 5.0, None),
        ("Kubernetes. Kubernetes. Kubernetes.", TERMS, 10.0, None),
        # one term, and nobody spoke, says the engine
        ("Kubernetes.", TERMS, 2.0, 0.9),
        # more than can be said
        ("Kubernetes", TERMS, 0.2, None),
        ("强化学习", TERMS, 0.2, None),
        ("Thank you very much for coming to our", PROMPT, 5.0, None),
        ("A talk about the garden. Thank you very much", PROMPT, 5.0, None),
    ],
)
def test_the_context_written_down_is_suspected(
    text: str, context: str, seconds: float, no_speech: float | None
) -> None:
    assert is_suspect(text, context, duration_seconds=seconds, no_speech_probability=no_speech)


@pytest.mark.parametrize(
    ("text", "context", "seconds", "no_speech"),
    [
        # somebody says one of the names
        ("Kubernetes.", TERMS, 1.2, 0.02),
        ("Kubernetes", TERMS, 1.2, None),
        ("We moved from etcd to Kubernetes last year.", TERMS, 4.0, 0.01),
        ("我们和张伟讨论强化学习的问题", TERMS, 4.0, None),
        # words that any sentence has
        ("Thank you.", PROMPT, 1.0, 0.1),
        ("The small garden", PROMPT, 1.5, None),
        # no speech, but not the context either
        ("You know what I mean", PROMPT, 2.0, 0.9),
        ("", TERMS, 5.0, 0.9),
        ("Kubernetes etcd", "", 5.0, 0.9),
        ("Kubernetes etcd", " ,. ", 5.0, 0.9),
    ],
)
def test_what_people_say_is_not(
    text: str, context: str, seconds: float, no_speech: float | None
) -> None:
    assert not is_suspect(text, context, duration_seconds=seconds, no_speech_probability=no_speech)


@pytest.mark.parametrize(
    ("first", "again", "heard"),
    [
        ("Prometheus, etcd, Kubernetes.", "Prometheus, et cetera, cube and eighties", True),
        ("强化学习，张伟", "强化学习，章伟", True),
        ("Prometheus, etcd, Kubernetes.", "", False),
        ("Prometheus, etcd, Kubernetes.", "you", False),
        ("Prometheus, etcd, Kubernetes.", "Thanks for watching!", False),
    ],
)
def test_the_sound_decides(first: str, again: str, heard: bool) -> None:
    assert is_heard_again(first, again) is heard


def test_a_hostile_context_takes_no_time() -> None:
    """Every place of it fits every word of the text."""
    assert is_suspect("a " * 400 + "b " * 10, "a, " * 1_300, duration_seconds=30.0)
