"""A hub of its own for each test, on SQLite; on PostgreSQL too where CROSSDOCK_TEST_POSTGRES names a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from screens import fill, write_project

from crossdock.hub.boot import Hub, boot_screens, booted


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / ".crossdock"


@pytest.fixture
def hub(state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.delenv("CROSSDOCK_DATABASE_URL", raising=False)
    with booted(state) as hub:
        yield hub


@pytest.fixture
def screens(state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub whose screens can be asked by Django's test client, on a filled project."""
    monkeypatch.delenv("CROSSDOCK_DATABASE_URL", raising=False)
    hub = boot_screens(state)
    from django.conf import settings  # noqa: PLC0415 - settings need the boot
    from django.db import connections  # noqa: PLC0415
    from django.test import override_settings  # noqa: PLC0415

    config = write_project(state.parent)
    fill(hub, state)
    quick = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(
        CONFIG=str(config), ALLOWED_HOSTS=["testserver"], PASSWORD_HASHERS=quick, STATE=settings.STATE
    ):
        yield hub
    connections.close_all()
