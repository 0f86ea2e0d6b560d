"""Tries an account at an address: SSH, SFTP, HTTPS, SMTP, FTP. Signs in, changes and sends nothing."""

from __future__ import annotations

import ftplib
import smtplib
import ssl
import subprocess
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from crossdock.core.errors import AccessError
from crossdock.core.secrets import Masked
from crossdock.edges.ssh import SshHost

_PATIENCE_SECONDS = 15
_BODY_BYTES = 1 << 20


@dataclass(frozen=True)
class Reach:
    """`address`: a URL of scheme ssh, sftp, https, http, smtp, smtps, ftp or ftps. `expect`: text that an HTTPS answer
    must hold. `authority`: a file of certificates to trust (default: those of the system); `ssh_config` as in
    ssh -F."""

    address: str
    user: str = ""
    password: Masked = field(default=Masked(""), repr=False)
    expect: str = ""
    authority: str | None = None
    ssh_config: str | None = None

    def problem(self) -> str:
        """Why it does not work; empty where it does. Never raises, and never tells the password."""
        scheme = urlsplit(self.address).scheme
        tries = {
            "ssh": self._ssh, "sftp": self._sftp, "https": self._http, "http": self._http, "smtp": self._smtp,
            "smtps": self._smtp, "ftp": self._ftp, "ftps": self._ftp,
        }  # fmt: skip
        try:
            return tries[scheme]()
        except AccessError as error:
            return error.what
        except subprocess.TimeoutExpired:
            return "did not end in time"
        except (smtplib.SMTPException, ftplib.Error, OSError, EOFError, httpx.HTTPError, httpx.InvalidURL) as error:
            return self._masked(f"{type(error).__name__}: {error}")

    def _masked(self, text: str) -> str:
        shown = text.replace(self.password, "••••") if self.password else text
        return " ".join(shown.split())[:300]

    @property
    def _place(self) -> tuple[str, int]:
        parts = urlsplit(self.address)
        usual = {"smtp": 587, "smtps": 465, "ftp": 21, "ftps": 21}
        return parts.hostname or "", parts.port or usual.get(parts.scheme, 0)

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority)

    def _ssh(self) -> str:
        done = self._host("ssh").run(["true"], timeout_seconds=_PATIENCE_SECONDS * 2, check=False)
        return "" if done.status == 0 else f"the account runs no commands (status {done.status})"

    def _sftp(self) -> str:
        host = self._host("sftp")
        config = ["-F", self.ssh_config] if self.ssh_config else []
        argv = ["sftp", *config, "-o", "BatchMode=yes", "-o", f"ConnectTimeout={_PATIENCE_SECONDS}", "-b", "-"]
        done = subprocess.run(
            [*argv, "--", host.destination], input=b"pwd\n", capture_output=True,
            timeout=_PATIENCE_SECONDS * 2, check=False,
        )  # fmt: skip
        if failure := host.failure(done.returncode, done.stderr):
            return failure.what
        said = " ".join(done.stderr.decode("utf-8", "replace").split())
        return "" if done.returncode == 0 else (said or f"sftp ended with status {done.returncode}")[:300]

    def _host(self, scheme: str) -> SshHost:
        parts = urlsplit(self.address)
        user = parts.username or self.user
        destination = f"{scheme}://{f'{user}@' if user else ''}{parts.netloc.rpartition('@')[2]}"
        return SshHost("account", destination, self.ssh_config)

    def _http(self) -> str:
        headers = {"Authorization": f"Bearer {self.password}"} if self.password and not self.user else {}
        login = httpx.BasicAuth(self.user, self.password) if self.user else None
        with (
            httpx.Client(timeout=_PATIENCE_SECONDS, verify=self._trust(), trust_env=False) as client,
            client.stream("GET", self.address, headers=headers, auth=login) as answer,
        ):
            if not answer.is_success:
                return f"answers {answer.status_code}"
            body = b""
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > _BODY_BYTES:
                    break
        if self.expect and self.expect.encode() not in body:
            return f'answers, but without "{self.expect}"'
        return ""

    def _smtp(self) -> str:
        host, port = self._place
        is_wrapped = urlsplit(self.address).scheme == "smtps"
        line = (
            smtplib.SMTP_SSL(host, port, timeout=_PATIENCE_SECONDS, context=self._trust())
            if is_wrapped
            else smtplib.SMTP(host, port, timeout=_PATIENCE_SECONDS)
        )
        with line:
            line.ehlo()
            if not is_wrapped and line.has_extn("starttls"):
                line.starttls(context=self._trust())
                line.ehlo()
            elif not is_wrapped and self.user:
                return "offers no STARTTLS: the password would go over the line in the clear"
            if self.user:
                line.login(self.user, self.password)
            code, _ = line.noop()
        return "" if code == 250 else f"answers {code}"

    def _ftp(self) -> str:
        host, port = self._place
        is_safe = urlsplit(self.address).scheme == "ftps"
        line = ftplib.FTP_TLS(context=self._trust()) if is_safe else ftplib.FTP()  # noqa: S321  some ERPs have no other
        with line:
            line.connect(host, port, timeout=_PATIENCE_SECONDS)
            line.login(self.user or "anonymous", self.password)
            line.pwd()
        return ""
