"""A server's web server, PHP, WordPress installs, databases and containers. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from crossdock.core.inventory import Item
from crossdock.core.observed import Probed, VirtualHost
from crossdock.move.inventory.words import gigabytes, key_values, lines, masked, numbered, plain, records
from crossdock.wordpress.installation import Installation

LIMITS = ("memory_limit", "upload_max_filesize", "post_max_size", "max_execution_time", "max_input_vars")
_VERSION = re.compile(r"(?:/|Ver |v=| v|version )(\d+(?:\.\d+)+)")
_PROGRAMS = {"nginx": "web-server", "apache2": "web-server", "httpd": "web-server"}
_SYSTEM_SCHEMAS = frozenset({"information_schema", "mysql", "performance_schema", "sys"})
_SECTION = re.compile(r"^\[(.+)\]$")


def system_items(server: str, system: Probed) -> Iterator[Item]:
    facts = key_values(system.out)
    if not facts:
        return
    name = facts.get("os.PRETTY_NAME") or facts.get("uname", "unknown")
    memory = int(facts.get("memory_kib", "0") or 0) * 1024
    days = int(facts.get("uptime_seconds", "0") or 0) // 86400
    processors = facts.get("processors", "?")
    text = f"{plain(name)}, {processors} processors, {gigabytes(memory)} of memory, up for {days} days"
    data = {
        "os": plain(name), "id": facts.get("os.ID", ""), "version": facts.get("os.VERSION_ID", ""),
        "kernel": plain(facts.get("uname", "")), "memory_bytes": memory, "processors": processors,
        "addresses": facts.get("addresses", "").split(), "is_root": facts.get("uid") == "0",
    }  # fmt: skip
    yield Item("server", server, server, text, data)


def vhost_items(server: str, hosts: Sequence[VirtualHost]) -> Iterator[Item]:
    for host in hosts:
        name = host.names[0] if host.names else f"(default) {' '.join(host.listens)}"
        what = host.root or (f"proxies to {', '.join(host.upstreams)}" if host.upstreams else "redirects")
        data = {
            "names": list(host.names), "root": host.root, "listens": list(host.listens),
            "upstreams": list(host.upstreams), "certificates": list(host.certificates), "file": host.place,
        }  # fmt: skip
        yield Item("vhost", server, plain(name), plain(f"{' '.join(host.names) or 'any name'}: {masked(what)}"), data)


def web_items(server: str, answers: dict[str, Probed], hosts: Sequence[VirtualHost]) -> list[Item]:
    empty = Probed()
    versions = key_values(answers.get("versions", empty).out)
    programs = (
        Item(_PROGRAMS.get(name, "program"), server, name, plain(masked(said))[:200], {"version": _version(said)})
        for name, said in versions.items()
    )
    found = [
        *system_items(server, answers.get("system", empty)),
        *programs,
        *vhost_items(server, hosts),
        *_php(server, answers.get("php", empty)),
        *_fpm(server, answers.get("fpm", empty)),
        *_pools(server, answers.get("pools", empty)),
        *_containers(server, answers.get("containers", empty)),
    ]
    return list(numbered(found))


def _version(said: str) -> str:
    found = _VERSION.search(said)
    return found[1] if found else ""


def _php(server: str, told: Probed) -> Iterator[Item]:
    # Warnings of extensions that don't load are printed before the answer.
    _, brace, rest = told.out.partition(b'{"version"')
    try:
        facts: dict[str, Any] = json.loads(brace + rest) if brace else {}
    except ValueError:
        facts = {}
    if facts:
        limits = {name: plain(str(facts.get("limits", {}).get(name, ""))) for name in LIMITS}
        extensions = sorted(plain(str(one)).lower() for one in facts.get("extensions", []))
        yield _php_item(server, "cli", str(facts["version"]), limits, extensions, str(facts.get("sendmail", "")))


def _fpm(server: str, told: Probed) -> Iterator[Item]:
    for path, text in told.files:
        said = dict(line.split(" => ", 1) for line in lines(text) if " => " in line)
        modules = sorted({line.lower() for line in lines(text) if re.fullmatch(r"[\w ]+", line) and " => " not in line})
        if "PHP Version" in said:
            # `-i` writes the value here and the one of php.ini: the first holds.
            limits = {name: said.get(name, "").partition(" => ")[0] for name in LIMITS}
            sendmail = said.get("sendmail_path", "").partition(" => ")[0]
            yield _php_item(server, PurePosixPath(path).name, said["PHP Version"], limits, modules, sendmail)


def _php_item(
    server: str, name: str, version: str, limits: dict[str, str], extensions: list[str], sendmail: str
) -> Item:
    text = f"PHP {plain(version)}: " + ", ".join(f"{key} {value}" for key, value in limits.items() if value)
    data = {"version": plain(version), "limits": limits, "extensions": extensions, "sendmail": masked(plain(sendmail))}
    return Item("php", server, plain(name), text, data)


def _pools(server: str, told: Probed) -> Iterator[Item]:
    for path, text in told.files:
        pool, settings = "", dict[str, str]()
        for line in [*lines(text), "[]"]:
            if found := _SECTION.match(line) or (line == "[]"):
                if pool and pool != "global":
                    yield _pool(server, path, pool, settings)
                pool, settings = (found[1] if isinstance(found, re.Match) else ""), {}
            elif not line.startswith((";", "#")) and "=" in line:
                key, _, value = line.partition("=")
                settings[key.strip()] = value.strip().strip('"')


def _pool(server: str, path: str, pool: str, settings: dict[str, str]) -> Item:
    # Its environment may hold passwords: only what bounds it is told.
    told = {
        key: masked(plain(value))
        for key, value in settings.items()
        if key in ("listen", "user", "pm", "pm.max_children", "request_terminate_timeout")
        or key.removeprefix("php_admin_value[").removeprefix("php_value[").rstrip("]") in LIMITS
    }
    text = ", ".join(f"{key} {value}" for key, value in told.items())
    return Item("php-pool", server, plain(pool), text, {"file": plain(path), "settings": told})


def _containers(server: str, told: Probed) -> Iterator[Item]:
    for line in lines(told.out):
        name, _, rest = plain(line).partition("\\t")
        image, _, published = rest.partition("\\t")
        yield Item("container", server, name, f"{image} {published}".strip(), {"image": image, "ports": published})


# -- installs and databases ------------------------------------------------------------------------------------------


def installs(told: Probed) -> tuple[dict[str, str], str]:
    """WordPress folders with their versions, and why there may be more."""
    words, problem = records(told.out), told.problem
    found: dict[str, str] = {}
    for path, version in zip(words[::2], words[1::2], strict=False):
        if path.startswith(b"!"):
            status = path[1:].decode("ascii", "replace")
            if status in ("124", "137"):
                problem = "the search for more was not done in time"
            elif status != "0":
                problem = problem or "some folders can't be read"
        else:
            root = plain(path.removesuffix(b"/wp-includes/version.php"))
            found[root] = plain(version.strip())
    return found, problem


def install_items(server: str, found: dict[str, str], configured: str, hosts: Sequence[VirtualHost]) -> Iterator[Item]:
    """`configured`: the root that the project moves; it is told as `wordpress` by those who look into it."""
    for root, version in found.items():
        if root.rstrip("/") == configured.rstrip("/"):
            continue
        names = [name for host in hosts if host.root.rstrip("/") == root.rstrip("/") for name in host.names]
        served = f", served as {', '.join(names)}" if names else ""
        text = f"WordPress {version or 'of unknown version'}{served}"
        yield Item("install", server, root, text, {"version": version, "names": names})


def database_items(server: str, rows: Iterable[tuple[str, int, int]], configured: str) -> Iterator[Item]:
    """`rows`: schema, tables, bytes. The project's own is left out: its tables are told one by one."""
    for name, tables, size in rows:
        if name not in _SYSTEM_SCHEMAS and name != configured:
            data = {"tables": tables, "size_bytes": size}
            yield Item("database", server, plain(name), f"{tables} tables, {gigabytes(size)}", data)


