"""One WordPress installation on a lab server: code, wp-config.php, WP-CLI."""

from __future__ import annotations

import secrets
import string
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crossdock.core.errors import SourceError
from crossdock.lab.server import Server, program
from crossdock.lab.uploads import upload

SALTS = ("AUTH_KEY", "SECURE_AUTH_KEY", "LOGGED_IN_KEY", "NONCE_KEY",
         "AUTH_SALT", "SECURE_AUTH_SALT", "LOGGED_IN_SALT", "NONCE_SALT")  # fmt: skip
SALT_LETTERS = string.ascii_letters + string.digits + "!@#$%^&*()-_ []{}<>~`+=,.;:/?|"


@dataclass(frozen=True)
class Installation:
    """WordPress below `root` of `server`. `db_host` as wp-config.php writes it; `wp_cli` is the phar."""

    server: Server
    root: Path
    database: str
    db_user: str
    db_password: str
    db_host: str
    prefix: str
    wp_cli: Path

    def place(self, code: Path, *, plugins: Mapping[str, Path] | None = None) -> None:
        """Copies WordPress's code (and plugin folders by name) and writes wp-config.php with salts of its own."""
        self.root.parent.mkdir(parents=True, exist_ok=True)
        _copy(code, self.root)
        for name, folder in (plugins or {}).items():
            _copy(folder, self.root / "wp-content/plugins" / name)
        (self.root / "wp-content/uploads").mkdir(parents=True, exist_ok=True)
        self.server.write(self.root / "wp-config.php", self._config(), mode=0o640)

    def cli(self, *arguments: str, url: str = "") -> str:
        """Runs WP-CLI and returns its output. Errors: SourceError with what it said."""
        argv = [program("php"), str(self.wp_cli), f"--path={self.root}", *([f"--url={url}"] if url else []), *arguments]
        done = self.server.account.run(argv, env=self.server.environment(), cwd=self.server.home, timeout_seconds=300)
        if done.returncode != 0:
            raise SourceError(
                f"wp {arguments[0]} {arguments[1]} failed:\n{(done.stderr or done.stdout)[-2000:]}",
                where=self.server.name,
            )
        return done.stdout

    def add_upload(self, name: str) -> None:
        """Puts a small file that is valid for its kind into the uploads folder; `name` is relative to it."""
        path = self.root / "wp-content/uploads" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(upload(name))

    def _config(self) -> str:
        values = {
            "DB_NAME": self.database,
            "DB_USER": self.db_user,
            "DB_PASSWORD": self.db_password,
            "DB_HOST": self.db_host,
            "DB_CHARSET": "utf8mb4",
            "DB_COLLATE": "",
        }
        salts = {name: "".join(secrets.choice(SALT_LETTERS) for _ in range(64)) for name in SALTS}
        defines = "".join(f"define( '{key}', '{value}' );\n" for key, value in {**values, **salts}.items())
        return (
            f"<?php\n/** The base configuration for WordPress */\n{defines}\n"
            f"$table_prefix = '{self.prefix}';\n\n"
            "define( 'WP_DEBUG', false );\n"
            "// The server's crontab calls wp-cron.php.\ndefine( 'DISABLE_WP_CRON', true );\n\n"
            "/* That's all, stop editing! Happy publishing. */\n\n"
            "if ( ! defined( 'ABSPATH' ) ) {\n\tdefine( 'ABSPATH', __DIR__ . '/' );\n}\n\n"
            "require_once ABSPATH . 'wp-settings.php';\n"
        )


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "--recursive", "--reflink=auto", str(source), str(target)], check=True)
