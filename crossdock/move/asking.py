"""Asks a WordPress on a server by a PHP script of ours, run over SSH as one of its blogs."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from crossdock.core.errors import CrossdockError
from crossdock.core.ports import Shell

_MARK = b"\nCROSSDOCK"


@dataclass(frozen=True)
class Side:
    """Where to ask: a server, the WordPress folder on it, and the URL whose host selects the blog."""

    shell: Shell
    root: str
    url: str


def ask_wordpress(side: Side, script: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """What a script of this folder answers, after load.php has loaded WordPress. `request` travels in the argument
    list, which others on that server may see: nothing secret belongs there.

    Errors: AccessError; CrossdockError with what PHP or WordPress said instead of an answer.
    """
    parts = urlsplit(side.url)
    argument = base64.b64encode(
        json.dumps({**request, "root": side.root, "host": parts.netloc, "scheme": parts.scheme}).encode()
    )
    done = side.shell.run(["php", "--", argument.decode()], input=_code(script), timeout_seconds=300, check=False)
    _, mark, answer = done.stdout.rpartition(_MARK)
    failed = f"WordPress could not be asked on {side.shell.name}"
    if not mark:
        said = (done.stderr or done.stdout)[-300:].decode("utf-8", "replace").strip()
        raise CrossdockError(f"{failed}: {said or 'no answer'}", where=side.url)
    found: dict[str, Any] = json.loads(answer)
    if found.get("error"):
        raise CrossdockError(f"{failed}: {found['error']}", where=side.url)
    return found


def _code(script: str) -> bytes:
    folder = resources.files("crossdock.move")
    return folder.joinpath("load.php").read_bytes() + folder.joinpath(script).read_bytes().removeprefix(b"<?php\n")