def databases(told: Probed) -> list[tuple[str, int, int]]:
    found = []
    for line in lines(told.out):
        name, *numbers = line.split("\t")
        if len(numbers) == 2:
            tables, size = (int(one) if one.isdigit() else 0 for one in numbers)
            found.append((name, tables, size))
    return found


def wordpress_items(server: str, here: Installation, hosts: Sequence[VirtualHost]) -> Iterator[Item]:
    """One install of a server that nobody has configured: versions, plugins, themes, drop-ins, by files alone."""
    names = [name for host in hosts if host.root.rstrip("/") == here.root for name in host.names]
    kind = "a multisite" if here.multisite else "a single site"
    text = f"WordPress {here.wp_version}, {kind}, {len(here.plugins)} plugins, {len(here.themes)} themes"
    data = {
        "version": here.wp_version, "php": here.php_version, "multisite": here.multisite, "names": names,
        "database": here.db_name, "prefix": here.table_prefix,
    }  # fmt: skip
    yield Item("install", server, here.root, f"{text}{f', served as {names[0]}' if names else ''}", data)
    for word, found in (("plugin", here.plugins), ("theme", here.themes)):
        for name, version in found.items():
            yield Item(
                word,
                server,
                f"{here.root} {plain(name)}",
                f"version {plain(version) or 'unknown'}",
                {"root": here.root},
            )
    for word, names_ in (("mu-plugin", here.mu_plugins), ("drop-in", here.drop_ins)):
        for name in names_:
            yield Item(word, server, f"{here.root} {plain(name)}", "is loaded whatever is active", {"root": here.root})
