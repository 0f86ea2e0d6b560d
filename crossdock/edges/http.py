"""Pages of one environment, fetched from its own address by the domains that DNS does not lead there yet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from crossdock import __version__
from crossdock.core.errors import AccessError
from crossdock.core.signing import BridgeKey

_MAX_BODY_BYTES = 10 << 20


@dataclass(frozen=True)
class SiteWeb:
    """Fetches by connecting to `address` ('host:port'; None: wherever DNS leads) with the URL's Host and SNI.

    With `key` each request is signed, so that the login of a guarded staging lets it in. Satisfies core.ports.Web.
    """

    address: str | None = None
    timeout_seconds: float = 30
    key: BridgeKey | None = None

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> tuple[int, str, dict[str, str]]:
        """Status, body (at most 10 MB of it), headers with lower-case names. Redirects are not followed. `headers` are
        sent besides our own.

        Errors: AccessError (nothing answers, a certificate that does not fit, too slow).
        """
        status, body, found = self.fetch(url, headers)
        encoding = re.search(r"charset=[\"']?([\w.:-]+)", found.get("content-type", ""), re.IGNORECASE)
        try:
            return status, body.decode(encoding[1] if encoding else "utf-8", "replace"), found
        except LookupError:
            return status, body.decode("utf-8", "replace"), found

    def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes, dict[str, str]]:
        """As `get`, with the body's bytes."""
        parts = urlsplit(url)
        host = parts.netloc
        where = parts._replace(netloc=self.address).geturl() if self.address else url
        sent = {
            "Host": host,
            "User-Agent": f"Crossdock/{__version__}",
            "Accept-Encoding": "identity",
            **(headers or {}),
        }
        try:
            if self.key:
                sent = self.key.headers("GET", host, httpx.URL(where).raw_path.decode("ascii")) | sent
            with (
                httpx.Client(timeout=self.timeout_seconds, follow_redirects=False, trust_env=False) as client,
                client.stream("GET", where, headers=sent, extensions={"sni_hostname": parts.hostname or ""}) as answer,
            ):
                body = bytearray()
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) >= _MAX_BODY_BYTES:
                        break
                found = {key.lower(): value for key, value in answer.headers.items()}
                return answer.status_code, bytes(body[:_MAX_BODY_BYTES]), found
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise AccessError(
                f"no answer: {type(error).__name__}: {error}",
                where=f"{url} at {self.address or 'its DNS address'}",
                way_out="check [environments.*].http in crossdock.toml, and that the host serves this domain",
            ) from error
