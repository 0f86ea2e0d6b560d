"""An OpenSSH server on one address, for one account and one key, with the limits a managed host may set."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from crossdock.core.errors import AccessError
from crossdock.lab.addresses import SSH_PORT
from crossdock.lab.processes import Daemon, Part, tcp_answers
from crossdock.lab.server import Server, program


@dataclass(frozen=True)
class SshOptions:
    """`session_limit_seconds` cuts each session, connection included; None is no limit."""

    forwarding: bool = True
    session_limit_seconds: int | None = None


def make_key(path: Path) -> Path:
    """A new ed25519 key pair without passphrase at `path` and `path`.pub; an existing one stays."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "crossdock-lab", "-f", str(path)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise AccessError(f"ssh-keygen failed: {done.stderr.strip()}", where=str(path))
    return path


class SshServer(Part):
    """sshd in `server.folder` that lets in whoever holds `client_key`."""

    def __init__(self, server: Server, client_key: Path, options: SshOptions | None = None) -> None:
        self.server = server
        self.client_key = client_key
        self.options = options or SshOptions()

    @property
    def host_key(self) -> Path:
        return self.server.folder / "ssh" / "host_ed25519"

    def prepare(self) -> None:
        """Keys, settings and the wrapper that every session runs in."""
        self.server.prepare()
        make_key(self.client_key)
        make_key(self.host_key)
        public = self.client_key.with_name(self.client_key.name + ".pub").read_text(encoding="utf-8")
        self.server.write(self.host_key.parent / "authorized_keys", public)
        self.server.write(self.host_key.parent / "session", self._wrapper(), mode=0o755)
        self.server.write(self.server.etc / "sshd_config", self._settings())
        self.server.account.own(self.host_key.parent, self.server.run, self.server.log, self.server.home)

    def daemons(self) -> list[Daemon]:
        daemon = Daemon(
            server=self.server.name,
            name="sshd",
            address=f"{self.server.address}:{SSH_PORT}",
            argv=[program("sshd"), "-D", "-e", "-f", str(self.server.etc / "sshd_config")],
            log=self.server.log / "sshd.log",
            ready=lambda: tcp_answers(self.server.address, SSH_PORT),
        )
        return [daemon]

    def client_stanza(self, known_hosts: Path) -> str:
        """This server's part of an OpenSSH client configuration."""
        return (
            f"Host {self.server.name}\n"
            f"  HostName {self.server.address}\n"
            f"  Port {SSH_PORT}\n"
            f"  User {self.server.account.name}\n"
            f"  IdentityFile {self.client_key}\n"
            "  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {known_hosts}\n"
            "  GlobalKnownHostsFile /dev/null\n"
            "  StrictHostKeyChecking yes\n"
            "  BatchMode yes\n"
            "  ConnectTimeout 10\n"
        )

    def known_host(self) -> str:
        """The line of a known_hosts file that holds this server's real key."""
        public = self.host_key.with_name(self.host_key.name + ".pub").read_text(encoding="utf-8").split()
        return f"[{self.server.address}]:{SSH_PORT} {public[0]} {public[1]}\n"

    def _settings(self) -> str:
        allowed = "yes" if self.options.forwarding else "no"
        environment = " ".join(f'{key}="{value}"' for key, value in self.server.environment().items())
        lines = [
            f"ListenAddress {self.server.address}",
            f"Port {SSH_PORT}",
            f"HostKey {self.host_key}",
            f"PidFile {self.server.run / 'sshd.pid'}",
            f"AuthorizedKeysFile {self.host_key.parent / 'authorized_keys'}",
            "UsePAM no",
            "StrictModes no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "UseDNS no",
            "PrintMotd no",
            "X11Forwarding no",
            "AllowAgentForwarding no",
            "PermitTunnel no",
            "MaxSessions 50",
            "MaxStartups 50:30:100",
            f"AllowTcpForwarding {allowed}",
            f"AllowStreamLocalForwarding {allowed}",
            f"Subsystem sftp {_sftp_server()}",
            f"SetEnv {environment}",
            f"ForceCommand {self.host_key.parent / 'session'}",
        ]
        return "\n".join(lines) + "\n"

    def _wrapper(self) -> str:
        limit = self.options.session_limit_seconds
        start = '#!/bin/bash\ncd "$HOME" || exit 1\nif [ -n "$SSH_ORIGINAL_COMMAND" ]; then\n'
        start += '  set -- /bin/bash -c "$SSH_ORIGINAL_COMMAND"\nelse\n  set -- /bin/bash -i\nfi\n'
        if limit is None:
            return start + 'exec "$@"\n'
        return start + (
            "foreground=\n[ -t 0 ] && foreground=--foreground\n"
            f'timeout $foreground --kill-after=1 {limit} "$@"\nstatus=$?\n'
            # Not only the command ends: the host drops the connection, as a load balancer's limit does.
            f"if [ $SECONDS -ge {limit} ] && {{ [ $status -eq 124 ] || [ $status -eq 137 ]; }}; then\n"
            '  kill -KILL "$PPID"\nfi\nexit $status\n'
        )


def _sftp_server() -> str:
    places = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server")
    return next((place for place in places if Path(place).exists()), "internal-sftp")
