"""What probes print, as plain words: records, lines, names of files with any byte in them, and no secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from crossdock.core.inventory import Item

_HIDDEN = "••••"
_SECRETS = (
    (re.compile(r"(authorization:\s*)\w+\s+[^\s\"']+", re.IGNORECASE), rf"\1{_HIDDEN}"),
    # scheme://user:password@host
    (re.compile(r"(://[^\s/:@]+:)[^\s@/]+(?=@)"), rf"\1{_HIDDEN}"),
    # --password=x, DB_PASS="x", api_key: x, ?token=x
    (
        re.compile(
            r"""((?:pass(?:wo?r?d)?|pwd|secret|token|api[_-]?key|access[_-]?key|auth|credential|signature|key)[\w-]*"""
            r"""["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s&"';|]+)""",
            re.IGNORECASE,
        ),
        rf"\1{_HIDDEN}",
    ),
    # --password x, --token x
    (
        re.compile(r"(--?(?:password|passwd|pass|token|secret|api-?key|auth)\s+)(?!-)\S+", re.IGNORECASE),
        rf"\1{_HIDDEN}",
    ),
    # mysql -pSECRET, curl -u user:SECRET
    (re.compile(r"(?<=\s)(-p)(?=\S)(?:\"[^\"]*\"|'[^']*'|\S+)"), rf"\1{_HIDDEN}"),
    (re.compile(r"(?<=\s)((?:-u|--user)[\s=]*[^\s:]+:)\S+"), rf"\1{_HIDDEN}"),
    # A long word of hex or base64 is more often a key than a name.
    (re.compile(r"(?<![\w/.-])(?=[\w+-]*\d)(?=[\w+-]*[A-Za-z])[\w+-]{32,}={0,2}(?![\w/.-])", re.ASCII), _HIDDEN),
    # Personal data: a person's address
    (re.compile(r"[\w.+-]+@(?=[\w-]+\.[\w.-]+)"), f"{_HIDDEN}@"),
)  # fmt: skip
_URL = re.compile(r"\bhttps?://[^\s\"'<>]+")
# Whoever knows such a path may use it: a webhook's, a health check's.
_KEY_IN_PATH = re.compile(r"(?<=/)(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{24,}(?=[/?#]|$)", re.ASCII)


def plain(text: str | bytes) -> str:
    """One printable line: what is no text, and no printable character, is escaped."""
    words = text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape", "backslashreplace").decode("ascii") for one in words
    )


def masked(line: str) -> str:
    """A command or setting without passwords, keys and people's addresses."""
    for pattern, instead in _SECRETS:
        line = pattern.sub(instead, line)
    return _URL.sub(lambda found: _KEY_IN_PATH.sub(_HIDDEN, found[0]), line)


def lines(out: bytes) -> list[str]:
    """Lines that are not empty, without blanks at their ends."""
    return [line.strip() for line in out.decode("utf-8", "replace").splitlines() if line.strip()]


def records(out: bytes) -> list[bytes]:
    """What ends with a NUL; a record that was cut off is left out."""
    return out.split(b"\0")[:-1]


def key_values(out: bytes) -> dict[str, str]:
    """`key=value` by line; quotes around a value are taken off."""
    found: dict[str, str] = {}
    for line in lines(out):
        key, equals, value = line.partition("=")
        if equals:
            found[key.strip()] = value.strip().strip("\"'")
    return found


def gigabytes(size: int) -> str:
    """For people: 12.3 GB, 40 MB."""
    if size >= 10**9:
        return f"{size / 10**9:,.1f} GB"
    return f"{size / 10**6:,.0f} MB" if size >= 10**6 else f"{size / 1000:,.0f} kB"


def numbered(items: Iterable[Item]) -> Iterator[Item]:
    """The same items; names that come again get a number, so that each has a key of its own."""
    seen: dict[str, int] = {}
    for item in items:
        count = seen[item.key] = seen.get(item.key, 0) + 1
        yield item if count == 1 else replace(item, name=f"{item.name} #{count}")
