"""A small DNS server whose records can be changed while it runs: what the stores' owners have published."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

from crossdock.lab.processes import Daemon, Part, tcp_answers
from crossdock.lab.server import Server
from crossdock.lab.sinks import system_python

DNS_PORT = 5300
SERVER_NAME = "dns"


@dataclass(frozen=True)
class Records:
    """Records of one name and type; values in the form of a zone file (TXT may leave its quotes out)."""

    name: str
    type: str
    values: tuple[str, ...]
    ttl_seconds: int = 300


class Dns(Part):
    """Serves `records` on `server`'s address by UDP and TCP. A CNAME is followed where its target is known here."""

    def __init__(self, server: Server, records: Sequence[Records] = (), port: int = DNS_PORT) -> None:
        self.server, self.port = server, port
        self._records = {(one.name.lower(), one.type): one for one in records}

    @property
    def address(self) -> str:
        """As it stands in crossdock.toml under [dns] resolvers."""
        return f"{self.server.address}:{self.port}"

    def prepare(self) -> None:
        self.server.prepare()
        code = resources.files("crossdock.lab").joinpath("dns_server.py").read_text(encoding="utf-8")
        self.server.write(self._program, code)
        self._publish()
        self.server.account.own(self.server.run, self.server.log, self.server.tmp)

    def daemons(self) -> list[Daemon]:
        return [
            Daemon(
                server=self.server.name,
                name="dns",
                address=self.address,
                argv=[system_python(), "-I", str(self._program), self.server.address, str(self.port), str(self._zone)],
                log=self.server.log / "dns.log",
                ready=lambda: tcp_answers(self.server.address, self.port),
            )
        ]

    def put(self, *records: Records) -> None:
        """Publishes records, in place of those of the same name and type; without values these are taken back."""
        for one in records:
            self._records.pop((one.name.lower(), one.type), None)
            if one.values:
                self._records[one.name.lower(), one.type] = one
        self._publish()

    @property
    def _program(self) -> Path:
        return self.server.bin / "dns_server.py"

    @property
    def _zone(self) -> Path:
        return self.server.etc / "answers.json"

    def _publish(self) -> None:
        """Whole or not at all: a question that comes meanwhile is answered from the former file."""
        found: dict[str, dict[str, str]] = {}
        for one in self._records.values():
            found.setdefault(one.name.lower(), {})[str(int(dns.rdatatype.from_text(one.type)))] = self._wire(one)
        for alias in (one for one in self._records.values() if one.type == "CNAME"):
            for kind in ("A", "AAAA", "TXT", "MX", "CAA"):
                if self._end_of(alias, kind):
                    found[alias.name.lower()][str(int(dns.rdatatype.from_text(kind)))] = self._wire(alias, kind)
        fresh = self._zone.with_suffix(".new")
        fresh.write_text(json.dumps(found), encoding="utf-8")
        fresh.chmod(0o644)
        fresh.replace(self._zone)

    def _end_of(self, alias: Records, kind: str) -> Records | None:
        return self._records.get((alias.values[0].rstrip(".").lower(), kind))

    def _wire(self, one: Records, kind: str = "") -> str:
        reply = dns.message.make_response(dns.message.make_query(f"{one.name}.", kind or one.type))
        reply.flags |= dns.flags.AA | dns.flags.RA
        reply.answer.append(_rrset(one))
        if kind and (end := self._end_of(one, kind)):
            reply.answer.append(_rrset(end))
        return reply.to_wire(max_size=65535)[2:].hex()


def _rrset(one: Records) -> dns.rrset.RRset:
    return dns.rrset.from_text(
        f"{one.name}.", one.ttl_seconds, "IN", one.type, *(_value(one.type, value) for value in one.values)
    )


def _value(kind: str, value: str) -> str:
    """A TXT value as a zone file has it: strings of at most 255 bytes, each in quotes."""
    if kind != "TXT" or value.startswith('"'):
        return value
    pieces = [value[at : at + 250] for at in range(0, len(value), 250)] or [""]
    return " ".join('"' + piece.replace("\\", "\\\\").replace('"', '\\"') + '"' for piece in pieces)


def store_records(stores: Mapping[str, Sequence[str]]) -> list[Records]:
    """What the lab's companies have published: `stores` maps a server to its address and its domains. Unlike each
    other, and with the usual sins: long TTLs, no SPF, two SPF records, a DMARC that only watches."""
    found: list[Records] = []
    for server, (address, *domains) in stores.items():
        long = 86_400 if server == "north" else 600
        found += [Records(domain, "A", (address,), long) for domain in domains]
        zone = f"{server}.example"
        found += [
            Records(zone, "NS", ("ns1.dns.example.", "ns2.dns.example."), 86_400),
            Records(zone, "MX", (f"10 mx.{zone}.",), 3600),
        ]
    found += [
        Records("north.example", "TXT", (f"v=spf1 ip4:{stores['north'][0]} mx ~all", "site-check=4711"), 3600),
        Records("_dmarc.north.example", "TXT", ("v=DMARC1; p=none; rua=mailto:dmarc@north.example",), 3600),
        Records("default._domainkey.north.example", "TXT", ("v=DKIM1; k=rsa; p=" + "MIIBIjANBgkq" * 30,), 3600),
        Records("north.example", "CAA", ('0 issue "letsencrypt.org"',), 3600),
        Records("_dmarc.south.example", "TXT", ("v=DMARC1; p=reject; sp=quarantine",), 3600),
        Records("east.example", "TXT", ("v=spf1 include:spf.mail.example -all", "v=spf1 mx ~all"), 3600),
    ]
    return found
