"""Sites in the configuration of nginx and Apache: names, roots, certificates, addresses that are let in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from crossdock.core.observed import VirtualHost
from crossdock.formats.nginx_rules import Directive, nginx_trees

_APACHE_LINE = re.compile(r"^\s*(</?)?\s*(\w+)\s*([^>]*?)\s*>?\s*$")
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_MOST_HOSTS = 500


def nginx_hosts(text: str) -> tuple[VirtualHost, ...]:
    """From what `nginx -T` prints, or files behind `# configuration file NAME:` lines. What can't be read is left
    out."""
    found = (_nginx_host(one) for tree in nginx_trees(text) for one in _servers(tree))
    return tuple(host for host, _ in zip(found, range(_MOST_HOSTS), strict=False))


def _servers(tree: Sequence[Directive]) -> Iterator[Directive]:
    """Server blocks of http, or of a file that http includes. Those of upstream and stream are other things."""
    for one in tree:
        if one.name == "server" and one.block:
            yield one
        elif one.name == "http":
            yield from _servers(one.block)


def _nginx_host(server: Directive) -> VirtualHost:
    own: dict[str, list[list[str]]] = {}
    for one in server.block:
        own.setdefault(one.name, []).append(one.words[1:])
    inner = list(_all(server.block))
    names = [word.lower() for words in own.get("server_name", []) for word in words if word not in ("_", "")]
    roots = [words[0] for words in own.get("root", []) if words] or [
        one.words[1] for one in inner if one.name == "root" and len(one.words) > 1
    ]
    return VirtualHost(
        names=tuple(dict.fromkeys(names)),
        root=roots[0].rstrip("/") if roots else "",
        listens=tuple(dict.fromkeys(words[0] for words in own.get("listen", []) if words)),
        certificates=tuple(words[0] for words in own.get("ssl_certificate", []) if words),
        upstreams=tuple(
            dict.fromkeys(one.words[1] for one in inner if one.name == "proxy_pass" and len(one.words) > 1)
        ),
        allowed=tuple(dict.fromkeys(one.words[1] for one in inner if one.name == "allow" and len(one.words) > 1)),
        place=server.place.rpartition(":")[0].strip(),
    )


def _all(tree: Sequence[Directive]) -> Iterator[Directive]:
    for one in tree:
        yield one
        yield from _all(one.block)


def apache_hosts(files: Sequence[tuple[str, str]]) -> tuple[VirtualHost, ...]:
    """From Apache's files, (name, text) each. Includes beyond them and macros are not followed."""
    found: list[VirtualHost] = []
    for name, text in files:
        words: dict[str, list[list[str]]] = {}
        is_inside = False
        for line in text.replace("\\\n", " ").splitlines():
            match = _APACHE_LINE.match(line)
            if not match or line.lstrip().startswith("#"):
                continue
            mark, key = match[1] or "", match[2].lower()
            values = [quoted or bare for quoted, bare in _WORD.findall(match[3])]
            if mark == "<" and key == "virtualhost":
                is_inside, words = True, {"listen": [values]}
            elif mark == "</" and key == "virtualhost" and is_inside:
                is_inside = False
                found.append(_apache_host(words, name))
            elif not mark and is_inside:
                words.setdefault(key, []).append(values)
    return tuple(found[:_MOST_HOSTS])


def _apache_host(words: dict[str, list[list[str]]], place: str) -> VirtualHost:
    def first(key: str) -> list[str]:
        return [values[0] for values in words.get(key, []) if values]

    names = [one.lower().partition("://")[2] or one.lower() for one in first("servername")]
    names += [one.lower() for values in words.get("serveralias", []) for one in values]
    allowed = [
        one
        for key, marks in (("require", ("ip",)), ("allow", ("from",)))
        for values in words.get(key, [])
        if values and values[0].lower() in marks
        for one in values[1:]
    ]
    return VirtualHost(
        names=tuple(dict.fromkeys(name.partition(":")[0] for name in names)),
        root=(first("documentroot") or [""])[0].rstrip("/"),
        listens=tuple(one for values in words.get("listen", []) for one in values),
        certificates=tuple(first("sslcertificatefile")),
        upstreams=tuple(values[1] for values in words.get("proxypass", []) if len(values) > 1),
        allowed=tuple(dict.fromkeys(allowed)),
        place=place,
    )
