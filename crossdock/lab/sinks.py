"""What would leave a staging ends here: an SMTP and an HTTP server that remember everything. The HTTP one is also the
proxy of the managed host's PHP, so that any host name leads to it."""

from __future__ import annotations

import json
import shutil
import sys
from importlib import resources
from pathlib import Path
from typing import Any

from crossdock.lab.addresses import HTTP_PORT
from crossdock.lab.processes import Daemon, Part, tcp_answers
from crossdock.lab.server import SEARCH_PATH, Server

SMTP_PORT = 2525
SERVER_NAME = "sinks"


class Sinks(Part):
    """Both on `server`'s address. Records are read from the caller's process, at any time."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def prepare(self) -> None:
        """Copies the program to where the lab's account can read it."""
        self.server.prepare()
        code = resources.files("crossdock.lab").joinpath("sink_server.py").read_text(encoding="utf-8")
        self.server.write(self._program, code)
        self.server.account.own(self.server.run, self.server.log, self.server.tmp)

    def daemons(self) -> list[Daemon]:
        address = self.server.address
        return [
            Daemon(
                server=self.server.name,
                name="sinks",
                address=f"{address}:{SMTP_PORT},{HTTP_PORT}",
                argv=[system_python(), "-I", str(self._program), address, str(SMTP_PORT), str(HTTP_PORT),
                      str(self.server.log)],
                log=self.server.log / "sinks.log",
                ready=lambda: tcp_answers(address, SMTP_PORT) and tcp_answers(address, HTTP_PORT),
            )
        ]  # fmt: skip

    def mails(self) -> list[dict[str, Any]]:
        """What came by SMTP: from, to, data; `cut` where the sender left before its end."""
        return _records(self.server.log / "smtp.jsonl")

    def requests(self) -> list[dict[str, Any]]:
        """What came by HTTP: method, url (absolute through the proxy), host, body."""
        return _records(self.server.log / "http.jsonl")

    @property
    def _program(self) -> Path:
        return self.server.bin / "sink_server.py"


def system_python() -> str:
    """The system's Python: the one that runs us may lie in a home folder which the lab's account can't enter."""
    return shutil.which("python3", path=SEARCH_PATH) or sys.executable


def _records(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines]
