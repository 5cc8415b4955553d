"""Signatures of webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from transcription.delivery.signing import new_secret, signed_headers

NOW = datetime(2026, 11, 25, 12, 0, 0, 999_000, tzinfo=UTC)


def test_a_signature_is_the_hmac_that_the_standard_describes() -> None:
    secret = new_secret()

    headers = signed_headers("msg_1", '{"text":"你好"}', [secret], now=NOW)

    assert headers["webhook-id"] == "msg_1"
    assert headers["webhook-timestamp"] == "1795608000"
    signed = 'msg_1.1795608000.{"text":"你好"}'.encode()
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_the_standards_own_library_accepts_it_and_nothing_else() -> None:
    secret, body = new_secret(), '{"type":"transcription.completed"}'
    headers = signed_headers("msg_1", body, [secret], now=datetime.now(UTC))

    assert Webhook(secret).verify(body, headers) == {"type": "transcription.completed"}
    for wrong in (body + " ", body.replace("completed", "failed")):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(wrong, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers)


def test_while_a_secret_is_changed_both_are_good() -> None:
    old, new = new_secret(), new_secret()
    headers = signed_headers("msg_1", "{}", [new, old], now=datetime.now(UTC))
    for secret in (old, new):
        Webhook(secret).verify("{}", headers)


def test_no_two_secrets_are_alike_and_each_has_256_bits() -> None:
    secrets = {new_secret() for _ in range(10)}
    assert len(secrets) == 10
    assert {len(base64.b64decode(one.removeprefix("whsec_"))) for one in secrets} == {32}
