"""Takes whatever is sent to it and remembers it: SMTP and HTTP, also as an HTTP proxy. Standard library only, because
the lab runs a copy of this file as another account with the system's Python.

Arguments: address, SMTP port, HTTP port, folder for smtp.jsonl and http.jsonl.
"""

from __future__ import annotations

import json
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

_lock = threading.Lock()
_MAX_BODY_BYTES = 1 << 20


def remember(path: Path, entry: dict[str, Any]) -> None:
    """Appends one line; whole, also when several come at once."""
    line = json.dumps({"at": round(time.time(), 3), **entry}) + "\n"
    with _lock, path.open("a", encoding="utf-8") as out:
        out.write(line)


class Smtp(socketserver.StreamRequestHandler):
    """Enough of RFC 5321 to be sent any mail."""

    timeout = 30

    def handle(self) -> None:
        server: Any = self.server
        self.mail: dict[str, Any] = {"from": "", "to": []}
        self._say("220 sink ready")
        try:
            while (line := self.rfile.readline(4096)) and self._command(line.decode("latin-1").rstrip("\r\n")):
                continue
        except OSError:
            return
        finally:
            if self.mail["to"]:
                remember(server.record, {**self.mail, "cut": True})

    def _command(self, line: str) -> bool:
        server: Any = self.server
        verb = line[:4].upper()
        if verb == "MAIL":
            self.mail = {"from": line[10:].strip(), "to": []}
        elif verb == "RCPT":
            self.mail["to"].append(line[8:].strip())
        elif verb == "DATA":
            self._say("354 go on")
            remember(server.record, {**self.mail, "data": self._data()})
            self.mail = {"from": "", "to": []}
        elif verb == "QUIT":
            self._say("221 bye")
            return False
        self._say("250 sink" if verb in ("EHLO", "HELO") else "250 fine")
        return True

    def _data(self) -> str:
        lines = []
        while (line := self.rfile.readline(65536)) not in (b".\r\n", b".\n", b""):
            lines.append(line)
        return b"".join(lines)[:_MAX_BODY_BYTES].decode("utf-8", "replace")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class Http(BaseHTTPRequestHandler):
    """Answers everything with 200, or leads on to what ?lead-to= names; a CONNECT, which begins TLS through a proxy, is
    remembered and refused."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        server: Any = self.server
        size = min(int(self.headers.get("Content-Length") or 0), _MAX_BODY_BYTES)
        body = self.rfile.read(size).decode("utf-8", "replace")
        entry = {"method": self.command, "url": self.path, "host": self.headers.get("Host", ""), "body": body}
        remember(server.record, entry)
        answer = b'{"sink": true}\n'
        onward = parse_qs(urlsplit(self.path).query).get("lead-to", [""])[0]
        self.send_response(502 if self.command == "CONNECT" else 302 if onward else 200)
        if onward:
            self.send_header("Location", onward)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)
        self.close_connection = True

    do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = do_CONNECT = do_GET  # noqa: N815  their names

    def log_message(self, format: str, *args: object) -> None:
        """Requests are in the record."""


class _Smtp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def main(address: str, smtp_port: str, http_port: str, folder: str) -> None:
    smtp: Any = _Smtp((address, int(smtp_port)), Smtp)
    http: Any = ThreadingHTTPServer((address, int(http_port)), Http)
    smtp.record, http.record = Path(folder, "smtp.jsonl"), Path(folder, "http.jsonl")
    threading.Thread(target=smtp.serve_forever, daemon=True).start()
    http.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
