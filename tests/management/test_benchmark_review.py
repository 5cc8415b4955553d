"""``manage.py benchmark review`` where there is nothing to open a page with."""

from __future__ import annotations

import sys

import pytest
from django.core.management import CommandError, call_command

from transcription.management.benchmarks import review_page


def test_it_says_which_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(CommandError, match=r"requirements-dev\.txt"):
        call_command("benchmark", "review")


def test_it_says_that_there_is_no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_page.shutil, "which", lambda name: None)
    with pytest.raises(CommandError, match="apt-get install chromium"):
        call_command("benchmark", "review")
