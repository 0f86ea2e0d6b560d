"""Small servers with one account, `ada` with the password `s3cr3t`: SMTP with STARTTLS or without, FTP, HTTPS."""

from __future__ import annotations

import base64
import contextlib
import socketserver
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

USER, PASSWORD = "ada", "s3cr3t"


class Lines(socketserver.StreamRequestHandler):
    """A protocol of lines: `replies` answers each; an empty answer ends the session."""

    timeout = 20
    greeting = "220 ready"

    def handle(self) -> None:
        self.is_safe = False
        self.say(self.greeting)
        while line := self.rfile.readline(4096):
            reply = self.reply(line.decode("latin-1").strip())
            self.say(reply or "221 bye")
            if not reply:
                return
            if reply == "220 go ahead":
                self.secure()

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def secure(self) -> None:
        server: Any = self.server
        self.request = server.context.wrap_socket(self.request, server_side=True)
        self.setup()
        self.is_safe = True

    def reply(self, line: str) -> str:
        raise NotImplementedError


class Smtp(Lines):
    def reply(self, line: str) -> str:
        server: Any = self.server
        verb, _, rest = line.partition(" ")
        match verb.upper():
            case "EHLO":
                offers = ["250-here", *(["250-STARTTLS"] if server.context and not self.is_safe else [])]
                return "\r\n".join([*offers, "250 AUTH PLAIN"])
            case "STARTTLS":
                return "220 go ahead"
            case "AUTH":
                return (
                    "235 welcome"
                    if base64.b64decode(rest.split()[-1]) == f"\0{USER}\0{PASSWORD}".encode()
                    else "535 no"
                )
            case "NOOP":
                return "250 fine"
            case "QUIT":
                return ""
        return "502 what?"


class Ftp(Lines):
    def reply(self, line: str) -> str:
        verb, _, rest = line.partition(" ")
        match verb.upper():
            case "USER":
                return "331 password?"
            case "PASS":
                return "230 welcome" if rest == PASSWORD else "530 no"
            case "PWD":
                return '257 "/in"'
            case "QUIT":
                return ""
        return "502 what?"


class Http(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        is_known = self.headers.get("Authorization") in (f"Bearer {PASSWORD}", f"Basic {basic}")
        body = b'{"sites": ["lumen"]}' if is_known else b"no"
        self.send_response(200 if is_known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


@contextlib.contextmanager
def served(handler: type, certificate: Path | None = None, *, wrapped: bool = False) -> Iterator[int]:
    """The port on which it answers. `certificate` holds a key too; `wrapped`: TLS from the first byte on."""
    is_http = issubclass(handler, BaseHTTPRequestHandler)
    server: Any = (ThreadingHTTPServer if is_http else _Server)(("127.0.0.1", 0), handler)
    server.context = None
    if certificate:
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(certificate)
    if wrapped:
        server.socket = server.context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
