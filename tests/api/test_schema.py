"""The description of the API: whole, true to the routes, and there without the internet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, get_resolver

SCHEMA_URL = "/api/v1/schema/"
METHODS = {"get", "post", "put", "patch", "delete"}
#: Below these nothing is for programs, or it is the description itself.
NOT_DESCRIBED = re.compile(
    r"api/v1/(schema|docs|auth)/|api/v1/$|admin/(?!reload)|accounts?/"
    r"|metrics$|$|(history|transcriptions|samples|i18n)/|favicon"
)


@pytest.fixture(scope="module")
def schema() -> Any:
    response = Client().get(SCHEMA_URL)
    assert response.status_code == 200
    return response.json()


def operations(schema: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_the_description_is_valid_and_nothing_in_it_is_guessed(capsys: Any) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True)
    assert "openapi: 3." in capsys.readouterr().out


def test_every_route_for_programs_is_described_once(schema: Any) -> None:
    routes = {re.sub(r"\(\?P<\w+>.*?\)(?=/|$)|<[\w:]+>", "{}", one) for one in patterns()}
    wanted = {f"/{one.rstrip('/')}" for one in routes if not NOT_DESCRIBED.match(one)}
    described = [re.sub(r"{\w+}", "{}", path).rstrip("/") for path in schema["paths"]]

    assert sorted(described) == sorted(wanted)


def patterns(resolver: Any = None, before: str = "") -> Iterator[str]:
    for one in (resolver or get_resolver()).url_patterns:
        path = before + re.sub(r"^\^|\\Z$|\$$", "", str(one.pattern))
        if isinstance(one, URLPattern):
            yield path
        elif getattr(one, "app_name", "") != "admin":
            yield from patterns(one, path)


@pytest.mark.parametrize(
    ("path", "method", "shape"),
    [
        ("/api/v1/transcribe", "post", "EnvelopeError"),
        ("/v1/audio/transcriptions", "post", "OpenAIError"),
        ("/api/v1/transcriptions/", "post", "Error"),
        ("/admin/reload-model", "post", "Error"),
    ],
)
def test_errors_have_the_shape_of_their_route(
    schema: Any, path: str, method: str, shape: str
) -> None:
    responses = schema["paths"][path][method]["responses"]
    refused = {status: one for status, one in responses.items() if int(status) >= 400}

    assert {"400", "401", "403", "413", "415", "429", "500", "503"} <= refused.keys()
    for one in refused.values():
        content = one["content"]["application/json"]["schema"]
        assert content == {"$ref": f"#/components/schemas/{shape}"}


def test_every_answer_has_its_headers(schema: Any) -> None:
    for path, method, operation in operations(schema):
        for status, response in operation["responses"].items():
            assert "X-Request-ID" in response["headers"], (path, method, status)
        if path.startswith("/health"):
            continue  # probes are never refused
        assert "Retry-After" in operation["responses"]["429"]["headers"], path


def test_what_takes_a_recording_takes_a_key_of_its_own(schema: Any) -> None:
    taking = {
        path
        for path, _, operation in operations(schema)
        if "multipart/form-data" in operation.get("requestBody", {}).get("content", {})
        and any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", []))
    }

    assert taking == {"/api/v1/transcribe", "/api/v1/transcriptions/", "/v1/audio/transcriptions"}


def test_a_browser_token_is_said_to_send_and_read_and_nothing_else(schema: Any) -> None:
    allowed = {
        (method, path)
        for path, method, operation in operations(schema)
        if {"browserToken": []} in operation["security"]
    }

    assert ("post", "/api/v1/transcriptions/") in allowed
    assert ("get", "/api/v1/transcriptions/{id}/") in allowed
    assert not {("delete", "/api/v1/transcriptions/{id}/"), ("get", "/api/v1/tokens/")} & allowed
    assert {method for method, _ in allowed} == {"get", "post"}


def test_the_page_to_try_calls_on_takes_nothing_from_elsewhere(client: Client) -> None:
    page = client.get("/api/v1/docs/")
    text = page.content.decode()
    sources = re.findall(r"""(?:src|href)=["']([^"']+)""", text)

    assert page.status_code == 200
    # Its script is a file of its own, as the policy of our pages wants it.
    [script] = [one for one in sources if one.startswith("/api/v1/docs/")]
    assert SCHEMA_URL in client.get(script).content.decode()
    assert len(sources) >= 3
    assert [one for one in sources if one != script and not one.startswith("/static/")] == []
    assert "//cdn" not in text
    assert "//unpkg" not in text


def test_the_description_is_made_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first = client.get(SCHEMA_URL).content
    monkeypatch.setattr("drf_spectacular.generators.SchemaGenerator.parse", None)

    assert client.get(SCHEMA_URL).content == first
