"""Whoever looks after the service, in the admin."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root")


@pytest.fixture
def staff(root: User) -> Client:
    browser = Client()
    browser.force_login(root)
    return browser
