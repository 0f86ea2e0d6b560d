"""What a server's own settings are: web server, PHP, cron. Reads only, and only what the account may read."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Mapping, Sequence

from crossdock.core.ports import Completed, Shell
from crossdock.edges.transfer import persist

_COMMANDS = {
    "nginx": "nginx -T",
    "apache": "apachectl -t -D DUMP_VHOSTS -D DUMP_MODULES -D DUMP_INCLUDES || apache2ctl -S || httpd -S",
    "php": "php -i",
    "cron": "crontab -l",
    "timers": "systemctl list-timers --all --no-pager",
    "packages": "dpkg-query -W || rpm -qa",
}
_PATTERNS = (
    "/etc/nginx", "/etc/apache2", "/etc/httpd", "/etc/php*", "/etc/php-fpm*", "/etc/cron*", "/var/spool/cron",
    "/etc/systemd/system/*.service", "/etc/systemd/system/*.timer", "/etc/mysql", "/etc/my.cnf*", "/etc/hosts",
)  # fmt: skip
# A pattern is matched by the server's shell, and a name may hold blanks.
_TAR = """
IFS='
'
for pattern do
  for path in $pattern; do [ -e "$path" ] && printf '%s\\n' "${path#/}"; done
done | tar -C / -cf - --ignore-failed-read -T -
"""
_SECONDS = 120.0


def read_settings(shell: Shell, patterns: Sequence[str] = ()) -> dict[str, bytes]:
    """What commands tell, and a tar of settings' files, by name. What is not there or may not be read is left out.

    Errors: AccessError."""
    made: dict[str, bytes] = {}
    for name, command in _COMMANDS.items():
        done = _asked(shell, f"export LC_ALL=C; {{ {command}; }} 2>&1")
        if done.status == 0 and done.stdout:
            made[f"commands/{name}.txt"] = done.stdout
    if tar := _asked(shell, _TAR, *_PATTERNS, *patterns).stdout:
        made["settings.tar"] = tar
    return made


def _asked(shell: Shell, script: str, *arguments: str) -> Completed:
    argv = ["sh", "-c", script, "sh", *arguments]
    return persist(lambda: shell.run(argv, timeout_seconds=_SECONDS, check=False))


def bundle(files: Mapping[str, bytes]) -> bytes:
    """One tar of these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(content), 0o600, int(time.time())
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def unbundle(content: bytes) -> dict[str, bytes]:
    """The files of such a tar."""
    made: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for member in tar.getmembers():
            file = tar.extractfile(member)
            if file is not None:
                made[member.name] = file.read()
    return made
