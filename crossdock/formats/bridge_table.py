"""The redirect table of the bridge: a PHP file that only returns an array."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from crossdock.core.redirects import GONE, MapRow, address_of, plain_start, shielded

VERSION = 1
_PLAIN = frozenset(range(0x20, 0x7F)) - frozenset(b"'\\")

Table = Mapping[str, object]


def render_bridge(rows: Iterable[MapRow], digest: str) -> str:
    """The rows (by the addresses that the environment is asked for) as PHP; ASCII only.

    exact: host -> path[?query] -> (status, URL or a name); 200 for what no pattern may take. patterns: host ->
    [(PCRE, status, URL, the text that all it fits begins with)], in order. hosts: host -> scheme://host.
    """
    rows = list(rows)
    exact: dict[str, dict[str, object]] = {}
    patterns: dict[str, list[object]] = {}
    hosts: dict[str, object] = {}
    for row in rows:
        if row.match == "host":
            hosts[row.source] = row.target.rstrip("/")
        elif row.match == "pattern":
            host, pattern = row.parts
            rule = [delimited(pattern), row.status, row.target or row.note, plain_start(pattern)]
            patterns.setdefault(host, []).append(rule)
        elif row.action in ("moved", "gone") and (asked := address_of(row.source)):
            exact.setdefault(asked.host, {})[asked.key] = [row.status, row.note if row.status == GONE else row.target]
    for source in shielded(rows):
        if asked := address_of(source):
            exact.setdefault(asked.host, {})[asked.key] = [200, ""]
    made = {"version": VERSION, "digest": digest, "exact": exact, "patterns": patterns, "hosts": hosts}
    return f"<?php\nreturn {_php(made, '')};\n"


def delimited(pattern: str) -> str:
    """A regular expression in PHP's form: between ~, of which none is left bare inside."""
    made, at = [], 0
    while at < len(pattern):
        step = 2 if pattern[at] == "\\" else 1
        part = pattern[at : at + step]
        made.append("\\~" if part == "~" else part)
        at += step
    return f"~{''.join(made)}~"


def _php(value: object, indent: str) -> str:
    if isinstance(value, Mapping):
        return _array([f"{php_string(str(key))} => {_php(one, indent + ' ')}" for key, one in value.items()], indent)
    if isinstance(value, Sequence) and not isinstance(value, str):
        if all(isinstance(one, str | int) for one in value):
            return f"array({', '.join(_php(one, indent) for one in value)})"
        return _array([_php(one, indent + " ") for one in value], indent)
    return str(value) if isinstance(value, int) else php_string(str(value))


def _array(entries: Sequence[str], indent: str) -> str:
    if not entries:
        return "array()"
    return "array(\n" + "".join(f"{indent} {entry},\n" for entry in entries) + f"{indent})"


def php_string(text: str) -> str:
    """A PHP literal of exactly these bytes (UTF-8; surrogates stand for single bytes), itself plain ASCII."""
    raw = text.encode("utf-8", "surrogateescape")
    if all(byte in _PLAIN for byte in raw):
        return f"'{raw.decode('ascii')}'"
    return '"' + "".join(_escaped(byte) for byte in raw) + '"'


def _escaped(byte: int) -> str:
    letter = chr(byte)
    if letter in '"\\$':
        return f"\\{letter}"
    return letter if 0x20 <= byte < 0x7F else f"\\x{byte:02x}"
