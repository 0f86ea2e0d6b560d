"""What Crossdock itself can say of an item's destination, and is sure of: one function a kind, None where a person must
decide. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from crossdock.core.inventory import Item

Choice = Literal["kept", "moved", "replaced", "ends", "dropped"]


@dataclass(frozen=True)
class Rule:
    """A destination that needs no person. `is_firm`: it says what our move does, so no decision can change it."""

    choice: Choice
    reason: str
    is_firm: bool = False


@dataclass(frozen=True)
class Known:
    """What rules lean on besides the item. `blogs`: server -> those that move; `domains` of the stores; `left_tables`:
    (server, table) that a decision leaves behind; `themes`: server -> folders that are carried; `host_drop_ins`: what
    the target has."""

    blogs: Mapping[str, frozenset[int]] = field(default_factory=dict)
    domains: frozenset[str] = frozenset()
    left_tables: frozenset[tuple[str, str]] = frozenset()
    themes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    host_drop_ins: frozenset[str] = frozenset()


def ruled(item: Item, known: Known) -> Rule | None:
    """The rule for an item, if there is one."""
    blog = item.data.get("blog")
    if isinstance(blog, int) and item.kind in _OF_A_BLOG and blog not in known.blogs.get(item.server, frozenset()):
        return Rule("dropped", f"blog {blog} is of no store that moves", True)
    rule = _RULES.get(item.kind)
    return rule(item, known) if rule else None


# -- what lives in WordPress -----------------------------------------------------------------------------------------


def _wordpress(item: Item, known: Known) -> Rule:
    return Rule("replaced", "the managed host's own WordPress runs the stores", True)


def _theme(item: Item, known: Known) -> Rule | None:
    if item.name in known.themes.get(item.server, frozenset()):
        return Rule(
            "moved", "a store shows itself with it, or [files] themes names it: it is carried with the files", True
        )
    if item.name.startswith("twenty") and not item.data.get("active"):
        return Rule("replaced", "a theme of WordPress's own, which no store uses: the host's WordPress has its own")
    return None


def _rows(text: str) -> Callable[[Item, Known], Rule]:
    return lambda item, known: Rule("moved", text, True)


def _data(item: Item, known: Known) -> Rule:
    if item.data.get("register"):
        return Rule("replaced", "a register of the source's network: the target's network has its own", True)
    if (item.server, str(item.data.get("table", ""))) in known.left_tables:
        return Rule("dropped", "a decision leaves its table behind", True)
    return Rule("moved", "its rows are carried and proved", True)


# -- what lives on a server ------------------------------------------------------------------------------------------


def _program(item: Item) -> str:
    """The program behind a port or service, without path and version."""
    return str(item.data.get("program") or item.data.get("process") or "").rpartition("/")[2].lower()


_WITH_THE_SERVER = (
    "sshd",
    "systemd",
    "init",
    "chronyd",
    "ntpd",
    "dhclient",
    "rsyslogd",
    "cron",
    "crond",
    "agetty",
    "dbus",
)
_REPLACED = ("nginx", "apache2", "httpd", "php-fpm", "mariadbd", "mysqld", "redis-server", "memcached", "varnishd")


def _port(item: Item, known: Known) -> Rule | None:
    program = _program(item)
    if program.startswith(_WITH_THE_SERVER):
        return Rule("ends", "every server has it: it goes with its server")
    if program.startswith(_REPLACED):
        return Rule("replaced", "the managed host runs its own")
    return None


def _vhost(item: Item, known: Known) -> Rule | None:
    names = {str(one).lower() for one in item.data.get("names", [item.name])}
    bare = {one.removeprefix("www.") for one in known.domains}
    if names and all(one.removeprefix("www.") in bare for one in names):
        return Rule("moved", "the domain of a store that moves")
    return None


def _disk(item: Item, known: Known) -> Rule:
    return Rule("ends", "it goes with its server; what lies on it has destinations of its own")


_RULES: dict[str, Callable[[Item, Known], Rule | None]] = {
    "wordpress": _wordpress,
    "theme": _theme,
    "uploads": _rows("carried with the files, and compared by SHA-256"),
    "cron-hook": _rows("scheduled events are rows: carried, and held until the cutover"),
    "gateway": _rows("its settings are rows of the store: carried; staging reaches no gateway"),
    "webhook": _rows("its row is carried; staging delivers to nobody"),
    "api-key": _rows("its rows are carried"),
    "licence": _rows("its option is a row of the store: carried"),
    "account": _rows("people are carried by the policy for people"),
    "data": _data,
    "port": _port,
    "service": _port,
    "vhost": _vhost,
    "disk": _disk,
}
_OF_A_BLOG = frozenset({"uploads", "cron-hook", "gateway", "webhook", "api-key", "licence", "data", "tag", "media"})
