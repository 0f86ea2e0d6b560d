"""What Crossdock writes for its bridge: the plugin's files, config.php, and two lines of wp-config.php. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable

from crossdock.core.errors import CrossdockError
from crossdock.core.ports import RemoteFile
from crossdock.core.secrets import Masked
from crossdock.core.signing import BridgeKey

LOADER = "crossdock-bridge.php"
FOLDER = "crossdock-bridge"
CONFIG = f"{FOLDER}/config.php"
REDIRECTS = f"{FOLDER}/redirects.php"
SUNRISE_MARK = b"Written by Crossdock (crossdock bridge install)"
_ENVIRONMENT = b"const CROSSDOCK_BRIDGE_ENVIRONMENT = 'staging';"
_VERSION = re.compile(rb"const CROSSDOCK_BRIDGE_VERSION = '([^']+)';")
_OPENING = re.compile(rb"\A<\?php[ \t]*(\r?\n)")
_BLOCK = re.compile(rb"// BEGIN crossdock-bridge\b[^\n]*\n.*?// END crossdock-bridge[ \t]*\r?\n", re.DOTALL)
SUNRISE_LINES = (
    "// BEGIN crossdock-bridge: crossdock bridge remove takes these lines away again.",
    "if ( ! defined( 'SUNRISE' ) ) { define( 'SUNRISE', true ); }",
    "// END crossdock-bridge",
)


@dataclass(frozen=True)
class BridgeSettings:
    """What config.php tells the bridge. Staging needs a login; `login_hash` is PHP's password_hash. `mail_allow` holds
    addresses and @domains, `allowed_hosts` host names and *.domains."""

    environment: str
    key: BridgeKey
    login_user: str = ""
    login_hash: Masked = field(default=Masked(""), repr=False)
    mail_sink: str = ""
    mail_allow: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    staging_hosts: tuple[str, ...] = ()


def plugin_files() -> dict[str, bytes]:
    """The plugin as we carry it, by path relative to mu-plugins; sunrise.php, which goes elsewhere, included."""
    root = resources.files("crossdock").joinpath("plugin", FOLDER)
    return dict(sorted(_below(root, "")))


def _below(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for one in folder.iterdir():
        if one.is_dir():
            found += _below(one, f"{prefix}{one.name}/")
        elif one.name.endswith(".php"):
            found.append((prefix + one.name, one.read_bytes()))
    return found


def version() -> str:
    """The version of the plugin that we carry."""
    found = _VERSION.search(plugin_files()[LOADER])
    return found[1].decode() if found else ""


def files_for(environment: str) -> dict[str, bytes]:
    """The plugin's files for one environment, without config.php and sunrise.php. The loader comes last: an upload that
    is cut before it has started nothing."""
    files = plugin_files()
    loader = files.pop(LOADER)
    files.pop("sunrise.php")
    if loader.count(_ENVIRONMENT) != 1:
        raise CrossdockError("the bridge's loader does not say where its environment stands", where=LOADER)
    files[LOADER] = loader.replace(_ENVIRONMENT, _ENVIRONMENT.replace(b"'staging'", php_value(environment).encode()))
    return files


def sunrise() -> bytes:
    """The drop-in that goes to wp-content."""
    return plugin_files()["sunrise.php"]


def render_config(settings: BridgeSettings, files: Mapping[str, bytes]) -> bytes:
    """config.php. `files` are those whose digests it holds."""
    values = {
        "version": 1,
        "environment": settings.environment,
        "key_id": settings.key.identity,
        "key": str(settings.key.secret),
        "login_user": settings.login_user,
        "login_hash": str(settings.login_hash),
        "mail_sink": settings.mail_sink,
        "mail_allow": list(settings.mail_allow),
        "allowed_hosts": list(settings.allowed_hosts),
        "staging_hosts": list(settings.staging_hosts),
        "files": {name: digest(content) for name, content in sorted(files.items())},
    }
    lines = "".join(f"\t{php_value(name)} => {php_value(value)},\n" for name, value in values.items())
    head = "<?php\n// Written by Crossdock: crossdock bridge install. What is changed here by hand is told by health.\n"
    return f"{head}if ( ! defined( 'ABSPATH' ) ) {{\n\texit;\n}}\nreturn array(\n{lines});\n".encode()


def php_value(value: object) -> str:
    """A PHP literal that evaluates to exactly this value: text, whole number, truth, list or mapping of such.

    Errors: CrossdockError for anything else."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            # Within single quotes PHP knows two escapes and nothing else, so that no text can become code.
            return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
        case Mapping():
            return "array(" + ", ".join(f"{php_value(key)} => {php_value(one)}" for key, one in value.items()) + ")"
        case Sequence():
            return "array(" + ", ".join(php_value(one) for one in value) + ")"
        case _:
            raise CrossdockError(f"a {type(value).__name__} can't be written as PHP", where="config.php")


