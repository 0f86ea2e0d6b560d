"""Each kind of account tried at a server that takes it, and at one that does not; and certificates as shown."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from account_servers import Ftp, Http, Smtp, served
from local_servers import free_port, ssh_server

from crossdock.core.secrets import Masked
from crossdock.edges.reach import Reach
from crossdock.edges.tls import TlsPort
from crossdock.move.inventory.certificates import certificate_of, days_left

GOOD, BAD = Masked("s3cr3t"), Masked("wr0ng-w0rd")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
         "-subj", "/O=Lumen/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", str(path), "-out", f"{path}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


def test_https_with_a_token_or_a_login(certificate: Path) -> None:
    trusted = str(certificate)
    with served(Http, certificate, wrapped=True) as port:
        url = f"https://localhost:{port}/v2/sites"
        assert Reach(url, password=GOOD, authority=trusted).problem() == ""
        assert Reach(url, "ada", GOOD, authority=trusted).problem() == ""
        assert Reach(url, password=GOOD, expect="lumen", authority=trusted).problem() == ""
        assert Reach(url, password=GOOD, expect="acme", authority=trusted).problem() == 'answers, but without "acme"'
        assert Reach(url, password=BAD, authority=trusted).problem() == "answers 401"
        assert "certificate verify failed" in Reach(url, password=GOOD).problem()


def test_a_mail_relay(certificate: Path) -> None:
    trusted = str(certificate)
    with served(Smtp, certificate) as port:
        url = f"smtp://localhost:{port}"
        assert Reach(url, "ada", GOOD, authority=trusted).problem() == ""
        refused = Reach(url, "ada", BAD, authority=trusted).problem()
        assert "535" in refused
        assert BAD not in refused
        assert "certificate verify failed" in Reach(url, "ada", GOOD).problem()
    with served(Smtp) as port:
        assert Reach(f"smtp://127.0.0.1:{port}").problem() == ""
        assert "in the clear" in Reach(f"smtp://127.0.0.1:{port}", "ada", GOOD).problem()
    assert "refused" in Reach(f"smtp://127.0.0.1:{port}").problem()


def test_an_erp_s_ftp() -> None:
    with served(Ftp) as port:
        assert Reach(f"ftp://127.0.0.1:{port}", "ada", GOOD).problem() == ""
        assert "530" in Reach(f"ftp://127.0.0.1:{port}", "ada", BAD).problem()
        assert "502" in Reach(f"ftps://127.0.0.1:{port}", "ada", GOOD).problem(), "no TLS, no password"


def test_ssh_and_sftp_at_an_address() -> None:
    with ssh_server(forwarding=False, more="Subsystem sftp internal-sftp\n") as server:
        for scheme in ("ssh", "sftp"):
            good, unknown = (str(server.config(name)) for name in ("known_hosts", "no_hosts"))
            assert Reach(f"{scheme}://lab", ssh_config=good).problem() == ""
            assert "host key is not known" in Reach(f"{scheme}://lab", ssh_config=unknown).problem()
            assert "no SSH server answers" in Reach(f"{scheme}://127.0.0.1:{free_port()}").problem()


def test_a_certificate_is_read_trusted_or_not(certificate: Path) -> None:
    with served(Http, certificate, wrapped=True) as port:
        encoded, problem = TlsPort(f"127.0.0.1:{port}").shown("shop.example")
        assert problem
        shown = certificate_of(encoded, problem)
        assert (shown.names, shown.issuer, days_left(shown)) == (("localhost",), "Lumen", 8)
        encoded, problem = TlsPort(f"127.0.0.1:{port}", authority=str(certificate)).shown("localhost")
        assert (bool(encoded), problem) == (True, "")
    with served(Smtp) as port:
        encoded, problem = TlsPort(f"127.0.0.1:{port}", timeout_seconds=2).shown("localhost")
        assert encoded == b""
        assert "no TLS" in problem
