"""What Crossdock itself can say of an item's destination, and is sure of: one function a kind, None where a person must
decide. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
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
    the target has; `roots`: server -> the WordPress folder that moves."""

    blogs: Mapping[str, frozenset[int]] = field(default_factory=dict)
    domains: frozenset[str] = frozenset()
    left_tables: frozenset[tuple[str, str]] = frozenset()
    themes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    host_drop_ins: frozenset[str] = frozenset()
    roots: Mapping[str, str] = field(default_factory=dict)

    def are_stores(self, names: Iterable[str]) -> bool:
        """Whether these are domains of stores, each with or without www, and nothing else."""
        bare = {one.removeprefix("www.") for one in self.domains}
        found = {one.lower().rstrip(".").removeprefix("www.") for one in names}
        return bool(found) and found <= bare


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
        reason = "a store shows itself with it, or [files] themes names it: carried, unless the host has its own"
        return Rule("moved", reason, True)
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

_WITH_THE_SERVER = (
    "sshd", "systemd", "init", "chronyd", "ntpd", "dhclient", "rsyslogd", "cron", "crond", "agetty", "dbus", "rpcbind",
    "snapd", "multipathd", "udevd", "networkd", "resolved",
)  # fmt: skip
_OF_THE_HOST = (
    "nginx", "apache", "httpd", "php", "mariadb", "mysql", "redis", "memcached", "varnish", "valkey", "openresty",
)  # fmt: skip
_SYSTEM_JOBS = re.compile(
    r"apt-|apt_|dpkg|logrotate|man-db|fstrim|tmpfiles|e2scrub|phpsessionclean|sessionclean|sysstat|motd|fwupd|mdadm|mdcheck|"
    r"update-notifier|unattended|locate|systemd|popularity-contest|anacron|raid-check|\.placeholder|cron\.(?:hourly|daily)/php"
)
_SYSTEM_VOLUMES = re.compile(r"/(?:boot(?:/.*)?|dev/.*|run/.*|sys/.*|proc/.*|snap/.*|tmp)?")
_LOOKUPS = (53, 123, 853)


def _program(item: Item) -> str:
    """The program behind a port or service, without path."""
    return str(item.data.get("program") or item.name).rpartition("/")[2].lower()


def _port(item: Item, known: Known) -> Rule | None:
    program = _program(item)
    if program.startswith(_WITH_THE_SERVER):
        return Rule("ends", "every server has it: it goes with its server")
    return Rule("replaced", "the managed host runs its own") if program.startswith(_OF_THE_HOST) else None


def _vhost(item: Item, known: Known) -> Rule | None:
    names = {str(one) for one in item.data.get("names", [item.name])}
    return Rule("moved", "the domain of a store that moves") if known.are_stores(names) else None


def _certificate(item: Item, known: Known) -> Rule | None:
    names = {str(one).removeprefix("*.") for one in item.data.get("names", [])}
    if known.are_stores(names):
        return Rule("replaced", "the managed host gets certificates of its own for the stores' domains")
    return None


def _record(item: Item, known: Known) -> Rule:
    name, _, kind = item.name.rpartition(" ")
    if kind in ("A", "AAAA", "CNAME") and known.are_stores({name}):
        return Rule("moved", "changed by the client's IT at the cutover")
    return Rule("kept", "stays as it is: the move changes no more than the stores' addresses")


def _volume(item: Item, known: Known) -> Rule | None:
    if _SYSTEM_VOLUMES.fullmatch(item.name) and item.data.get("is_mounted", True) and not item.data.get("is_network"):
        return Rule("ends", "the system's own: it goes with its server")
    return None


def _folder(item: Item, known: Known) -> Rule | None:
    root = known.roots.get(item.server, "")
    if root and f"{item.name.rstrip('/')}/".startswith(f"{root}/"):
        return Rule("moved", "the WordPress that moves: its uploads, themes and kept code are carried")
    return None


def _job(item: Item, known: Known) -> Rule | None:
    told = f"{item.name} {item.data.get('command', '')} {item.data.get('unit', '')}"
    if "wp-cron" in told or "wp cron event run" in told:
        return Rule("replaced", "the managed host runs WordPress's scheduled events")
    if re.search(r"certbot|acme\.sh|dehydrated|letsencrypt", told):
        return Rule("replaced", "the managed host renews its certificates itself")
    return Rule("ends", "the system's own: it goes with its server") if _SYSTEM_JOBS.search(told) else None


def _peer(item: Item, known: Known) -> Rule | None:
    if item.data.get("port") in _LOOKUPS:
        return Rule("ends", "names and time: it goes with its server")
    return None


def _ends(text: str) -> Callable[[Item, Known], Rule]:
    return lambda item, known: Rule("ends", text)


def _replaced(text: str) -> Callable[[Item, Known], Rule]:
    return lambda item, known: Rule("replaced", text)


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
    "server": _ends("it is shut down when the stores have moved and the client has signed"),
    "disk": _ends("it goes with its server; what lies on it has destinations of its own"),
    "firewall-rule": _ends("it goes with its server"),
    "volume": _volume,
    "folder": _folder,
    "port": _port,
    "service": _port,
    "program": _port,
    "web-server": _replaced("the managed host runs its own web server"),
    "php": _replaced("the managed host runs its own PHP"),
    "php-pool": _replaced("the managed host runs its own PHP"),
    "cache": _replaced("caches are filled anew, in what the managed host has"),
    "vhost": _vhost,
    "certificate": _certificate,
    "dns-record": _record,
    "timer": _job,
    "cron": _job,
    "peer": _peer,
}
_OF_A_BLOG = frozenset({"uploads", "cron-hook", "gateway", "webhook", "api-key", "licence", "data", "tag", "media"})