def digest(content: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Places:
    """Where things lie on one server; absolute."""

    content: str
    wp_config: str

    @property
    def mu_plugins(self) -> str:
        return f"{self.content}/mu-plugins"

    @property
    def folder(self) -> str:
        return f"{self.mu_plugins}/{FOLDER}"

    @property
    def sunrise(self) -> str:
        return f"{self.content}/sunrise.php"


def writes(places: Places, settings: BridgeSettings, redirects: bytes | None) -> dict[str, RemoteFile]:
    """What an installation writes, in order: by absolute path. config.php is as closed as wp-config.php is, which
    holds secrets too. `redirects` None leaves the table that is there."""
    files = files_for(settings.environment)
    made = {f"{places.mu_plugins}/{name}": RemoteFile(content) for name, content in files.items() if name != LOADER}
    if redirects is not None:
        made[f"{places.mu_plugins}/{REDIRECTS}"] = RemoteFile(redirects)
    config = RemoteFile(render_config(settings, files), 0o640, places.wp_config)
    made[f"{places.mu_plugins}/{CONFIG}"] = config
    made[f"{places.mu_plugins}/{LOADER}"] = RemoteFile(files[LOADER])
    return made


# -- sunrise: the hosts that WordPress does not know ------------------------------------------------------------------


@dataclass(frozen=True)
class SunrisePlan:
    """What has to be written for aliases of hosts; `steps` is what a person must do instead, line by line."""

    writes: dict[str, RemoteFile]
    steps: tuple[str, ...] = ()


def plan_sunrise(places: Places, found: Mapping[str, RemoteFile]) -> SunrisePlan:
    """From wp-config.php and sunrise.php as `found`, by path. Another's sunrise.php is never touched."""
    there = found.get(places.sunrise)
    if there is not None and SUNRISE_MARK not in there.content:
        return SunrisePlan({}, (f"in {places.sunrise}, which is another's, add at its end:", *_require_lines()))
    made: dict[str, RemoteFile] = {}
    if there is None or there.content != sunrise():
        made[places.sunrise] = RemoteFile(sunrise())
    config = found.get(places.wp_config)
    if config is None:
        return SunrisePlan({}, (f"in wp-config.php, before wp-settings.php is loaded: {SUNRISE_LINES[1]}",))
    if defines_sunrise(config.content):
        return SunrisePlan(made)
    edited = with_sunrise(config.content)
    if edited is None:
        return SunrisePlan(made, (f"in {places.wp_config}, above its other lines: {SUNRISE_LINES[1]}",))
    # sunrise.php first: a wp-config.php that asks for a file which is not there warns on every page.
    made[places.wp_config] = RemoteFile(edited, config.mode, places.wp_config)
    return SunrisePlan(made)


def _require_lines() -> tuple[str, ...]:
    aliases = "WP_CONTENT_DIR . '/mu-plugins/crossdock-bridge/aliases.php'"
    return (f"if ( is_readable( {aliases} ) ) {{ require {aliases}; }}",)


def steps(places: Places) -> tuple[str, ...]:
    """What a person does where neither file can be written."""
    put = f"put a sunrise.php to {places.sunrise}, holding: <?php {_require_lines()[0]}"
    return put, f"in {places.wp_config}, above its other lines: {SUNRISE_LINES[1]}"


def defines_sunrise(config: bytes) -> bool:
    """Whether wp-config.php sets SUNRISE already, by our lines or its own."""
    return re.search(rb"^[^\n/#*]*define\s*\(\s*['\"]SUNRISE['\"]", config, re.MULTILINE) is not None


def with_sunrise(config: bytes) -> bytes | None:
    """wp-config.php with our marked lines below its opening tag; None where they can't stand there."""
    opening = _OPENING.match(config)
    if opening is None or re.search(rb"^\s*(?:declare\s*\(|namespace\b)", config, re.MULTILINE):
        return None
    newline = opening[1]
    block = b"".join(line.encode() + newline for line in SUNRISE_LINES)
    return config[: opening.end()] + block + config[opening.end() :]


def without_sunrise(config: bytes) -> bytes:
    """wp-config.php as it was before `with_sunrise`, byte for byte."""
    return _BLOCK.sub(b"", config)


def removals(places: Places, digests: Mapping[str, str], found: Mapping[str, RemoteFile]) -> list[str]:
    """What goes, in order: the loader first, so that nothing runs that is half gone. `digests`: what lies in the
    bridge's folder. Another's sunrise.php stays."""
    made = [f"{places.mu_plugins}/{LOADER}"]
    there = found.get(places.sunrise)
    if there is not None and SUNRISE_MARK in there.content:
        made.append(places.sunrise)
    made += [f"{places.folder}/{name}" for name in sorted(digests)]
    folders = {name.rpartition("/")[0] for name in digests if "/" in name}
    made += [f"{places.folder}/{name}" for name in sorted(folders, key=len, reverse=True)]
    return [*made, places.folder]
