"""The certificate that a server shows for a name, trusted or not."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass


@dataclass(frozen=True)
class TlsPort:
    """Where a name's visitors are answered. `address` 'host:port'; `authority`: a file of certificates to trust
    (default: those of the system)."""

    address: str
    timeout_seconds: float = 6.0
    authority: str | None = None

    def shown(self, name: str) -> tuple[bytes, str]:
        """The certificate for this name by SNI (DER; empty where there is none), and why a browser would not trust it.

        Never raises for what it finds: nothing that answers is told as a problem too.
        """
        try:
            encoded = self._handshake(name, ssl.create_default_context(cafile=self.authority))
        except ssl.SSLCertVerificationError as error:
            return self._untrusted(name), error.verify_message or str(error)
        except (OSError, ValueError) as error:
            return b"", f"no TLS at {self.address}: {error}"
        return encoded, ""

    def _untrusted(self, name: str) -> bytes:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # it is only read, and told as untrusted
        try:
            return self._handshake(name, context)
        except (OSError, ValueError):
            return b""

    def _handshake(self, name: str, context: ssl.SSLContext) -> bytes:
        host, _, port = self.address.rpartition(":")
        with (
            socket.create_connection((host.strip("[]"), int(port)), timeout=self.timeout_seconds) as line,
            context.wrap_socket(line, server_hostname=name) as wrapped,
        ):
            return wrapped.getpeercert(binary_form=True) or b""
