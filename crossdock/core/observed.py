"""What the move learns from beside a server's database: probes on the server, DNS, certificates, a cloud's account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

# -- a server --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Probed:
    """What one probe printed. `problem` says why that is nothing, or not all of it; empty where it is whole. `absent`:
    what it asks for is not on this server. `files`: what it read, by path, where it reads files."""

    out: bytes = b""
    problem: str = ""
    absent: bool = False
    files: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Probing:
    """All probes of one script by name; the time it took here, and the processor time it took there."""

    answers: Mapping[str, Probed]
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    sessions: int = 1


class Prober(Protocol):
    """Runs a script of small read-only probes on one server."""

    @property
    def name(self) -> str: ...

    def probe(
        self, script: bytes, names: Sequence[str], settings: Mapping[str, str], *, silence_seconds: float = 45
    ) -> Probing:
        """Runs the probes in this order. One that fails, is missing or hangs has a problem; the others have answers.

        Errors: AccessError (no connection, an account that runs no commands).
        """
        ...


@dataclass(frozen=True)
class VirtualHost:
    """A site of a web server's configuration. `names` lower case; `root` empty where it only proxies or redirects."""

    names: tuple[str, ...]
    root: str = ""
    listens: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    upstreams: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    place: str = ""


# -- names and certificates ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DnsAnswer:
    """Records of one name and type, as text. `ttl_seconds` is what the resolver said; `problem` says why nothing is
    known. A name that is not there has neither values nor a problem."""

    name: str
    type: str
    values: tuple[str, ...] = ()
    ttl_seconds: int = 0
    problem: str = ""


@dataclass(frozen=True)
class ShownCertificate:
    """A certificate as a visitor is shown it. `problem`: why a browser would not trust it, or why nothing is known."""

    names: tuple[str, ...] = ()
    issuer: str = ""
    ends: datetime | None = None
    fingerprint: str = ""
    problem: str = ""


# -- a cloud ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CloudThing:
    """An instance, volume, snapshot or address of a cloud's account. `of`: IDs that it is attached to or made from."""

    kind: str
    id: str
    region: str
    text: str = ""
    size_gb: int = 0
    state: str = ""
    addresses: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    is_encrypted: bool | None = None


@dataclass(frozen=True)
class CloudFacts:
    """What an account holds. `problems`: region (or `account`) -> why it could not be read."""

    name: str
    account: str = ""
    things: tuple[CloudThing, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)


class Cloud(Protocol):
    @property
    def name(self) -> str: ...

    def facts(self) -> CloudFacts:
        """All regions that are named. Never raises for one that can't be read."""
        ...

    def problem(self) -> str:
        """Why the account can't be read at all; empty where it can."""
        ...
