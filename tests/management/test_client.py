"""The small client of commands and tests."""

from __future__ import annotations

import email
import email.policy
import socket

import pytest

from transcription.management.client import Client, NoAnswerError, multipart


def test_a_form_carries_its_fields_and_the_file_byte_for_byte() -> None:
    content = bytes(range(256)) * 3
    body = multipart("limit", 'a "b"\r\nc.wav', content, {"prompt": "Ärger, 语音"})
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
