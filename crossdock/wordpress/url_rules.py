"""URLs that a person gives, as rules of rewriting."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

import idna

from crossdock.core.errors import ConfigError
from crossdock.wordpress.rewriting import UrlRule

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")
_NOT_IN_URLS = re.compile(r"[\s\\\"'`<>{}|^;@\x00-\x1f\x7f]")
_WAY_OUT = "give scheme, host and perhaps a path: https://www.shop.example/de"


@dataclass(frozen=True)
class Address:
    """`host` is ASCII (IDNA), with ':8080' if it has a port of its own; `path` has no slash at its end."""

    scheme: str
    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}"


def parsed_address(text: str) -> Address:
    """A URL of scheme, host and optional path. Errors: ConfigError for anything else."""
    if (found := _NOT_IN_URLS.search(text)) is not None:
        raise _refused(text, f"holds {found[0]!r}")
    scheme, separator, _ = text.partition("://")
    if not separator or scheme.lower() not in _DEFAULT_PORTS:
        raise _refused(text, "does not begin with https:// or http://")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise _refused(text, f"is no URL ({error})") from None
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise _refused(text, "has a query or fragment")
    host = _ascii(text, parts.hostname or "")
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        host += f":{port}"
    return Address(parts.scheme, host, parts.path.rstrip("/"))


def url_rules(urls: Sequence[str]) -> list[UrlRule]:
    """Rules for FROM, TO, FROM, TO, ... A host or path that is not ASCII is found in each form that WordPress stores.
    Errors: ConfigError."""
    if not urls or len(urls) % 2:
        raise ConfigError("each FROM needs its TO", where="addresses", way_out="give them in pairs: FROM TO FROM TO")
    rules: dict[tuple[str, str], UrlRule] = {}
    for source, target in zip(map(parsed_address, urls[::2]), map(parsed_address, urls[1::2]), strict=True):
        if source == target:
            raise ConfigError("FROM and TO are the same", where=str(source), way_out="leave the pair out")
        path = quote(target.path, safe="/%:@!$&()*+,=~")
        for host in dict.fromkeys((source.host, _unicode(source.host))):
            for source_path in _path_forms(source.path):
                if (host, source_path) in rules:
                    raise ConfigError("this FROM is given twice", where=str(source), way_out="leave one out")
                rules[host, source_path] = UrlRule(host, source_path, target.scheme, target.host, path, any_scheme=True)
    return list(rules.values())


def _refused(text: str, why: str) -> ConfigError:
    return ConfigError(f"{text!r} {why}", where="addresses", way_out=_WAY_OUT)


def _ascii(text: str, host: str) -> str:
    try:
        name = host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError:
        name = ""
    name = name.lower().rstrip(".")
    if not _HOST.fullmatch(name):
        raise _refused(text, "has no host that could be one")
    return name


def _unicode(host: str) -> str:
    name, colon, port = host.partition(":")
    try:
        return idna.decode(name) + colon + port if "xn--" in name else host
    except idna.IDNAError:
        return host


def _path_forms(path: str) -> list[str]:
    """As it is given, and percent-encoded in both letter cases: WordPress itself writes %c3%a4."""
    plain = unquote(path, errors="strict") if "%" in path else path
    if plain.isascii():
        return [path]
    encoded = quote(plain, safe="/:@!$&()*+,=~")
    lower = re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), encoded)
    return list(dict.fromkeys((path, plain, encoded, lower)))
