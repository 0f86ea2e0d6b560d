"""The front: two forward proxies on 127.0.0.1, so that a person's browser reaches the lab by its stores' own names.

One port leads to the sources, one to the target: in production both answer for the same domain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crossdock.lab.addresses import HTTP_PORT
from crossdock.lab.processes import Daemon, tcp_answers
from crossdock.lab.server import Server
from crossdock.lab.web import nginx_command, nginx_head

SERVER_NAME = "front"
UNKNOWN = 'if ($source = "") { return 421 "No source serves $host.\\n"; }'


@dataclass(frozen=True)
class Front:
    """`sources`: domain -> address. `target`: the managed host's address, which takes every other domain."""

    server: Server
    sources_port: int
    target_port: int
    sources: Mapping[str, str]
    target: str

    def prepare(self) -> None:
        """Writes nginx's settings."""
        self.server.prepare()
        self.server.write(self.server.etc / "nginx" / "nginx.conf", self._settings())
        self.server.account.own(self.server.run, self.server.log, self.server.tmp)

    def daemon(self) -> Daemon:
        """How to start it."""
        ports = (self.sources_port, self.target_port)
        return Daemon(
            server=self.server.name,
            name="nginx",
            address=f"127.0.0.1:{self.sources_port},{self.target_port}",
            argv=[*nginx_command(self.server), "-g", "daemon off;"],
            log=self.server.log / "nginx.log",
            ready=lambda: all(tcp_answers("127.0.0.1", port) for port in ports),
        )

    def _settings(self) -> str:
        routes = "".join(f"    {domain} {address}:{HTTP_PORT};\n" for domain, address in self.sources.items())
        return (
            nginx_head(self.server)
            + f"  access_log {self.server.log / 'access.log'};\n"
            + f'  map $host $source {{\n    default "";\n{routes}  }}\n'
            + self._proxy(
                self.sources_port, "$source", 'if ($source = "") { return 421 "No source serves $host.\\n"; }'
            )
            + self._proxy(self.target_port, f"{self.target}:{HTTP_PORT}", "")
            + "}\n"
        )

    def _proxy(self, port: int, upstream: str, rule: str) -> str:
        return (
            f"  server {{\n    listen 127.0.0.1:{port};\n    default_type text/plain;\n    location / {{\n"
            f"      {rule}\n      proxy_pass http://{upstream};\n      proxy_http_version 1.1;\n"
            "      proxy_set_header Host $host;\n      proxy_redirect off;\n      proxy_read_timeout 300s;\n"
            "    }\n  }\n"
        )
