"""Asks a WordPress installation on a server what it is, through PHP over SSH."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from importlib import resources
from typing import Any

from crossdock.core.errors import AccessError
from crossdock.core.ports import Shell
from crossdock.core.secrets import Masked
from crossdock.wordpress.installation import Installation

_MARK = b"\nCROSSDOCK"


@dataclass(frozen=True)
class WordPressFacts:
    """An installation and the database account that its wp-config.php names."""

    installation: Installation
    db_user: str
    db_password: Masked = field(repr=False)


def read_wordpress(shell: Shell, root: str, php: str = "php") -> WordPressFacts:
    """The facts of the WordPress in folder `root` of that server. Reads files only; no plugin is loaded.

    Errors: AccessError (no PHP there, no WordPress in that folder, a wp-config.php that can't be evaluated).
    """
    script = resources.files("crossdock.edges.php").joinpath("wordpress_facts.php").read_bytes()
    done = shell.run([php, "--", root], input=script, check=False)
    _, mark, answer = done.stdout.rpartition(_MARK)
    where = f"{shell.name}: {root}"
    if not mark:
        said = (done.stderr or done.stdout)[-300:].decode("utf-8", "replace").strip()
        raise AccessError(
            f"PHP does not answer there: {said or f'status {done.status}'}",
            where=where,
            way_out="PHP's command line must be installed for this account",
        )
    found: dict[str, Any] = json.loads(answer)
    if "error" in found:
        bad_config = "wp-config.php" in found["error"]
        way_out = "mend wp-config.php on that server" if bad_config else "check `root` in crossdock.toml"
        raise AccessError(found["error"], where=where, way_out=way_out)
    charset = str(found["db_charset"]).lower() or "utf8"
    # wpdb::determine_charset raises utf8 to utf8mb4 wherever the server can.
    found["db_charset"] = "utf8mb4" if charset in ("utf8", "utf8mb3") else charset
    for name in ("mu_plugins", "drop_ins"):
        found[name] = tuple(found[name])
    known = {one.name for one in fields(Installation)}
    installation = Installation(**{key: value for key, value in found.items() if key in known})
    return WordPressFacts(installation, str(found["db_user"]), Masked(found["db_password"]))
