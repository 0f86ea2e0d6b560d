"""The bridges' secrets: STATE/bridge/ENVIRONMENT, each file 0600. They outlive a removal, so that a bridge which is
installed again is known at once."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from pathlib import Path

from crossdock.core.config import Config
from crossdock.core.errors import TargetError
from crossdock.core.ports import Shell
from crossdock.core.secrets import Masked, SecretRef
from crossdock.core.signing import BridgeKey
from crossdock.edges.whole_file import write_whole

_BCRYPT = re.compile(r"\$2y\$\d\d\$[./A-Za-z0-9]{53}")
_HASH = "echo password_hash(stream_get_contents(STDIN), PASSWORD_BCRYPT, ['cost' => 10]);"


def folder(config: Config, environment: str) -> Path:
    """Where one environment's secrets are."""
    return config.state / "bridge" / environment


def key(config: Config, environment: str) -> BridgeKey:
    """The environment's key, made at the first call."""
    path = folder(config, environment) / "key"
    if not path.exists():
        write_whole(path, secrets.token_hex(32) + "\n", is_secret=True)
    return BridgeKey.of(SecretRef(f"file:{path}").reveal())


def login_place(config: Config, environment: str) -> str:
    """The reference of the staging login's password: the one in crossdock.toml, or our file's."""
    given = config.environments[environment].bridge.login_password
    return given.reference if given else f"file:{folder(config, environment) / 'login'}"


def login_password(config: Config, environment: str) -> Masked:
    """The staging login's password; made at the first call, unless crossdock.toml names one."""
    given = config.environments[environment].bridge.login_password
    path = folder(config, environment) / "login"
    if given is None and not path.exists():
        write_whole(path, secrets.token_urlsafe(18) + "\n", is_secret=True)
    return Masked((given or SecretRef(f"file:{path}")).reveal())


def login_hash(config: Config, environment: str, shell: Shell) -> Masked:
    """PHP's password_hash of that password, made on the server by its own PHP and kept, so that a second installation
    writes the same file."""
    password = login_password(config, environment)
    path = folder(config, environment) / "login-hash"
    secret = key(config, environment).secret
    mark = hmac.new(secret.encode(), password.encode(), hashlib.sha256).hexdigest()
    if path.exists():
        kept, _, found = path.read_text(encoding="utf-8").strip().partition(" ")
        if hmac.compare_digest(kept, mark):
            return Masked(found)
    said = shell.run(["php", "-r", _HASH], input=password.encode()).stdout
    # PHP's own complaints may stand before it.
    made = said.decode("ascii", "replace").strip().rpartition("\n")[2]
    if not _BCRYPT.fullmatch(made):
        told = "the server's PHP makes no hash of the staging login's password"
        raise TargetError(told, where=shell.name, way_out="see what `php -r 'echo 1;'` prints there besides 1")
    write_whole(path, f"{mark} {made}\n", is_secret=True)
    return Masked(made)
