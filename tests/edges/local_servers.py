"""A MariaDB server and an OpenSSH server on loopback for the edges' tests, stopped by their own pid."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from crossdock.core.secrets import Masked
from crossdock.edges.mysql import Endpoint
from crossdock.edges.ssh import SshHost

PASSWORD = Masked("pa'ss \\ word")


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(ready: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError("a test server did not get ready")
        time.sleep(0.05)


def answers(port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def running(argv: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as stream:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class TestDatabase:
    """`port` and `socket` lead to the server; account `cd` owns every database named `cd_*`."""

    __test__ = False
    port: int
    socket: str
    password: Masked = PASSWORD

    def endpoint(self, database: str = "cd_test", **other: object) -> Endpoint:
        settings: dict[str, object] = {"host": "127.0.0.1", "port": self.port, "password": PASSWORD, **other}
        return Endpoint("lab", database, "cd", **settings)  # type: ignore[arg-type]

    def root(self, sql: str) -> str:
        done = subprocess.run(
            ["mariadb", "--no-defaults", "-uroot", f"--socket={self.socket}", "-BN", "-e", sql],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()


@contextlib.contextmanager
def mariadb_server(*options: str) -> Iterator[TestDatabase]:
    if not shutil.which("mariadbd"):
        pytest.skip("mariadbd is not installed")
    folder = Path(tempfile.mkdtemp(prefix="cdtest-"))
    as_account = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    data, port = folder / "data", free_port()
    data.mkdir()
    if as_account:
        for place in (folder, data):
            shutil.chown(place, "nobody", "nogroup")
        folder.chmod(0o755)
    install = ["mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run([*as_account, *install, f"--datadir={data}"], check=True, capture_output=True)
    database = TestDatabase(port, str(folder / "m.sock"))
    argv = [
        "mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={database.socket}", f"--port={port}",
        "--bind-address=127.0.0.1", f"--pid-file={folder}/pid", "--max-allowed-packet=64M", "--local-infile=1",
        "--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0", "--innodb-lock-wait-timeout=1",
        "--lock-wait-timeout=5", "--character-set-server=utf8mb4",
        *options,
    ]  # fmt: skip
    try:
        with running([*as_account, *argv], folder / "log"):
            wait_for(lambda: Path(database.socket).exists() and answers(port))
            quoted = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
            database.root(
                "CREATE DATABASE cd_test;"
                f"CREATE USER cd@'%' IDENTIFIED BY '{quoted}'; GRANT ALL ON `cd\\_%`.* TO cd@'%';"
                f"CREATE USER cd@localhost IDENTIFIED BY '{quoted}'; GRANT ALL ON `cd\\_%`.* TO cd@localhost;"
            )
            yield database
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class TestSsh:
    """An sshd for this very account. `forwarding` False forbids tunnels as gateway hosts do."""

    __test__ = False
    folder: Path
    port: int
    pid: int

    def host(self, known: str = "known_hosts") -> SshHost:
        return SshHost("lab", "lab", str(self.config(known)), connect_timeout_seconds=5)

    def config(self, known: str) -> Path:
        path = self.folder / f"config-{known}"
        path.write_text(
            f"Host lab\n HostName 127.0.0.1\n Port {self.port}\n"
            f" IdentityFile {self.folder}/client\n IdentitiesOnly yes\n"
            f" UserKnownHostsFile {self.folder}/{known}\n GlobalKnownHostsFile /dev/null\n"
        )
        return path

    def cut_sessions(self) -> int:
        """Kills every open session of this sshd, as a gateway's time limit does. Returns how many."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        return len(children)


def make_key(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


@contextlib.contextmanager
def ssh_server(*, forwarding: bool, more: str = "") -> Iterator[TestSsh]:
    """`more`: lines of sshd_config, where {folder} is the server's own."""
    folder = Path(tempfile.mkdtemp(prefix="cdtest-"))
    host_key, client_key, other_key = (make_key(folder / name) for name in ("host", "client", "other"))
    port = free_port()
    (folder / "authorized").write_text(client_key + "\n")
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    (folder / "changed_hosts").write_text(f"# comment\n[127.0.0.1]:{port} {other_key}\n")
    (folder / "no_hosts").write_text("")
    allowed = "yes" if forwarding else "no"
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
        f"PidFile {folder}/pid\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\nUseDNS no\n"
        f"MaxStartups 50\nAllowTcpForwarding {allowed}\nAllowStreamLocalForwarding {allowed}\n"
        + more.format(folder=folder)
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    program = shutil.which("sshd") or "/usr/sbin/sshd"
    try:
        with running([program, "-D", "-e", "-f", str(folder / "sshd_config")], folder / "log") as process:
            wait_for(lambda: answers(port))
            yield TestSsh(folder, port, process.pid)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
