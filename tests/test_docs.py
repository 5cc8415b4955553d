"""What the documentation says is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from transcription.services.errors import ERRORS

BASE_DIR = Path(__file__).resolve().parent.parent


def test_the_tables_of_settings_and_errors_are_those_of_the_code() -> None:
    call_command("write_docs", check=True)


def test_an_outdated_table_is_noticed(settings, tmp_path) -> None:
    for name in ("README.md", "README.zh-CN.md"):
        text = (BASE_DIR / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("ASR_DATA_DIR", "ASR_OLD"), encoding="utf-8")
    settings.BASE_DIR = tmp_path
    with pytest.raises(CommandError, match=r"README\.md"):
        call_command("write_docs", check=True)


def test_error_codes_and_numbers_are_unique_and_never_zero() -> None:
    numbers = [kind.number for kind in ERRORS.values()]
    assert len(set(numbers)) == len(numbers)
    assert 0 not in numbers


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_every_make_target_and_command_that_a_readme_names_exists(name: str) -> None:
    text = (BASE_DIR / name).read_text(encoding="utf-8")
    makefile = (BASE_DIR / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= targets
    commands = {
        path.stem for path in (BASE_DIR / "transcription/management/commands").glob("*.py")
    } | {"createsuperuser"}
    assert set(re.findall(r"manage\.py ([a-z_]+)", text)) <= commands


PAGES = [
    *BASE_DIR.glob("*.md"),
    *(BASE_DIR / "docs").glob("*.md"),
    *BASE_DIR.glob("clients/*/*.md"),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(BASE_DIR)))
def test_links_and_pictures_within_the_repository_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    within = [link for link in links if "://" not in link]
    assert [link for link in within if not (page.parent / link).exists()] == []


CHINESE = [page for page in PAGES if page.name.endswith(".zh-CN.md")]


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: str(page.relative_to(BASE_DIR)))
def test_a_chinese_page_leads_to_chinese_pages_and_to_its_own_in_english(page: Path) -> None:
    own = page.with_name(page.name.replace(".zh-CN", ""))
    assert own.exists()
    links = re.findall(r"\]\(([^)#\s]+\.md)", page.read_text(encoding="utf-8"))
    within = [page.parent / link for link in links if "://" not in link]
    assert own.resolve() in [link.resolve() for link in within]
    elsewhere = [link for link in within if link.resolve() != own.resolve()]
    assert [link for link in elsewhere if link.with_name(f"{link.stem}.zh-CN.md").exists()] == []


@pytest.mark.parametrize("name", ["reviewing.md", "reviewing.zh-CN.md"])
def test_every_key_of_the_reviewing_page_is_written_down(name: str) -> None:
    script = BASE_DIR / "transcription/static/transcription/review/keys.js"
    text = script.read_text(encoding="utf-8")
    keys = [f"Alt+{key}" for key in re.findall(r'^  \["\w+", "\w+", "(.)"\],$', text, re.M)]
    keys += re.findall(r'label: "([^"]+)"', text)
    page = (BASE_DIR / "docs" / name).read_text(encoding="utf-8")
    assert len(keys) > 25
    assert [key for key in keys if key not in page] == []
