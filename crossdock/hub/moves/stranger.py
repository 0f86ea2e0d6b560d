"""A server that no configuration knows yet: everything that can be told of it, and nothing kept but where one says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crossdock.core.errors import AccessError, ConfigError
from crossdock.core.evidence import Finding, Level
from crossdock.core.inventory import Item
from crossdock.edges.ssh import SshHost
from crossdock.edges.whole_file import write_whole
from crossdock.edges.wordpress import read_wordpress
from crossdock.hub.moves.assessment_page import write_page
from crossdock.hub.moves.surroundings import Settings, Spot, Surroundings, look_around
from crossdock.move.assess import in_order
from crossdock.move.inventory.web import installs, wordpress_items
from crossdock.move.items import items
from crossdock.wordpress.installation import Installation

_MOST_INSTALLS = 25


@dataclass(frozen=True)
class Stranger:
    """Where it is: `destination` for OpenSSH, `root` where to look for WordPress besides the usual places."""

    name: str
    destination: str
    root: str = ""


@dataclass
class StrangersAssessment:
    """What was found there."""

    stranger: Stranger
    around: Surroundings
    installations: list[Installation]
    findings: list[Finding]

    def as_json(self) -> dict[str, Any]:
        return {
            "server": self.stranger.name,
            "installations": [
                {"root": one.root, "wordpress": one.wp_version, "php": one.php_version, "multisite": one.multisite}
                for one in self.installations
            ],
            **self.around.as_json(),
            "findings": [one.as_json() for one in self.findings],
        }

    def keep(self, folder: Path) -> None:
        """Writes assessment.json and assessment.html. Errors: ConfigError (the folder can't be written)."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps(self.as_json(), indent=1, ensure_ascii=False, sort_keys=True)
            write_whole(folder / "assessment.json", text + "\n")
            write_page(folder / "assessment.html", self.stranger.name, self.as_json())
        except OSError as error:
            raise ConfigError(
                f"can't be written: {error.strerror}", where=str(folder), way_out="name another"
            ) from error


def parse_stranger(url: str) -> Stranger:
    """ssh://[user@]host[:port][/path]. Errors: ConfigError."""
    way_out = "write it as in ssh://ada@shop.example:2222/var/www; a Host of your ssh_config will do too: ssh://shop"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError("is no SSH address", where="server", way_out=way_out) from None
    host, user = parts.hostname or "", parts.username or ""
    if parts.scheme != "ssh" or parts.password or parts.query or parts.fragment:
        raise ConfigError("is no SSH address", where="server", way_out=way_out)
    # A leading dash would be read by ssh as an option, and options can run commands.
    if not re.fullmatch(r"[\w:][\w.:-]*", host) or not re.fullmatch(r"(?:\w[\w.@+-]*)?", user) or port == 0:
        raise ConfigError(f'"{host}" is no host that can be asked', where="server", way_out=way_out)
    if not parts.path.isprintable() or ".." in parts.path.split("/"):
        raise ConfigError("its path is none", where="server", way_out=way_out)
    bracketed = f"[{host}]" if ":" in host else host
    destination = f"ssh://{f'{user}@' if user else ''}{bracketed}{f':{port}' if port else ''}"
    return Stranger(host, destination, parts.path.rstrip("/"))


def assess_stranger(url: str, ssh_config: Path | None = None) -> StrangersAssessment:
    """Looks at it and around it; `ssh_config` as in ssh -F.

    Errors: ConfigError (no address), AccessError (it can't be reached)."""
    stranger = parse_stranger(url)
    shell = SshHost(stranger.name, stranger.destination, str(ssh_config) if ssh_config else None)
    shell.run(["true"], timeout_seconds=30, check=False)
    around = look_around([Spot(stranger.name, shell, stranger.root)], Settings())
    seen = around.seen.get(stranger.name)
    roots = list(installs(seen.answers["installs"])[0]) if seen else []
    read = list(_read(shell, roots[:_MOST_INSTALLS]))
    found = [one for one in read if isinstance(one, Installation)]
    around.findings += [one for one in read if isinstance(one, Finding)]
    if len(roots) > _MOST_INSTALLS:
        text = f"not known: what is in {len(roots) - _MOST_INSTALLS} more WordPress installs"
        around.findings.append(Finding("land.unreadable", Level.WARN, stranger.name, text, "look at them one by one"))
    hosts = seen.hosts if seen else ()
    inside: list[Item] = [item for one in found for item in wordpress_items(stranger.name, one, hosts)]
    around.items = items(inside, around.items)
    return StrangersAssessment(stranger, around, found, in_order(around.findings))


def _read(shell: SshHost, roots: list[str]) -> Iterator[Installation | Finding]:
    for root in roots:
        try:
            yield read_wordpress(shell, root).installation
        except AccessError as error:
            text = f"not known: what is in it: {error.what}"
            yield Finding("land.unreadable", Level.WARN, f"{shell.name}: {root}", text, error.way_out)
