"""Seals small files for a key of the project: whoever may read a repository alone still sees no credentials."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken

from crossdock.core.errors import ConfigError
from crossdock.core.secrets import Masked


def make_key() -> str:
    """A new key, as text of one line."""
    return Fernet.generate_key().decode("ascii")


def seal(content: bytes, key: Masked) -> bytes:
    """Encrypted and authenticated (Fernet: AES-128-CBC, HMAC-SHA256). Errors: ConfigError for a text that is no key."""
    return _box(key).encrypt(content)


def unseal(sealed: bytes, key: Masked) -> bytes:
    """Errors: ConfigError when the key does not fit, or the content was altered."""
    try:
        return _box(key).decrypt(sealed)
    except InvalidToken:
        way_out = "give the key with which it was sealed: [backup] seal_key, or the file in the state folder"
        raise ConfigError("the seal does not open with this key, or its content was altered", way_out=way_out) from None


def _box(key: Masked) -> Fernet:
    try:
        return Fernet(key.encode("ascii"))
    except (ValueError, UnicodeError):
        raise ConfigError(
            "this is no key for seals", way_out="32 bytes in URL-safe base64, as Crossdock makes them"
        ) from None
