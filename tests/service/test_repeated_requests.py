"""The same request sent again and again under one key, while the whole service works on it."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor

from tests.served import Form
from transcription.management.benchmarks.common import Measured, sample_speech, write_wav


def test_many_at_once_wait_for_one_engine_run_and_get_its_text(fake_service: Measured) -> None:
    content = write_wav(sample_speech())
    form = Form.of_size(0)
    body = form.head + content + form.tail

    def post(number: int) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection(
            fake_service.service.url.removeprefix("http://"), timeout=120
        )
        try:
            connection.request(
                "POST",
                "/api/v1/transcribe",
                body=body,
                headers={
                    "Authorization": fake_service.client.authorization,
                    "Content-Type": form.content_type,
                    "Idempotency-Key": "meeting-7",
                },
            )
            response = connection.getresponse()
            data = json.loads(response.read())["data"]
            return response.status, data["id"], data["text"]
        finally:
            connection.close()

    def jobs() -> int:
        return len(fake_service.client.get("/api/v1/transcriptions/?page_size=100").body["results"])

    before = jobs()
    with ThreadPoolExecutor(6) as pool:
        answers = set(pool.map(post, range(6)))
    late = post(6)

    assert len(answers) == 1
    assert late in answers
    assert late[0] == 200
    assert late[2]
    assert jobs() == before + 1
    detail = fake_service.client.get(f"/api/v1/transcriptions/{late[1]}/").body
    assert detail["status"] == "completed"
