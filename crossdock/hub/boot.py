"""Starts Django for a command or a worker. Importing this module is cheap: `crossdock --help` needs no Django."""
# ruff: noqa: PLC0415 - Django's models can be imported only after settings are set, and Django costs 0.2 s of start-up

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from crossdock.core.errors import AccessError, ConfigError
from crossdock.core.secrets import Masked

if TYPE_CHECKING:
    from crossdock.core.evidence import Finding, Json, Receipt
    from crossdock.core.ports import Progress
    from crossdock.hub.accounts.actions import AccountView
    from crossdock.hub.accounts.rules import Role
    from crossdock.hub.runs.actions import RunJournal, RunView
    from crossdock.hub.runs.rules import Chain


class Hub(Protocol):
    """What a booted hub offers to commands: crossdock.hub.runs.actions, word for word."""

    def open_run(self, kind: str, *, subject: str = "", plan_digest: str = "") -> RunJournal: ...

    def close_run(self, journal: RunJournal, *, failed: bool = False) -> None: ...

    def running(self, kind: str, *, subject: str = "", plan_digest: str = "") -> AbstractContextManager[RunJournal]: ...

    def note(self, kind: str, step: str, subject: str, data: Json) -> Receipt: ...

    def watched(self, journal: RunJournal, progress: Progress) -> Progress: ...

    def runs(self) -> list[RunView]: ...

    def receipts_of(self, steps: Collection[str]) -> list[Receipt]: ...

    def findings(self, step: str = "", *, subject: str | None = None) -> list[Finding]: ...

    def told(self) -> list[tuple[str, str, Finding]]: ...

    def chain(self, expected_head: str = "") -> Chain: ...


class People(Protocol):
    """What a booted hub offers about accounts: crossdock.hub.accounts.actions, word for word."""

    def add(self, email: str, role: Role, password: Masked, name: str = "") -> None: ...

    def give_password(self, email: str, password: Masked) -> None: ...

    def remove(self, email: str) -> None: ...

    def accounts(self) -> list[AccountView]: ...

    def generated_password(self) -> Masked: ...


def boot(state: Path, *, screens: bool = False) -> Hub:
    """Sets Django up on the state folder, brings its database up to date and returns the hub's actions.

    `screens`: with what only the screens need, accounts too. May be called again, also for another folder, and for
    screens after a call without. Errors: ConfigError (bad URL), AccessError (the folder or the database can't be used),
    LockedError (another process keeps updating it).
    """
    state = Path(state).absolute()
    with _usable(state):
        _prepare(state)
    os.environ["CROSSDOCK_STATE"] = str(state)
    os.environ["DJANGO_SETTINGS_MODULE"] = "crossdock.hub.settings"
    _set_up(screens)
    _point_at(state)
    from crossdock.hub.runs import actions, locks

    with _usable(state), _reachable(state), locks.waiting(state, "migrate"):
        _migrate()
    return actions


def _set_up(screens: bool) -> None:
    import django
    from django.apps import apps
    from django.conf import settings

    wanted = settings.EVERYTHING if screens else settings.COMMAND_APPS
    if not apps.ready:
        settings.INSTALLED_APPS = wanted
        django.setup()
    elif len(wanted) > len(settings.INSTALLED_APPS):
        settings.INSTALLED_APPS = wanted
        apps.set_installed_apps(wanted)


@contextmanager
def _usable(state: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        way_out = "let this account write there, or name another folder: [project] state in crossdock.toml"
        raise AccessError(
            f"the state folder can't be used: {error.strerror}", where=str(state), way_out=way_out
        ) from error


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

    from crossdock.hub.settings import databases_of

    wanted = databases_of(state, os.environ.get("CROSSDOCK_DATABASE_URL", ""))
    if settings.DATABASES["default"]["NAME"] == wanted["default"]["NAME"] and state == settings.STATE:
        return
    connections.close_all()
    settings.STATE = state
    settings.DATABASES = wanted
    connections.settings = connections.configure_settings(settings.DATABASES)
    for alias in wanted:
        with suppress(AttributeError):  # one that nobody has used yet
            del connections[alias]


def _migrate() -> None:
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", verbosity=0, interactive=False)


def boot_screens(state: Path) -> Hub:
    """As `boot` with `screens`, and with the key that sessions are signed with."""
    hub = boot(state, screens=True)
    from django.conf import settings

    settings.SECRET_KEY = _secret_key(Path(state).absolute())
    return hub


def _secret_key(state: Path) -> Masked:
    """Made once, kept in the state folder, read by nobody else."""
    path = state / "secret-key"
    with _usable(state):
        if not path.exists():
            fresh = state / f"secret-key.{os.getpid()}"
            file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.write(file, secrets.token_urlsafe(48).encode())
            os.close(file)
            with suppress(FileExistsError):
                os.link(fresh, path)  # of two servers that start at once the second takes the first one's
            fresh.unlink()
        key = Masked(path.read_text(encoding="ascii").strip())
    if len(key) < 32:
        way_out = "remove it: a new one is made, and everybody signs in again"
        raise ConfigError("is too short to be a key", where=str(path), way_out=way_out)
    return key


@contextmanager
def booted(state: Path) -> Iterator[Hub]:
    """As `boot`, and closes the database connections at the end."""
    from django.db import connections

    try:
        yield boot(state)
    finally:
        connections.close_all()


@contextmanager
def booted_people(state: Path) -> Iterator[People]:
    """As `booted`, with the hub's accounts."""
    from django.db import connections

    try:
        boot(state, screens=True)
        from crossdock.hub.accounts import actions

        yield actions
    finally:
        connections.close_all()
