"""A staging of the lab behind its bridge, and what tests ask of it."""

from __future__ import annotations

import base64
import http.client
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import projects as on

from crossdock.core.config import Config
from crossdock.core.signing import BridgeKey
from crossdock.edges.http import SiteWeb
from crossdock.edges.ssh import SshHost
from crossdock.hub.moves import bridge_secrets
from crossdock.lab import addresses
from crossdock.lab.lab import Lab
from crossdock.move import harmless
from crossdock.move.harmless import Provocation, Site

NORTH, SOUTH = "north.staging.lumen.example", "south.staging.lumen.example"
ALIAS = "www.north.staging.lumen.example"


@dataclass
class Staged:
    """A staging with a copy and a bridge. `redirects`: the redirects.php that is installed; `post`: a published one."""

    lab: Lab
    project: on.Project
    config: Config
    redirects: Path | None = None
    post: int = 0

    @property
    def root(self) -> Path:
        return self.lab.managed.root("staging")

    @property
    def folder(self) -> Path:
        return self.root / "wp-content/mu-plugins/crossdock-bridge"

    @property
    def key(self) -> BridgeKey:
        return bridge_secrets.key(self.config, "staging")

    @property
    def basic(self) -> dict[str, str]:
        password = bridge_secrets.login_password(self.config, "staging")
        return {"Authorization": "Basic " + base64.b64encode(f"staging:{password}".encode()).decode()}

    @property
    def shell(self) -> SshHost:
        return SshHost("staging", "managed", str(self.lab.ssh_config))

    def get(self, host: str, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
        status, told, body = self.lab.get(self.lab.managed.server.address, host, path, **headers)
        return status, told, body.decode("utf-8", "replace")

    def signed(self, host: str, path: str) -> tuple[int, dict[str, str], str]:
        return self.get(host, path, **self.key.headers("GET", host, path))

    def ask(
        self, method: str, host: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection(self.lab.managed.server.address, addresses.HTTP_PORT, timeout=60)
        try:
            connection.request(method, path, body, {"Host": host, **headers})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
        finally:
            connection.close()

    def install(self) -> None:
        """`crossdock bridge install staging`, which must be green."""
        table = ["--redirects", str(self.redirects)] if self.redirects else []
        assert "GREEN" in self.project.green("bridge", "install", "staging", *table)

    def status(self, *, code: int = 1) -> dict[str, Any]:
        done = self.project.run("bridge", "status", "staging", "--json")
        assert done.returncode == code, done.stdout + done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def mails(self) -> list[str]:
        """The subjects of what PHP's mail() has sent so far."""
        box = self.lab.managed.mailbox
        text = box.read_text(encoding="utf-8", errors="replace") if box.exists() else ""
        return re.findall(r"^Subject: (.*)$", text, flags=re.MULTILINE)

    def sent(self) -> tuple[int, int, int]:
        """Mails by mail(), mails by SMTP, requests: how many reached a sink so far."""
        return len(self.mails()), len(self.lab.sinks.mails()), len(self.lab.sinks.requests())

    def wp(self, code: str, domain: str = NORTH) -> str:
        """What PHP prints in this WordPress, on the command line."""
        return self.lab.managed.wordpress["staging"].cli("eval", code, url=f"http://{domain}/")

    def provoke(self, store: str) -> dict[str, Provocation]:
        """Provokes one store, guard or none, with addresses that lead to the sinks; by kind."""
        web = SiteWeb(f"{self.lab.managed.server.address}:{addresses.HTTP_PORT}")
        site = Site(store, f"http://{store}.staging.lumen.example", str(self.root))
        urls = {"call_url": "http://pay.example/v1/charges", "hook_url": "http://hooks.example/orders"}
        return {one.kind: one for one in harmless.provoke(self.shell, web, site, **urls)}
