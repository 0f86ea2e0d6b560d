"""What a plugin, theme, must-use file or drop-in is, and what is known of such code in the world."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib import resources
from typing import Literal

from crossdock.wordpress.versions import VersionRange

Kind = Literal["plugin", "theme", "must-use", "drop-in"]
_TAG = re.compile(r"<[^<>]*>")
_MOST = 120


@dataclass(frozen=True)
class Piece:
    """One plugin, theme, must-use file or folder, or drop-in. `name` is its folder or file; `changed`: when its newest
    file was written, seconds since 1970; `files` maps plugin files below plugins to their versions.

    `unreadable`: files and folders in it that the account may not read; `tables`: names without prefix that its code
    builds; `hosts`: other servers that its code asks. `is_run`: WordPress runs it by itself where it is (must-use code,
    drop-ins).
    """

    kind: Kind
    name: str
    title: str = ""
    version: str = ""
    author: str = ""
    update_uri: str = ""
    requires: tuple[str, ...] = ()
    template: str = ""
    tested: str = ""
    for_network: bool = False
    for_woocommerce: bool = False
    has_header: bool = True
    is_run: bool = False
    changed: int = 0
    bytes: int = 0
    count: int = 0
    unreadable: int = 0
    files: dict[str, str] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """Its name in WordPress's directory: the folder, or the file without its ending."""
        return self.name.removesuffix(".php").lower()

    @property
    def is_from_elsewhere(self) -> bool:
        """Whether it says that its updates do not come from wordpress.org (Update URI)."""
        host = re.sub(r"^\w+://", "", self.update_uri.lower()).partition("/")[0]
        return bool(host) and host not in ("wordpress.org", "w.org") and not host.endswith(".wordpress.org")


@dataclass(frozen=True)
class Listed:
    """What the plugin directory says: `closed` with its reason, or when it was updated last."""

    version: str = ""
    updated: date | None = None
    closed: bool = False
    reason: str = ""
    tested: str = ""


@dataclass(frozen=True)
class Vulnerability:
    """A known vulnerability of a plugin, a theme or WordPress (type core, slug wordpress). `score`: CVSS, 0 to 10."""

    type: str
    slug: str
    title: str
    reference: str
    score: float
    ranges: tuple[VersionRange, ...]
    patched: tuple[str, ...] = ()

    def concerns(self, version: str) -> bool:
        return any(version in one for one in self.ranges)


@dataclass(frozen=True)
class Register:
    """What Crossdock itself keeps (register.toml): reasons by plugin slug; forms by table; plugins by what their
    drop-ins say; the day on which a line of WordPress (`6.1`) came out."""

    not_allowed: dict[str, str]
    commerce: dict[str, str]
    services: dict[str, str]
    form_tables: dict[str, str]
    drop_ins: dict[str, str]
    releases: dict[str, date]


@cache
def register() -> Register:
    """register.toml beside this module."""
    told = tomllib.loads(resources.files("crossdock.wordpress").joinpath("register.toml").read_text(encoding="utf-8"))
    not_allowed = {slug: f"{one['why']} ({one['source']})" for one in told["not_allowed"] for slug in one["slugs"]}
    commerce = {slug: one["why"] for one in told["commerce"] for slug in one["slugs"]}
    services = {slug: one["why"] for one in told["service"] for slug in one["slugs"]}
    return Register(not_allowed, commerce, services, told["form_tables"], told["drop_ins"], told["releases"])


def visible(name: str) -> str:
    """A file's name with each invisible character replaced, so that it can be printed and decided about."""
    return "".join(one if one.isprintable() else "\ufffd" for one in name)


def plain(value: str, most: int = _MOST) -> str:
    """A header's text for people: no tags, no invisible characters, not longer than `most`."""
    text = _TAG.sub("", value)
    text = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return text if len(text) <= most else text[: most - 3] + "..."
