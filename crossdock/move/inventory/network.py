"""What listens on a server, whom it talks to, and which rules name addresses. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from crossdock.core.inventory import Item
from crossdock.core.observed import Probed, VirtualHost
from crossdock.move.inventory.words import lines, masked, numbered, plain

_PROGRAM = re.compile(r'users:\(\("((?:[^"\\]|\\.)*)"')
_ADDRESS = re.compile(
    r"(?<![\w.:/-])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]{0,4}:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)(?:/\d{1,3})?(?![\w.])"
)
_EPHEMERAL = 32768
_LISTENING = "0A"
_MOST = 300
_CACHES = {
    "redis-server": "redis", "valkey-server": "valkey", "keydb-server": "keydb", "memcached": "memcached",
    "varnishd": "varnish",
}  # fmt: skip
_CACHE_PORTS = {6379: "redis", 11211: "memcached", 6081: "varnish"}
_LOCAL_NAMES = frozenset(
    f"{before}{name}"
    for before, names in (("ip6-", "localhost loopback localnet mcastprefix allnodes allrouters"), ("", "localhost"))
    for name in names.split()
)


@dataclass(frozen=True)
class Port:
    protocol: str
    address: str
    port: int
    program: str = ""

    @property
    def is_local(self) -> bool:
        return _is_loopback(self.address)


@dataclass(frozen=True)
class Peer:
    """Where a server keeps connections open to. `name` from DNS, where it has one."""

    address: str
    port: int
    program: str = ""
    connections: int = 1
    name: str = ""


def ports(told: Probed, sockets: Probed) -> list[Port]:
    """What `ss` says; without it what the kernel's own tables say, which name no program."""
    found: dict[tuple[str, str, int], Port] = {}
    for line in lines(told.out):
        words = line.split()
        if len(words) < 6 or words[0] not in ("tcp", "udp"):
            continue
        address, port = _pair(words[4])
        if port == 0 or (words[0] == "udp" and port >= _EPHEMERAL):
            continue
        found.setdefault((words[0], address, port), Port(words[0], address, port, _program(line)))
    for line in lines(sockets.out):
        words = line.split()
        if len(words) > 3 and words[3] == _LISTENING:
            address, port = _from_kernel(words[1])
            if port == 0:
                continue
            found.setdefault(("tcp", address, port), Port("tcp", address, port))
    return list(found.values())


def peers(told: Probed, listening: Sequence[Port]) -> list[Peer]:
    """The far ends of connections that this server opened, busiest first."""
    own = {one.port for one in listening if one.protocol == "tcp"}
    found: dict[tuple[str, int, str], int] = {}
    for line in lines(told.out):
        ends = [word for word in line.split() if re.search(r":\d+$", word)][:2]
        if len(ends) < 2:
            continue
        (_, local_port), (address, port) = _pair(ends[0]), _pair(ends[1])
        if local_port in own or _is_loopback(address):
            continue
        key = (address, port, _program(line))
        found[key] = found.get(key, 0) + 1
    busiest = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    return [Peer(*key, connections=count) for key, count in busiest]


def _pair(word: str) -> tuple[str, int]:
    host, _, port = word.rpartition(":")
    host = host.partition("%")[0].strip("[]").removeprefix("::ffff:")
    return plain(host), int(port) if port.isdigit() else 0


def _program(line: str) -> str:
    found = _PROGRAM.search(line)
    return plain(found[1]) if found else ""


def _from_kernel(word: str) -> tuple[str, int]:
    """The kernel writes each four bytes of an address as one number of this machine."""
    host, _, port = word.partition(":")
    try:
        raw = bytes.fromhex(host)
        swapped = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
        return str(ipaddress.ip_address(swapped)), int(port, 16)
    except ValueError:
        return plain(host), 0


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def port_items(server: str, found: Sequence[Port]) -> Iterator[Item]:
    for one in found[:_MOST]:
        who = one.program or "a program that only root sees"
        reach = "this server alone" if one.is_local else "the network"
        data = {"protocol": one.protocol, "address": one.address, "port": one.port, "program": one.program,
                "is_local": one.is_local}  # fmt: skip
        yield Item("port", server, f"{one.protocol} {one.address}:{one.port}", f"{who} listens for {reach}", data)


