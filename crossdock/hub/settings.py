"""Django's settings, from environment variables: CROSSDOCK_STATE (folder), CROSSDOCK_DATABASE_URL; and for the screens
CROSSDOCK_HOSTS (names they answer to, with commas), CROSSDOCK_URL (where people reach them) and CROSSDOCK_CONFIG."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from crossdock.core.errors import ConfigError


def database_of(state: Path, url: str) -> dict[str, Any]:
    """Django's DATABASES entry: PostgreSQL by URL, else SQLite in the state folder. Errors: ConfigError."""
    return _postgresql(url) if url else _sqlite(state / "hub.sqlite3")


def databases_of(state: Path, url: str) -> dict[str, dict[str, Any]]:
    """`default`, and a second way to the same database for what may be lost but must never wait: progress."""
    default = database_of(state, url)
    hasty = {"timeout": 0, "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"}
    if default["ENGINE"].endswith("postgresql"):
        limits = "-c lock_timeout=100 -c statement_timeout=1000"
        hasty = {"options": f"{default['OPTIONS'].get('options', '')} {limits}".strip(), "connect_timeout": 2}
    return {"default": default, PROGRESS: {**default, "OPTIONS": {**default["OPTIONS"], **hasty}}}


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


PROGRESS = "progress"
STATE = Path(os.environ.get("CROSSDOCK_STATE", ".crossdock")).absolute()
DATABASES = databases_of(STATE, os.environ.get("CROSSDOCK_DATABASE_URL", ""))
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"

# What every command needs, and what only the screens do: the difference is 0.1 s of start-up (hub/boot.py).
COMMAND_APPS = ["crossdock.hub.runs"]
EVERYTHING = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "crossdock.hub.accounts",
    *COMMAND_APPS,
]
INSTALLED_APPS = EVERYTHING

# -- the screens -----------------------------------------------------------------------------------------------------

URL = os.environ.get("CROSSDOCK_URL", "")
CONFIG = os.environ.get("CROSSDOCK_CONFIG", "crossdock.toml")
ROOT_URLCONF = "crossdock.hub.urls"
ALLOWED_HOSTS = [name for name in os.environ.get("CROSSDOCK_HOSTS", "").split(",") if name]
MIDDLEWARE = [
    "crossdock.hub.web.Headers",
    "django.middleware.security.SecurityMiddleware",
    "crossdock.hub.web.Told",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "crossdock.hub.gate.Gate",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).with_name("templates")],
        "OPTIONS": {
            "context_processors": ["django.template.context_processors.request", "crossdock.hub.web.page"],
            "builtins": ["crossdock.hub.tags"],
        },
    }
]

AUTH_USER_MODEL = "accounts.Account"
LOGIN_URL = "sign-in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]

_SECURE = URL.startswith("https://")
# Browsers share cookies between the ports of a host: two projects on one machine must not sign each other out.
_MARK = hashlib.sha256(str(STATE).encode()).hexdigest()[:8]
SESSION_COOKIE_NAME = f"{'__Host-' if _SECURE else ''}crossdock-{_MARK}"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _SECURE
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = f"{SESSION_COOKIE_NAME}-form"
CSRF_TRUSTED_ORIGINS = [URL] if URL else []
CSRF_FAILURE_VIEW = "crossdock.hub.web.stale_form"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _SECURE else None
SECURE_HSTS_SECONDS = 30 * 86400 if _SECURE else 0
SECURE_REFERRER_POLICY = "same-origin"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "loggers": {
        "django": {"handlers": ["stderr"], "level": "ERROR", "propagate": False},
        # Whoever calls us by a wrong name would fill the log.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 100_000
