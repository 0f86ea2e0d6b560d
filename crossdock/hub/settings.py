"""Django's settings, all from two environment variables: CROSSDOCK_STATE (folder) and CROSSDOCK_DATABASE_URL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from crossdock.core.errors import ConfigError


def database_of(state: Path, url: str) -> dict[str, Any]:
    """Django's DATABASES entry: PostgreSQL by URL, else SQLite in the state folder. Errors: ConfigError."""
    return _postgresql(url) if url else _sqlite(state / "hub.sqlite3")


def _sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": {
            # A writer takes its lock when the transaction begins, so that two can't both read the chain's end.
            "transaction_mode": "IMMEDIATE",
            # FULL: a receipt that was returned survives a power cut.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            "timeout": 30,
        },
    }


def _postgresql(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    name = unquote(parts.path.lstrip("/"))
    if parts.scheme not in ("postgresql", "postgres") or not name:
        # The URL may hold a password: it is never repeated.
        way_out = "write postgresql://user:password@host:5432/name, or unset it to use SQLite"
        raise ConfigError("is not a PostgreSQL URL", where="CROSSDOCK_DATABASE_URL", way_out=way_out)
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", "") or parts.hostname or "",
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
    }


STATE = Path(os.environ.get("CROSSDOCK_STATE", ".crossdock")).absolute()
DATABASES = {"default": database_of(STATE, os.environ.get("CROSSDOCK_DATABASE_URL", ""))}
INSTALLED_APPS = ["crossdock.hub.runs"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
