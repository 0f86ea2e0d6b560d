"""Facts about files, as a server tells them. Names are bytes, never decoded: two that look alike are two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

FILE, FOLDER, LINK = "f", "d", "l"
#: What a transfer in progress keeps its unfinished files in. No listing shows it.
PARTIAL = ".crossdock-partial"


class Entry(NamedTuple):
    """One name in a folder. `kind`: FILE, FOLDER, LINK, or another letter for what is none of them (socket, device).

    `mode` holds the permission bits, set-user-ID and the like included; `size` is bytes. `mtime` and `ctime` are the
    server's own words (seconds, with fractions where it has them): equal words mean that nobody has written since.
    """

    kind: str
    mode: int
    size: int
    mtime: str
    ctime: str
    link: bytes = b""

    @property
    def stamp(self) -> str:
        """The same stamp of the same name means the same content."""
        return f"{self.size} {self.mtime} {self.ctime}"

    @property
    def mtime_seconds(self) -> int:
        return int(self.mtime.partition(".")[0] or 0)


@dataclass(frozen=True)
class Listing:
    """All that is below one folder, by name relative to it; `unreadable` counts folders that the account may not
    read."""

    entries: dict[bytes, Entry]
    unreadable: int = 0


class Known(NamedTuple):
    """A file's SHA-256, and the stamp it had when it was read."""

    stamp: str
    sha256: str


def sane_mode(mode: int) -> int:
    """The permission bits that are carried: no set-user-ID, no set-group-ID, nothing that everybody may write, and the
    owner can always read and write."""
    return (mode & 0o775) | 0o600


def shown(name: bytes) -> str:
    """A name for people: what is no UTF-8 or no visible character is escaped."""
    text = name.decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)
