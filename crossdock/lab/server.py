"""One server of a lab: its name, its address, its folder, and what its sessions see."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from crossdock.core.errors import ConfigError
from crossdock.lab.account import Account

# sun_path holds 108 bytes with its final NUL.
SOCKET_PATH_LIMIT = 107
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Server:
    """A "machine": one loopback address and one folder, everything in it run by `account`."""

    name: str
    address: str
    folder: Path
    account: Account

    @property
    def etc(self) -> Path:
        return self.folder / "etc"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def tmp(self) -> Path:
        return self.folder / "tmp"

    @property
    def mysql_socket(self) -> Path:
        return self.run / "mysql.sock"

    def prepare(self) -> None:
        """Makes the server's folders. Errors: ConfigError when the folder's path can't hold sockets."""
        if len(str(self.run / "php-production.sock")) > SOCKET_PATH_LIMIT or any(c.isspace() for c in str(self.folder)):
            raise ConfigError(
                "the lab folder's path is too long for Unix sockets, or has blanks in it",
                where=str(self.folder),
                way_out="choose a shorter path with --folder",
            )
        for folder in (self.etc, self.run, self.log, self.home, self.bin, self.tmp):
            folder.mkdir(parents=True, exist_ok=True)

    def environment(self) -> dict[str, str]:
        """Environment of this server's daemons, sessions and commands."""
        return {
            "HOME": str(self.home),
            "PATH": f"{self.bin}:{SEARCH_PATH}",
            "LANG": "C.UTF-8",
            "TMPDIR": str(self.tmp),
            # An empty first entry keeps the system's own folder of PHP settings.
            "PHP_INI_SCAN_DIR": f":{self.etc / 'php'}",
            "WP_CLI_CACHE_DIR": str(self.tmp / "wp-cli"),
            "WP_CLI_DISABLE_AUTO_CHECK_UPDATE": "1",
        }

    def write(self, path: Path, text: str, *, mode: int = 0o644) -> Path:
        """Writes one of the server's own files, with its parents."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def command(self, name: str, script: str) -> None:
        """Puts a shell script into the server's own bin folder, which comes first in its PATH."""
        self.write(self.bin / name, f"#!/bin/sh\n{script}\n", mode=0o755)


def program(*names: str) -> str:
    """Absolute path of the first of these programs that is installed (globs allowed below /usr/sbin).

    Errors: ConfigError naming them.
    """
    search = f"{os.environ.get('PATH', '')}:{SEARCH_PATH}"
    for name in names:
        if found := shutil.which(name, path=search):
            return found
        if matches := sorted(Path("/usr/sbin").glob(name)):
            return str(matches[-1])
    raise ConfigError(
        f"the lab needs {names[0]}, which is not installed",
        way_out="apt-get install openssh-server mariadb-server nginx-light php-fpm php-cli php-mysql php-xml "
        "php-mbstring php-gd rsync",
    )
