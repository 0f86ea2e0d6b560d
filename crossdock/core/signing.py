"""The signature by which a site's bridge knows Crossdock, and Crossdock the bridge's answer."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field

from crossdock.core.secrets import Masked


@dataclass(frozen=True)
class BridgeKey:
    """One environment's key. `identity` is public; `secret` is shared with the bridge's config.php."""

    identity: str
    secret: Masked = field(repr=False)

    @classmethod
    def of(cls, secret: str) -> BridgeKey:
        """The key with this secret; its identity follows from it."""
        return cls(hashlib.sha256(f"crossdock-bridge-key {secret}".encode()).hexdigest()[:16], Masked(secret))

    def headers(
        self, method: str, host: str, uri: str, body: bytes = b"", *, nonce: str = "", at: float | None = None
    ) -> dict[str, str]:
        """The headers that sign a request. `host` may carry a port, which is not signed; `uri` is path and query as
        they go over the wire; `at` is seconds since 1970 (default: now; the bridge allows 300 s either way)."""
        nonce = nonce or secrets.token_hex(16)
        moment = str(int(time.time() if at is None else at))
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        parts = ("crossdock-bridge-1", method, name.lower().rstrip("."), uri, moment, nonce, _sha256(body))
        return {
            "X-Crossdock-Key": self.identity,
            "X-Crossdock-Time": moment,
            "X-Crossdock-Nonce": nonce,
            "X-Crossdock-Signature": self._hmac("\n".join(parts)),
        }

    def signed_answer(self, nonce: str, body: bytes, signature: str) -> bool:
        """Whether the bridge signed this body as its answer to the request with that nonce."""
        return hmac.compare_digest(self._hmac(f"crossdock-bridge-answer-1\n{nonce}\n{_sha256(body)}"), signature)

    def _hmac(self, message: str) -> str:
        return hmac.new(self.secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
