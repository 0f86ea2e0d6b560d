"""Small files on a server, through PHP over SSH: where SFTP and scp are forbidden, a command's stdin is not."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossdock.core.errors import AccessError, TargetError
from crossdock.core.ports import RemoteFile, Shell
from crossdock.edges.relay import php_code

_MARK = b"\nCROSSDOCK"


@dataclass(frozen=True)
class RemoteFiles:
    """The files of one server. Contents go through stdin, never through an argument. Satisfies core.ports.Files."""

    shell: Shell
    php: str = "php"

    def read(self, paths: Sequence[str]) -> dict[str, RemoteFile]:
        """Those of the files that are there; a folder is told without content. Errors: TargetError (one that can't be
        read), AccessError."""
        found = self._ask({"do": "read", "paths": list(paths)})
        return {path: RemoteFile(base64.b64decode(one["content"]), one["mode"]) for path, one in found.items()}

    def digests(self, folder: str) -> dict[str, str]:
        """SHA-256 of each file below a folder, by its path relative to it. Links to folders are not followed."""
        return {str(path): str(digest) for path, digest in self._ask({"do": "digests", "folder": folder}).items()}

    def write(self, files: Mapping[str, RemoteFile]) -> None:
        """Writes files in this order, each whole or not at all. Errors: TargetError naming the path and why."""
        entries = [
            {"path": path, "content": base64.b64encode(one.content).decode(), "mode": one.mode, "like": one.like}
            for path, one in files.items()
        ]
        self._ask({"do": "write", "files": entries})

    def remove(self, paths: Sequence[str]) -> None:
        """Removes files, and folders that are empty, in this order. Errors: TargetError naming the path and why."""
        self._ask({"do": "remove", "paths": list(paths)})

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        argv = [self.php, "-d", "display_errors=stderr", "-r", php_code("remote_files.php")]
        done = self.shell.run(argv, input=json.dumps(request).encode(), check=False)
        _, mark, answer = done.stdout.rpartition(_MARK)
        if not mark:
            said = (done.stderr or done.stdout)[-300:].decode("utf-8", "replace").strip()
            raise AccessError(
                f"PHP does not answer there: {said or f'status {done.status}'}",
                where=self.shell.name,
                way_out="PHP's command line must be installed for this account",
            )
        told: dict[str, Any] = json.loads(answer)
        if "error" in told:
            raise TargetError(
                told["error"],
                where=f"{self.shell.name}: {told['path']}",
                way_out="look at the folder's owner and rights for the SSH account, and at the disk's free space",
            )
        found: dict[str, Any] = told["found"]
        return found
