"""Asks a source what code lives in its WordPress: plugins, themes, must-use code, drop-ins, and MD5s to compare. One
command, read-only; none of their code is run."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from crossdock.core.errors import AccessError
from crossdock.core.ports import Shell
from crossdock.wordpress.code import Piece, plain, register, visible
from crossdock.wordpress.content_files import content_folder
from crossdock.wordpress.installation import Installation

_MARK = b"\nCROSSDOCK"
_SECONDS = 240
#: Names that WordPress loads from wp-content by itself (_get_dropins, and those of a network).
DROP_INS = (
    "advanced-cache.php", "db.php", "db-error.php", "install.php", "maintenance.php", "object-cache.php",
    "php-error.php", "fatal-error-handler.php", "sunrise.php", "blog-deleted.php", "blog-inactive.php",
    "blog-suspended.php",
)  # fmt: skip


@dataclass(frozen=True)
class CodeFacts:
    """The code of one installation. `core`: MD5 by file of WordPress's own, None where there was no time for it;
    `plugins`: the same by folder. `whole` is False where the time ended before everything was read."""

    pieces: tuple[Piece, ...] = ()
    core: dict[str, str] | None = None
    plugins: dict[str, dict[str, str] | None] = field(default_factory=dict)
    locale: str = "en_US"
    whole: bool = True


def survey_code(shell: Shell, here: Installation, *, hashed: Sequence[str] = (), core: bool = False) -> CodeFacts:
    """The code of an installation. `hashed`: plugin folders whose files' MD5s are wanted; `core`: those of WordPress.

    Errors: AccessError (no connection, or PHP does not answer).
    """
    content = content_folder(here)
    request = {
        "root": here.root.rstrip("/"), "content": content, "mu": f"{content}/mu-plugins", "hash": list(hashed),
        "core": core, "drop_ins": list(DROP_INS), "marks": list(register().drop_ins), "seconds": _SECONDS,
    }  # fmt: skip
    told = base64.b64encode(json.dumps(request).encode()).decode()
    code = resources.files("crossdock.move").joinpath("code.php").read_bytes().removeprefix(b"<?php\n")
    # Through stdin, as an argument may be too short for the names.
    script = f"<?php\n$crossdock = json_decode(base64_decode('{told}'), true);\n".encode() + code
    done = shell.run(["php"], input=script, timeout_seconds=_SECONDS + 60, check=False)
    _, mark, answer = done.stdout.rpartition(_MARK)
    if not mark:
        said = (done.stderr or done.stdout)[-300:].decode("utf-8", "replace").strip()
        raise AccessError(
            f"PHP does not tell what code is there: {said or f'status {done.status}'}",
            where=f"{shell.name}: {here.root}",
            way_out="PHP's command line must be installed for this account",
        )
    found: dict[str, Any] = json.loads(answer)
    return CodeFacts(
        tuple(_piece(one) for one in found["pieces"]),
        found["core"],
        dict(found["plugins"]),
        plain(str(found["locale"])),
        bool(found["whole"]),
    )


def _piece(told: Mapping[str, Any]) -> Piece:
    marks = [register().drop_ins[one] for one in told.get("marks", ()) if one in register().drop_ins]
    name = visible(str(told["name"]))
    return Piece(
        kind=told["kind"],
        name=name,
        title=plain(str(told.get("title") or (marks[0] if marks else "")) or name),
        version=plain(str(told.get("version", "")), 40),
        author=plain(str(told.get("author", ""))),
        update_uri=plain(str(told.get("update_uri", ""))),
        requires=tuple(one for part in str(told.get("requires", "")).split(",") if (one := plain(part))),
        template=plain(str(told.get("template", ""))),
        tested=str(told.get("tested", "")),
        for_network=str(told.get("network", "")).lower() == "true",
        for_woocommerce=bool(told.get("woocommerce")),
        has_header=bool(told.get("has_header", told.get("title") or marks)),
        is_run=bool(told.get("is_run")),
        changed=int(told.get("changed", 0)),
        bytes=int(told.get("bytes", 0)),
        count=int(told.get("count", 0)),
        unreadable=int(told.get("unreadable", 0)),
        files={str(file): plain(str(version), 40) for file, version in dict(told.get("files") or {}).items()},
        tables=tuple(str(one) for one in told.get("tables", ())),
        hosts=tuple(str(one) for one in told.get("hosts", ())),
    )
