"""A hub of its own for each test, on SQLite; on PostgreSQL too where CROSSDOCK_TEST_POSTGRES names a server."""

from __future__ import annotations

import shutil
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


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filled project with its state folder, to be copied: migrations take a second."""
    folder = tmp_path_factory.mktemp("filled")
    write_project(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CROSSDOCK_DATABASE_URL", raising=False)
        hub = boot_screens(folder / ".crossdock")
        fill(hub, folder / ".crossdock")
        close_connections()
    return folder


@pytest.fixture
def screens(filled: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub whose screens can be asked by Django's test client, on a filled project."""
    monkeypatch.delenv("CROSSDOCK_DATABASE_URL", raising=False)
    shutil.copytree(filled, state.parent, dirs_exist_ok=True)
    hub = boot_screens(state)
    from django.test import override_settings  # noqa: PLC0415 - Django is set up by the boot

    quick = ["screens.QuickHasher"]
    config = str(state.parent / "crossdock.toml")
    with override_settings(CONFIG=config, ALLOWED_HOSTS=["testserver"], PASSWORD_HASHERS=quick):
        yield hub
    close_connections()


def close_connections() -> None:
    from django.db import connections  # noqa: PLC0415 - Django is set up by now

    connections.close_all()
