"""DNS, asked at the resolvers that are named, through dnspython."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from crossdock.core.observed import DnsAnswer

_AT_ONCE = 12
_PATIENCE = 6


@dataclass(frozen=True)
class DnsResolver:
    """Asks `addresses` (IP or IP:port, in this order; none: the system's own resolvers)."""

    addresses: tuple[str, ...] = ()
    timeout_seconds: float = 4.0
    _system: str = field(default="/etc/resolv.conf", repr=False)

    def ask(self, questions: Sequence[tuple[str, str]]) -> dict[tuple[str, str], DnsAnswer]:
        """One answer for each question, many at once. When the first all time out, the others are not waited for."""
        try:
            resolver = self._resolver()
        except (dns.exception.DNSException, OSError, ValueError) as error:
            return {one: DnsAnswer(*one, problem=f"no resolver: {error}") for one in questions}
        patience = _Patience()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = pool.map(lambda one: _asked(resolver, one[0], one[1], patience), questions)
            return dict(zip(questions, found, strict=True))

    def _resolver(self) -> dns.resolver.Resolver:
        made = dns.resolver.Resolver(filename=self._system, configure=not self.addresses)
        if self.addresses:
            made.nameservers = [_nameserver(one) for one in self.addresses]
        made.lifetime = self.timeout_seconds
        made.timeout = self.timeout_seconds / 2
        made.use_edns(0, 0, 1232)
        return made


class _Patience:
    """How many questions may time out before any is answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._late, self._answered, self.why = 0, False, ""

    def answered(self) -> None:
        with self._lock:
            self._answered = True

    def late(self, why: str) -> None:
        with self._lock:
            self._late += 1
            self.why = why

    @property
    def is_over(self) -> bool:
        return not self._answered and self._late >= _PATIENCE


def _nameserver(address: str) -> dns.nameserver.Nameserver:
    host, colon, port = address.rpartition(":")
    if colon and host.count(":") == 0:
        return dns.nameserver.Do53Nameserver(host, int(port))
    if host.startswith("["):
        return dns.nameserver.Do53Nameserver(host.strip("[]"), int(port))
    return dns.nameserver.Do53Nameserver(address.strip("[]"), 53)


def _asked(resolver: dns.resolver.Resolver, name: str, kind: str, patience: _Patience) -> DnsAnswer:
    if patience.is_over:
        return DnsAnswer(name, kind, problem=patience.why)
    try:
        # With a dot at its end: search domains of this machine are none of the client's.
        told = resolver.resolve(f"{name.rstrip('.')}.", kind, raise_on_no_answer=False, search=False)
    except dns.resolver.NXDOMAIN:
        patience.answered()
        return DnsAnswer(name, kind)
    except dns.exception.Timeout:
        why = "no resolver answers in time"
        patience.late(why)
        return DnsAnswer(name, kind, problem=why)
    except dns.resolver.NoNameservers as error:
        why = str(error).partition(": ")[2].partition("\n")[0][:200] or "every resolver refuses"
        why = "every resolver refuses, or answers what can't be read" if "answered" in why else why
        patience.late(why)
        return DnsAnswer(name, kind, problem=why)
    except (dns.exception.DNSException, OSError, ValueError) as error:
        return DnsAnswer(name, kind, problem=f"{type(error).__name__}: {error}"[:200])
    patience.answered()
    if told.rrset is None or told.rrset.rdtype != dns.rdatatype.from_text(kind):
        return DnsAnswer(name, kind)
    values = tuple(sorted(_text(one) for one in told.rrset))
    # Through a CNAME the shortest time of the chain counts: that is when a visitor asks again.
    return DnsAnswer(name, kind, values, int(told.chaining_result.minimum_ttl or told.rrset.ttl))


def _text(record: object) -> str:
    strings = getattr(record, "strings", None)
    if strings is not None:
        return b"".join(strings).decode("utf-8", "replace")
    return str(record)
