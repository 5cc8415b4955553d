"""One line and one id for every request."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import AsyncClient, Client

from asr_project.json_logs import json_formatter
from tests.served import Served


def lines_of(caplog: Any) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "ASRBackend"]


@pytest.fixture(autouse=True)
def hear_everything(caplog: Any) -> None:
    caplog.set_level(logging.INFO, logger="ASRBackend")


def test_the_line_is_the_handbooks(db: None, caplog: Any) -> None:
    Client().get("/health")

    assert len(lines_of(caplog)) == 1
    assert re.fullmatch(r"GET /health 200 \d+\.\d\ds", lines_of(caplog)[0])


@pytest.mark.django_db
def test_views_of_both_kinds_have_it_under_asgi(caplog: Any) -> None:
    from asgiref.sync import async_to_sync

    async def visit() -> list[str]:
        return [
            (await AsyncClient().get(path)).headers["X-Request-ID"]
            for path in ("/health", "/api/v1/transcribe", "/static/admin/css/base.css")
        ]

    ids = async_to_sync(visit)()

    assert [line.rsplit(" ", 1)[0] for line in lines_of(caplog)] == [
        "GET /health 200",
        "GET /api/v1/transcribe 405",
        "GET /static/admin/css/base.css 200",
    ]
    assert len(set(ids)) == 3


def test_a_callers_own_id_is_kept(db: None) -> None:
    response = Client().get("/health", headers={"X-Request-ID": "order-7.retry_2"})

    assert response.headers["X-Request-ID"] == "order-7.retry_2"


@pytest.mark.parametrize("offered", ["", "a b", "x" * 65, "a\tb", "<script>"])
def test_an_id_that_would_not_do_in_a_log_is_replaced(db: None, offered: str) -> None:
    response = Client().get("/health", headers={"X-Request-ID": offered})

    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["X-Request-ID"])


def test_nothing_of_a_query_and_no_line_break_gets_into_the_log(db: None, caplog: Any) -> None:
    Client().get("/nothing%0A2026-01-01 forged", {"token": "secret"})

    assert "secret" not in caplog.text
    assert [line.partition(" 404 ")[0] for line in lines_of(caplog)] == [
        "GET /nothing%0A2026-01-01%20forged"
    ]


def test_the_file_of_the_log_has_time_logger_level_line_and_id(
    serve: Callable[..., Served],
) -> None:
    served = serve(ASR_TIME_ZONE="UTC")

    served.request("GET", "/health", headers={"X-Request-ID": "probe-1"})

    written = (served.data_dir / "logs" / "web.log").read_text(encoding="utf-8")
    assert re.search(
        r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - ASRBackend - INFO - "
        r"GET /health 200 \d+\.\d\ds \[probe-1\]$",
        written,
        re.MULTILINE,
    )


def test_a_link_to_a_new_password_is_in_no_line(db: None, caplog: Any) -> None:
    token = "dimtts-9f9c0b1e2d3c4b5a69788796a5b4c3d2"

    Client().get(f"/accounts/password-reset/Mg/{token}/")

    [record] = [record for record in caplog.records if record.name == "ASRBackend"]
    assert record.getMessage().startswith("GET /accounts/password-reset/Mg/…/ ")
    assert token not in record.getMessage() + record.__dict__["path"]


# --- for programs


def test_with_json_every_line_of_a_process_is_an_object_with_the_id_of_its_request(
    serve: Callable[..., Served],
) -> None:
    served = serve(ASR_LOG_FORMAT="json")
    served.request("GET", "/health?secret=1", headers={"X-Request-ID": "order-7"})
    served.request("GET", "/no-such-page")
    served.stop()

    lines = [json.loads(line) for line in served.log.splitlines()]
    [mine] = [line for line in lines if line.get("request_id") == "order-7"]
    assert list(mine)[:4] == ["timestamp", "level", "logger", "event"]
    assert datetime.fromisoformat(mine["timestamp"]).utcoffset() == timedelta(0)
    assert mine["event"].startswith("GET /health 200 ")
    assert (mine["method"], mine["path"], mine["status"]) == ("GET", "/health", 200)
    assert isinstance(mine["seconds"], float)
    assert "secret" not in served.log
    in_the_file = (served.data_dir / "logs" / "web.log").read_text(encoding="utf-8")
    assert [json.loads(line) for line in in_the_file.splitlines()] == lines


def test_a_failure_is_one_object_with_its_traceback() -> None:
    formatter = json_formatter()
    try:
        raise ValueError("坏了\nindeed")
    except ValueError:
        record = logging.getLogger("x").makeRecord(
            "x", logging.ERROR, __file__, 1, "It %s", ("broke",), sys.exc_info()
        )
    line = formatter.format(record)
    assert "\n" not in line
    assert "坏了" in line
    told = json.loads(line)
    assert (told["level"], told["event"]) == ("error", "It broke")
    assert told["exception"].startswith("Traceback")
    assert "request_id" not in told
