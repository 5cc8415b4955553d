"""The small client of commands and tests, and how they count words."""

from __future__ import annotations

import email
import email.policy
import socket

import pytest

from transcription.management.client import Client, NoAnswerError, _multipart
from transcription.management.word_error import word_errors, words_of


def test_a_form_carries_its_fields_and_the_file_byte_for_byte() -> None:
    content = bytes(range(256)) * 3
    body = _multipart("limit", 'a "b"\r\nc.wav', content, {"prompt": "Ärger, 语音"})
    message = email.message_from_bytes(
        b"Content-Type: multipart/form-data; boundary=limit\r\n\r\n" + body,
        policy=email.policy.HTTP,
    )
    prompt, file = message.iter_parts()  # type: ignore[attr-defined]
    assert prompt.get_payload(decode=True).decode() == "Ärger, 语音"
    assert file.get_payload(decode=True) == content
    assert file.get_filename() == "a %22b%22c.wav"
    assert file.get_content_type() == "audio/x-wav"


def test_a_service_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(NoAnswerError, match=f"GET /health got no answer from 127.0.0.1:{port}"):
        Client(f"http://127.0.0.1:{port}", "").get("/health")


def test_case_and_punctuation_are_no_errors() -> None:
    assert words_of("Good morning — it's 3 o'clock.") == ["good", "morning", "it's", "3", "o'clock"]


@pytest.mark.parametrize(
    ("expected", "heard", "errors"),
    [
        ("a b c", "a b c", 0),
        ("a b c", "a x c", 1),
        ("a b c", "a c", 1),
        ("a b c", "a b b c", 1),
        ("a b c", "", 3),
        ("", "a", 1),
        ("the quick brown fox", "quick brown fox jumps", 2),
    ],
)
def test_wrong_missing_and_added_words_are_counted(expected: str, heard: str, errors: int) -> None:
    assert word_errors(expected.split(), heard.split()) == errors