def peer_items(server: str, found: Sequence[Peer]) -> Iterator[Item]:
    grouped: dict[tuple[str, int], list[Peer]] = {}
    for one in found:
        grouped.setdefault((one.address, one.port), []).append(one)
    for (address, port), some in list(grouped.items())[:_MOST]:
        programs = sorted({one.program for one in some if one.program})
        count, name = sum(one.connections for one in some), some[0].name
        who = f" from {', '.join(programs)}" if programs else ""
        text = f"{count} open connections{who}{f' to {name}' if name else ''}"
        data = {"address": address, "port": port, "programs": programs, "connections": count, "name": name}
        yield Item("peer", server, f"{address}:{port}", text, data)


def cache_items(server: str, programs: Probed, listening: Sequence[Port]) -> Iterator[Item]:
    seen = {_CACHES[name] for name in lines(programs.out) if name in _CACHES}
    seen |= {_CACHE_PORTS[one.port] for one in listening if one.port in _CACHE_PORTS}
    for name in sorted(seen):
        yield Item("cache", server, name, f"{name} runs here: its content is made anew, its configuration is not", {})


def host_items(server: str, hosts: Probed, own: Iterable[str]) -> Iterator[Item]:
    """Names that this server alone resolves to something else: after the move nothing does."""
    here = frozenset(own)
    for line in lines(hosts.out):
        address, *names = line.partition("#")[0].split()
        kept = [plain(name) for name in names if name.lower() not in _LOCAL_NAMES]
        if kept and address not in here and not _is_loopback(address) and not address.startswith(("fe00", "ff0")):
            yield Item(
                "hosts-entry", server, " ".join([plain(address), *kept]), "a name in /etc/hosts", {"address": address}
            )


@dataclass(frozen=True)
class AddressRule:
    """A rule that lets in, or keeps out, addresses that it names."""

    text: str
    addresses: tuple[str, ...] = field(default=())


def address_rules(firewall: Probed, hosts: Sequence[VirtualHost]) -> list[AddressRule]:
    """Rules of the firewall, of hosts.allow and of the web server that name addresses of others."""
    found: dict[str, AddressRule] = {}
    told = [
        *lines(firewall.out),
        *(line for _, text in firewall.files for line in lines(text) if not line.startswith("#")),
    ]
    for line in told:
        named = tuple(one for one in _ADDRESS.findall(line) if _is_of_others(one))
        if named:
            words = masked(plain(line))[:200]
            found.setdefault(words, AddressRule(words, named))
    for host in hosts:
        for address in host.allowed:
            if _is_of_others(address):
                words = f"web server allows {address} at {host.names[0] if host.names else host.place}"
                found.setdefault(words, AddressRule(words, (address,)))
    return list(found.values())


def _is_of_others(word: str) -> bool:
    try:
        network = ipaddress.ip_network(word, strict=False)
    except ValueError:
        return False
    return not (network.is_loopback or network.is_multicast or network.is_link_local or network.prefixlen == 0)


def rule_items(server: str, rules: Sequence[AddressRule]) -> Iterator[Item]:
    for one in rules[:_MOST]:
        yield Item("firewall-rule", server, one.text, "names addresses", {"addresses": list(one.addresses)})
    if len(rules) > _MOST:
        yield Item("firewall-rule", server, "(more)", f"{len(rules) - _MOST} more rules name addresses", {})


def network_items(
    server: str, answers: dict[str, Probed], found: Sequence[Port], far: Sequence[Peer], hosts: Sequence[VirtualHost],
    own: Iterable[str],
) -> list[Item]:  # fmt: skip
    """`far`: the peers, with the names that DNS gave them; `own`: this server's addresses."""
    empty = Probed()
    return list(
        numbered(
            [
                *port_items(server, found),
                *peer_items(server, far),
                *cache_items(server, answers.get("programs", empty), found),
                *host_items(server, answers.get("hosts", empty), own),
                *rule_items(server, address_rules(answers.get("firewall", empty), hosts)),
            ]
        )
    )
