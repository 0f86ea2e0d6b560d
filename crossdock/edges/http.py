"""Pages of one environment, fetched from its own address by the domains that DNS does not lead there yet."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx

from crossdock import __version__
from crossdock.core.errors import AccessError
from crossdock.core.ports import Certificate, Reply
from crossdock.core.signing import BridgeKey

_MAX_BODY_BYTES = 10 << 20


@dataclass(frozen=True)
class SiteWeb:
    """Fetches by connecting to `address` ('host:port'; None: wherever DNS leads) with the URL's Host and SNI.

    With `key` each request is signed, so that the login of a guarded staging lets it in. `authority`: a file of
    certificates to trust (default: those of the system). Satisfies core.ports.Web.
    """

    address: str | None = None
    timeout_seconds: float = 30
    key: BridgeKey | None = None
    authority: str | None = None

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> tuple[int, str, dict[str, str]]:
        """Status, body (at most 10 MB of it), headers with lower-case names. Redirects are not followed. `headers` are
        sent besides our own.

        Errors: AccessError (nothing answers, a certificate that does not fit, too slow).
        """
        answer, body = self._send(url, None, headers or {})
        return answer.status_code, _text(answer, body), _headers(answer)

    def fetch(self, url: str) -> tuple[int, bytes, dict[str, str]]:
        """As `get`, with the body's bytes."""
        answer, body = self._send(url, None, {})
        return answer.status_code, body, _headers(answer)

    def ask(
        self, url: str, *, form: Mapping[str, str] | None = None, cookies: Mapping[str, str] | None = None
    ) -> Reply:
        """As `get`, or the POST of a form; with cookies, and those that are set. Errors: AccessError."""
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}
        answer, body = self._send(url, form, sent)
        cookies_set = tuple(answer.headers.get_list("set-cookie"))
        return Reply(answer.status_code, _text(answer, body), _headers(answer), cookies_set)

    def _send(
        self, url: str, form: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> tuple[httpx.Response, bytes]:
        parts = urlsplit(url)
        where = parts._replace(netloc=self.address_for(parts.scheme)).geturl() if self.address else url
        sent = {
            "Host": parts.netloc,
            "User-Agent": f"Crossdock/{__version__}",
            "Accept-Encoding": "identity",
            **headers,
        }
        try:
            with httpx.Client(
                timeout=self.timeout_seconds, follow_redirects=False, trust_env=False, verify=_trust(self.authority)
            ) as client:
                request = client.build_request(
                    "GET" if form is None else "POST", where, data=form, headers=sent,
                    extensions={"sni_hostname": parts.hostname or ""},
                )  # fmt: skip
                if self.key:
                    uri = request.url.raw_path.decode("ascii")
                    signed = self.key.headers(request.method, parts.netloc, uri, request.read())
                    request.headers.update({name: value for name, value in signed.items() if name not in headers})
                answer = client.send(request, stream=True)
                try:
                    return answer, _body(answer, time.monotonic() + self.timeout_seconds)
                finally:
                    answer.close()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise AccessError(
                f"no answer: {type(error).__name__}: {error}",
                where=f"{url} at {self.address or 'its DNS address'}",
                way_out="check [environments.*].http in crossdock.toml, and that the host serves this domain",
            ) from error

    def certificate(self, host: str) -> Certificate:
        """What the host's certificate is worth to a browser. Errors: AccessError when nothing speaks TLS there."""
        name, _, port = self.address_for("https").rpartition(":") if self.address else (host, ":", "443")
        try:
            with (
                socket.create_connection((name.strip("[]"), int(port)), timeout=self.timeout_seconds) as line,
                _trust(self.authority).wrap_socket(line, server_hostname=host) as shown,
            ):
                return Certificate(days_left=_days_left(shown.getpeercert() or {}))
        except ssl.SSLCertVerificationError as error:
            return Certificate(problem=error.verify_message or str(error))
        except OSError as error:
            raise AccessError(
                f"no TLS there: {error}",
                where=f"{host} at {name}:{port}",
                way_out="check [environments.*].http in crossdock.toml, and that the host serves this domain",
            ) from error

    def address_for(self, scheme: str) -> str:
        """The address for a scheme: a host that answers on one of the two usual ports answers on both."""
        host, colon, port = (self.address or "").rpartition(":")
        if not colon or not port.isdigit():
            host, port = self.address or "", "443"
        usual = {"http": "80", "https": "443"}
        return f"{host}:{usual[scheme] if port in usual.values() and scheme in usual else port}"


@cache
def _trust(authority: str | None) -> ssl.SSLContext:
    """Made once: reading the system's authorities takes longer than a page."""
    return ssl.create_default_context(cafile=authority)


def _body(answer: httpx.Response, until: float) -> bytes:
    """Errors: httpx.ReadTimeout for one that trickles on and on."""
    body = bytearray()
    for piece in answer.iter_bytes():
        body += piece
        if time.monotonic() > until:
            raise httpx.ReadTimeout("the answer does not come to its end")
        if len(body) >= _MAX_BODY_BYTES:
            break
    return bytes(body[:_MAX_BODY_BYTES])


def _text(answer: httpx.Response, body: bytes) -> str:
    try:
        return body.decode(answer.charset_encoding or "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _headers(answer: httpx.Response) -> dict[str, str]:
    return {key.lower(): value for key, value in answer.headers.items()}


def _days_left(shown: Mapping[str, Any]) -> int:
    return int((ssl.cert_time_to_seconds(shown["notAfter"]) - time.time()) // 86400)
