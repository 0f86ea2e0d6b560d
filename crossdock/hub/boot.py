"""Starts Django for a command or a worker. Importing this module is cheap: `crossdock --help` needs no Django."""
# ruff: noqa: PLC0415 - Django's models can be imported only after settings are set, and Django costs 0.2 s of start-up

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from crossdock.core.errors import AccessError
from crossdock.core.evidence import Finding

if TYPE_CHECKING:
    from crossdock.hub.runs.actions import RunJournal, RunView
    from crossdock.hub.runs.rules import Chain


class Hub(Protocol):
    """What a booted hub offers to commands: crossdock.hub.runs.actions, word for word."""

    def open_run(self, kind: str, *, subject: str = "", plan_digest: str = "") -> RunJournal: ...

    def close_run(self, journal: RunJournal, *, failed: bool = False) -> None: ...

    def running(self, kind: str, *, subject: str = "", plan_digest: str = "") -> AbstractContextManager[RunJournal]: ...

    def runs(self) -> list[RunView]: ...

    def findings(self, step: str = "", *, subject: str | None = None) -> list[Finding]: ...

    def told(self) -> list[tuple[str, str, Finding]]: ...

    def chain(self, expected_head: str = "") -> Chain: ...


def boot(state: Path) -> Hub:
    """Sets Django up on the state folder, brings its database up to date and returns the hub's actions.

    May be called again, also for another folder. Errors: ConfigError (bad URL), AccessError (the database can't be
    used), LockedError (another process keeps updating it).
    """
    state = Path(state).absolute()
    _prepare(state)
    os.environ["CROSSDOCK_STATE"] = str(state)
    os.environ["DJANGO_SETTINGS_MODULE"] = "crossdock.hub.settings"
    import django

    django.setup()
    _point_at(state)
    from crossdock.hub.runs import actions, locks

    with _reachable(state), locks.waiting(state, "migrate"):
        _migrate()
    return actions


@contextmanager
def _reachable(state: Path) -> Iterator[None]:
    from django.db import Error, connection

    try:
        yield
    except Error as error:
        where = str(state / "hub.sqlite3") if connection.vendor == "sqlite" else "CROSSDOCK_DATABASE_URL"
        way_out = "check that the database is there, whole and writable by this account"
        raise AccessError(f"the hub's database can't be used: {error}".strip(), where=where, way_out=way_out) from error


def _prepare(state: Path) -> None:
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    ignore = state / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")


def _point_at(state: Path) -> None:
    from django.conf import settings
    from django.db import connections

    from crossdock.hub.settings import database_of

    wanted = database_of(state, os.environ.get("CROSSDOCK_DATABASE_URL", ""))
    if settings.DATABASES["default"]["NAME"] == wanted["NAME"] and state == settings.STATE:
        return
    connections.close_all()
    settings.STATE = state
    settings.DATABASES = {"default": wanted}
    connections.settings = connections.configure_settings(settings.DATABASES)
    del connections["default"]


def _migrate() -> None:
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", verbosity=0, interactive=False)


@contextmanager
def booted(state: Path) -> Iterator[Hub]:
    """As `boot`, and closes the database connections at the end."""
    from django.db import connections

    try:
        yield boot(state)
    finally:
        connections.close_all()
