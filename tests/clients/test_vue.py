"""The clients for front ends: their own checks, and that they are what the API is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.clients.npm import ROOT, VUE, npm
from transcription.api.schema.refusals import OUTCOMES
from transcription.services.errors import ERRORS

CLIENTS = ROOT / "clients"
#: Every file that a page of the docs shows, word for word.
SHOWN = ["react/useTranscription.ts", "react/Uploader.tsx", "plain/index.html"]
DOCS = [ROOT / "docs" / name for name in ("front-ends.md", "front-ends.zh-CN.md")]


@pytest.mark.slow  # `make client` does the same; continuous integration runs that
def test_types_tests_and_builds_are_as_they_should_be() -> None:
    npm("run", "check")
    assert (VUE / "dist" / "index.js").is_file()
    assert (VUE / "dist" / "types" / "schema.d.ts").is_file()
    assert (VUE / "example" / "dist" / "index.html").is_file()


def test_the_types_are_those_of_the_present_api(tmp_path: Path) -> None:
    description, types = tmp_path / "openapi.json", tmp_path / "schema.d.ts"
    call_command("spectacular", format="openapi-json", file=str(description))
    generate = json.loads((VUE / "package.json").read_text())["scripts"]["generate"]
    command, given, *options, out, written = generate.split()
    assert (given, out, written) == ("openapi.json", "-o", "src/schema.d.ts")
    npm("exec", "--", command, str(description), *options, "-o", str(types))

    assert types.read_text() == (VUE / "src" / "schema.d.ts").read_text(), (
        "The API has changed: run `make client-types` and see to it that clients/ still fit."
    )


def test_every_package_has_one_version_and_no_registry_of_its_own() -> None:
    package = json.loads((VUE / "package.json").read_text())
    versions = {**package["dependencies"], **package["devDependencies"]}
    assert [
        name for name, version in versions.items() if not re.fullmatch(r"[\d.]+", version)
    ] == []
    lock = json.loads((VUE / "package-lock.json").read_text())
    addresses = [one["resolved"] for one in lock["packages"].values() if "resolved" in one]
    assert [one for one in addresses if not one.startswith("https://registry.npmjs.org/")] == []
    without = [name for name, one in lock["packages"].items() if name and "integrity" not in one]
    assert without == []


@pytest.mark.parametrize("path", ["vue/src/core/errors.ts", "plain/index.html"])
def test_the_errors_that_are_about_the_recording_are_those_of_the_service(path: str) -> None:
    text = (CLIENTS / path).read_text(encoding="utf-8")
    found = re.search(r"FORMAT\w*(?:: ReadonlySet<string>)? = new Set\(\[([^\]]*)\]", text)
    assert found is not None
    named = set(re.findall(r"'(\w+)'", found[1]))
    about_recordings = {code for code in OUTCOMES if ERRORS[code].number // 1000 == 3}
    assert named == about_recordings | {"empty_file", "body_too_large"}


@pytest.mark.parametrize("page", DOCS, ids=lambda path: path.name)
@pytest.mark.parametrize("name", SHOWN)
def test_the_docs_show_what_is_tested(page: Path, name: str) -> None:
    assert (CLIENTS / name).read_text(encoding="utf-8") in page.read_text(encoding="utf-8")
