"""Answers DNS questions from a file of ready-made answers, by UDP and TCP. Standard library only, because the lab runs
a copy of this file as another account with the system's Python.

Arguments: address, port, file. The file is JSON: {"name": {"TYPE number": answer's wire form without its ID, in hex}}.
It is read again whenever it changes. A name that is not in it does not exist; a type that is not in it has no records.
"""

from __future__ import annotations

import json
import socket
import socketserver
import struct
import sys
import threading
from pathlib import Path
from typing import Any

_NXDOMAIN, _NO_ERROR, _FORMAT_ERROR = 3, 0, 1
_CNAME = "5"
_UDP_BYTES = 1232


class Answers:
    """The file's content, always as it is now."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._mark, self._found = (0, 0), dict[str, dict[str, str]]()

    def of(self, name: str) -> dict[str, str] | None:
        """Answers of a name by type; None where it does not exist. A name above others exists."""
        facts = self._path.stat()
        with self._lock:
            if self._mark != (facts.st_mtime_ns, facts.st_ino):
                self._found = json.loads(self._path.read_text(encoding="utf-8"))
                self._mark = (facts.st_mtime_ns, facts.st_ino)
            found = self._found.get(name)
            return {} if found is None and any(one.endswith(f".{name}") for one in self._found) else found


def answer(message: bytes, answers: Answers, most_bytes: int) -> bytes:
    """The reply to one message. What is no question gets FORMERR; what is too long for UDP is cut, and says so."""
    try:
        name, kind, end = question(message)
    except (IndexError, struct.error, UnicodeDecodeError):
        return message[:2] + struct.pack("!HHHHH", 0x8000 | _FORMAT_ERROR, 0, 0, 0, 0)
    found = answers.of(name)
    wire = (found or {}).get(str(kind)) or (found or {}).get(_CNAME)
    if wire:
        reply = message[:2] + bytes.fromhex(wire)
        if len(reply) <= most_bytes:
            return reply
        return message[:2] + struct.pack("!HHHHH", 0x8700, 1, 0, 0, 0) + message[12:end]
    code = _NXDOMAIN if found is None else _NO_ERROR
    return message[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, 0, 0, 0) + message[12:end]


def question(message: bytes) -> tuple[str, int, int]:
    """Name (lower case, no dot at its end), type, and where the question ends."""
    labels, at = [], 12
    while length := message[at]:
        labels.append(message[at + 1 : at + 1 + length].decode("ascii").lower())
        at += 1 + length
    (kind,) = struct.unpack_from("!H", message, at + 1)
    return ".".join(labels), kind, at + 5


class Udp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server: Any = self.server
        message, line = self.request
        line.sendto(answer(message, server.answers, _UDP_BYTES), self.client_address)


class Tcp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server: Any = self.server
        line: socket.socket = self.request
        line.settimeout(10)
        try:
            while len(head := line.recv(2, socket.MSG_WAITALL)) == 2:
                (length,) = struct.unpack("!H", head)
                reply = answer(line.recv(length, socket.MSG_WAITALL), server.answers, 65535)
                line.sendall(struct.pack("!H", len(reply)) + reply)
        except OSError:
            return


class UdpServer(socketserver.ThreadingUDPServer):
    allow_reuse_address = daemon_threads = True


class TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


def main() -> None:
    address, port, path = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    answers = Answers(path)
    servers: list[Any] = [UdpServer((address, port), Udp), TcpServer((address, port), Tcp)]
    for server in servers:
        server.answers = answers
    threading.Thread(target=servers[0].serve_forever, daemon=True).start()
    servers[1].serve_forever()


if __name__ == "__main__":
    main()
