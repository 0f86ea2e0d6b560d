"""Finds and reads what a web server keeps in files: its settings and its access logs, plain or gzip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crossdock.core.errors import ConnectionLost, CrossdockError
from crossdock.core.ports import StreamingShell

_USUAL_LOGS = (
    "/var/log/nginx/*access*", "/var/log/apache2/*access*", "/var/log/httpd/*access*", "/var/log/httpd/domains/*.log",
    "/var/www/vhosts/system/*/logs/*access*log*",
)  # fmt: skip
_USUAL_SETTINGS = (
    "/etc/nginx/nginx.conf", "/etc/nginx/conf.d/*.conf", "/etc/nginx/sites-enabled/*", "/etc/apache2/sites-enabled/*",
    "/etc/httpd/conf.d/*.conf", "/etc/httpd/conf/httpd.conf",
)  # fmt: skip
# Globs are words of ours: no word splitting (IFS), only the names that exist and can be read.
_LIST = (
    'IFS=; for glob; do for file in $glob; do [ -f "$file" ] && [ -r "$file" ] && printf "%s\\n" "$file"; done; done; :'
)
_CAT = 'for file; do case "$file" in *.gz) gzip -dc -- "$file" ;; *) cat -- "$file" ;; esac; done'
# As nginx -T marks its files, so that one parser reads both.
_SHOW = 'for file; do printf "# configuration file %s:\\n" "$file"; cat -- "$file"; echo; done'
_MOST_SETTINGS_BYTES = 64 << 20


def find_files(shell: StreamingShell, globs: Sequence[str]) -> list[str]:
    """The readable files that these globs name, each once, in order."""
    found = shell.run(["sh", "-c", _LIST, "sh", *globs]).stdout.decode("utf-8", "surrogateescape")
    return list(dict.fromkeys(line for line in found.splitlines() if line))


def read_settings(shell: StreamingShell, globs: Sequence[str] | None) -> tuple[str, str]:
    """The web server's settings as text, each file behind a line `# configuration file PATH:`, and where they are from.

    Without globs: what nginx itself prints, else the usual places; ('', '') where neither can be read."""
    if globs is None:
        done = shell.run(["sh", "-c", "nginx -T 2>/dev/null"], check=False)
        if done.status == 0 and b"server" in done.stdout:
            return done.stdout.decode("utf-8", "surrogateescape"), "nginx -T"
    files = find_files(shell, _USUAL_SETTINGS if globs is None else globs)
    if not files:
        return "", ""
    shown = _bounded(shell.stream(["sh", "-c", _SHOW, "sh", *files]))
    return shown.decode("utf-8", "surrogateescape"), f"{len(files)} files"


def read_text(shell: StreamingShell, path: str) -> str:
    """A file's text; empty where it is not there or can't be read."""
    done = shell.run(["cat", "--", path], check=False)
    return done.stdout.decode("utf-8", "surrogateescape") if done.status == 0 else ""


def find_logs(shell: StreamingShell, globs: Sequence[str] | None, named: Sequence[str]) -> list[str]:
    """Access logs: those of the configuration; else those that the server's settings name, with their rotated ones;
    else those in the usual places."""
    if globs is not None:
        return find_files(shell, globs)
    return find_files(shell, [f"{name}*" for name in named]) or find_files(shell, _USUAL_LOGS)


def read_log(shell: StreamingShell, path: str) -> Iterator[bytes]:
    """A log's bytes, unpacked. A file that is rotated away meanwhile ends early.

    Errors: ConnectionLost when the session is cut: then read it again from the start."""
    try:
        yield from shell.stream(["sh", "-c", _CAT, "sh", path])
    except ConnectionLost:
        raise
    except CrossdockError:
        return


def _bounded(pieces: Iterator[bytes]) -> bytes:
    whole = bytearray()
    for piece in pieces:
        whole += piece
        if len(whole) > _MOST_SETTINGS_BYTES:
            break
    return bytes(whole)
