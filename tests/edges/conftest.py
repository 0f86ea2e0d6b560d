"""Servers of one protocol each, shared by a session's tests."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_servers import TestDatabase, TestSsh, mariadb_server, ssh_server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[TestDatabase]:
    with mariadb_server() as database:
        yield database


@pytest.fixture(scope="session")
def strict() -> Iterator[TestDatabase]:
    """A server that takes 1 MB a packet and nothing but TLS, and keeps a binary log."""
    folder = Path(tempfile.mkdtemp(prefix="cdtest-"))
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=lab",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    folder.chmod(0o755)
    key.chmod(0o644)
    tls = (f"--ssl-key={key}", f"--ssl-cert={certificate}", "--require-secure-transport=ON")
    try:
        with mariadb_server("--max-allowed-packet=1M", "--log-bin", *tls) as database:
            yield database
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def sshd() -> Iterator[TestSsh]:
    with ssh_server(forwarding=True) as server:
        yield server


@pytest.fixture(scope="session")
def gateway() -> Iterator[TestSsh]:
    """An SSH server that forbids forwarding."""
    with ssh_server(forwarding=False) as server:
        yield server
