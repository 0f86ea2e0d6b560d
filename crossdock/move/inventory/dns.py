"""What DNS says of the stores' names, and what of it will be in the way of a switch. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence

from crossdock.core.evidence import Finding, Level
from crossdock.core.inventory import Item
from crossdock.core.observed import DnsAnswer
from crossdock.move.inventory import mail
from crossdock.move.inventory.network import Peer
from crossdock.move.inventory.words import masked, plain

#: Items and findings of names belong to no server of ours.
PLACE = "dns"
TYPES = ("A", "AAAA", "CNAME", "MX", "TXT", "NS", "CAA")
_SWITCHED = ("A", "AAAA", "CNAME")
Answers = Mapping[tuple[str, str], DnsAnswer]


def twin(domain: str) -> str:
    """The same name with or without www."""
    return domain.removeprefix("www.") if domain.startswith("www.") else f"www.{domain}"


def bare(domain: str) -> str:
    return domain.removeprefix("www.")


def parents(domain: str) -> list[str]:
    """The names above one, down to two labels: org.example for shop.org.example."""
    labels = domain.split(".")
    return [".".join(labels[at:]) for at in range(1, len(labels) - 1)]


def questions(domains: Iterable[str], selectors: Sequence[str]) -> list[tuple[str, str]]:
    """Everything to ask for the stores' names, each once."""
    asked: dict[tuple[str, str], None] = {}
    for domain in domains:
        for name in (domain, twin(domain)):
            asked |= {(name, kind): None for kind in TYPES}
        asked |= dict.fromkeys(mail.questions(bare(domain), selectors))
        asked |= {(f"_dmarc.{name}", "TXT"): None for name in parents(bare(domain))}
        asked |= {(name, "NS"): None for name in parents(bare(domain))}
    return list(asked)


def items(domains: Sequence[str], answers: Answers) -> Iterator[Item]:
    """One item for each set of records that is there."""
    names = {name for domain in domains for name in (domain, twin(domain), f"_dmarc.{bare(domain)}")}
    keys = {name for name, kind in answers if kind == "TXT" and "._domainkey." in name}
    for (name, kind), told in sorted(answers.items()):
        if not told.values or name not in names | keys or (kind == "NS" and name.startswith("www.")):
            continue
        values = [
            plain(masked(value) if kind == "TXT" and not name.startswith("_dmarc.") else value) for value in told.values
        ]
        shown = "; ".join(value[:80] for value in values[:4]) + (" ..." if len(values) > 4 else "")
        data = {"values": [value[:500] for value in values], "ttl_seconds": told.ttl_seconds}
        yield Item("dns-record", PLACE, f"{name} {kind}", f"{shown} (TTL {told.ttl_seconds} s)", data)


def findings(
    domains: Sequence[str], answers: Answers, *, selectors: Sequence[str], ttl_high_seconds: int,
    own: Mapping[str, Sequence[str]],
) -> Iterator[Finding]:  # fmt: skip
    """`own`: each domain's own server's addresses, where they are known."""
    yield from _unreadable(answers)
    told: set[str] = set()
    for domain in domains:
        yield from _addresses(domain, answers, own.get(domain, ()))
        for name in (domain, twin(domain)):
            if name not in told:
                yield from _ttls(name, answers, ttl_high_seconds)
        if bare(domain) not in told:
            yield from _authorities(bare(domain), answers)
            inherited = next(
                (found for one in parents(bare(domain)) if (found := answers[f"_dmarc.{one}", "TXT"]).values), None
            )
            yield from mail.mail_findings(mail.records_of(bare(domain), selectors, answers), inherited)
        told |= {domain, twin(domain), bare(domain)}


def _unreadable(answers: Answers) -> Iterator[Finding]:
    """One finding for a resolver that is silent, not one for each question."""
    problems: dict[str, list[str]] = {}
    for (name, kind), told in answers.items():
        if told.problem:
            problems.setdefault(told.problem, []).append(f"{name} {kind}")
    for problem, asked in problems.items():
        text = f"not known: {len(asked)} of {len(answers)} records, such as {asked[0]}: {plain(problem)}"
        yield Finding("dns.unreadable", Level.WARN, PLACE, text, "name resolvers that answer: [dns] resolvers")


def _addresses(domain: str, answers: Answers, own: Sequence[str]) -> Iterator[Finding]:
    told = [answers[domain, kind] for kind in ("A", "AAAA")]
    if any(one.problem for one in told):
        return
    found = [value for one in told for value in one.values]
    public = {one for one in own if _is_public(one)}
    if not found:
        text, way_out = (
            "the name has no address: no visitor finds this store",
            "check the domain's name in crossdock.toml",
        )
        yield Finding("dns.missing", Level.WARN, f"dns: {domain}", text, way_out)
    elif public and not public & set(found):
        text = f"leads to {', '.join(found[:3])}, which is none of its server's addresses: something stands before it"
        way_out = "find out what (a CDN, a load balancer, NAT): it has settings that must move too"
        yield Finding("dns.elsewhere", Level.WARN, f"dns: {domain}", text, way_out, {"addresses": found})


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _ttls(name: str, answers: Answers, limit: int) -> Iterator[Finding]:
    high = {
        kind: told.ttl_seconds
        for kind in _SWITCHED
        if (told := answers[name, kind]).values and told.ttl_seconds > limit
    }
    if high:
        told_ = ", ".join(f"{kind} {seconds} s" for kind, seconds in high.items())
        text = f"visitors keep the present address for long: TTL of {told_}"
        way_out = f"have it lowered to 300 s, at least {max(high.values()) // 3600 + 1} hours before the switch"
        yield Finding("dns.ttl-high", Level.WARN, f"dns: {name}", text, way_out, {"ttl_seconds": max(high.values())})


def _authorities(name: str, answers: Answers) -> Iterator[Finding]:
    told = next(
        (found for one in (name, *parents(name)) if (found := answers.get((one, "CAA"))) and found.values), None
    )
    if told:
        text = f"CAA lets only these authorities issue certificates: {'; '.join(told.values[:4])}"
        way_out = "the target host's authority must be among them before it asks for certificates"
        yield Finding("dns.caa", Level.INFO, f"dns: {name}", text, way_out, {"values": list(told.values)})


def pointers(peers: Iterable[Peer], most: int = 60) -> dict[str, tuple[str, str]]:
    """address -> the question whose answer names it, for the busiest public peers."""
    found: dict[str, tuple[str, str]] = {}
    for peer in peers:
        if len(found) < most and _is_public(peer.address):
            found[peer.address] = (ipaddress.ip_address(peer.address).reverse_pointer, "PTR")
    return found
