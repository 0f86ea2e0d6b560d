"""References to secrets. The value is read where it is used and never kept, printed or logged."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from crossdock.core.errors import ConfigError


@dataclass(frozen=True)
class SecretRef:
    """`env:NAME` (environment variable) or `file:PATH` (first line of a file, 0600)."""

    reference: str

    def __post_init__(self) -> None:
        scheme, _, name = self.reference.partition(":")
        if scheme not in ("env", "file") or not name:
            raise ValueError("a secret is a reference, env:NAME or file:PATH, never the value itself")

    def reveal(self) -> str:
        """The secret's value. Errors: ConfigError naming the reference, never the value."""
        scheme, _, name = self.reference.partition(":")
        if scheme == "env":
            value = os.environ.get(name)
            if value is None:
                raise ConfigError(f"environment variable {name} is not set", way_out=f"export {name}=...")
            return value
        path = Path(name).expanduser()
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            way_out = "put the secret on its first line, 0600, or name another file in crossdock.toml"
            what = f"secret file can't be read: {error.strerror}"
            raise ConfigError(what, where=str(path), way_out=way_out) from error
        if not text.strip():
            raise ConfigError("secret file is empty", where=str(path), way_out="put the secret on its first line")
        return text.splitlines()[0]


class Masked(str):
    """A revealed secret on its way to an edge: prints as ••••, compares and encodes as itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'••••'"
