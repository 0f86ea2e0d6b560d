"""A hub of its own for each test, on SQLite; on PostgreSQL too where CROSSDOCK_TEST_POSTGRES names a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crossdock.hub.boot import Hub, booted


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / ".crossdock"


@pytest.fixture
def hub(state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.delenv("CROSSDOCK_DATABASE_URL", raising=False)
    with booted(state) as hub:
        yield hub
