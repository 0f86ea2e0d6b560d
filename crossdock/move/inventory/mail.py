"""How a server sends mail, and what SPF, DKIM and DMARC in DNS let others think of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from crossdock.core.evidence import Finding, Level
from crossdock.core.inventory import Item
from crossdock.core.observed import DnsAnswer, Probed
from crossdock.move.inventory.words import key_values, masked, plain

#: Names under which the usual senders publish their keys.
SELECTORS = (
    "default", "google", "selector1", "selector2", "k1", "k2", "k3", "s1", "s2", "mail", "dkim", "smtp", "mandrill",
    "mxvault", "zoho", "fm1", "pm", "brevo1", "mte1",
)  # fmt: skip
_MOST_LOOKUPS = 10
_LOOKS_UP = re.compile(r"^[+?~-]?(?:include:|a(?::|/|$)|mx(?::|/|$)|ptr(?::|$)|exists:|redirect=)", re.IGNORECASE)


def relay_items(server: str, told: Probed) -> Iterator[Item]:
    programs: dict[str, dict[str, str]] = {}
    for key, value in key_values(told.out).items():
        program, _, name = key.partition(".")
        programs.setdefault(program, {})[name] = masked(plain(value))
    for program, settings in programs.items():
        relay = next(
            (settings[name] for name in ("relayhost", "smarthost", "mailhub", "host") if settings.get(name)), ""
        )
        text = (
            f"sends mail {f'through {relay}' if relay else 'to its recipients itself: from the server’s own address'}"
        )
        yield Item("mail-relay", server, plain(program), text, {"relay": relay, "settings": settings})


@dataclass(frozen=True)
class MailRecords:
    """The answers that say who may send mail for one domain: `txt` and `dmarc` of TXT, `mx`, and keys by selector."""

    domain: str
    txt: DnsAnswer
    dmarc: DnsAnswer
    mx: DnsAnswer
    keys: Mapping[str, DnsAnswer]


def questions(domain: str, selectors: Sequence[str]) -> list[tuple[str, str]]:
    """Everything to ask for a domain's mail."""
    keys = [(f"{selector}._domainkey.{domain}", "TXT") for selector in dict.fromkeys((*selectors, *SELECTORS))]
    return [(domain, "TXT"), (domain, "MX"), (f"_dmarc.{domain}", "TXT"), *keys]


def records_of(domain: str, selectors: Sequence[str], answers: Mapping[tuple[str, str], DnsAnswer]) -> MailRecords:
    keys = {
        selector: answers[name, "TXT"]
        for selector in dict.fromkeys((*selectors, *SELECTORS))
        if (name := f"{selector}._domainkey.{domain}", "TXT") and (name, "TXT") in answers
    }
    return MailRecords(domain, answers[domain, "TXT"], answers[f"_dmarc.{domain}", "TXT"], answers[domain, "MX"], keys)


def mail_findings(told: MailRecords, parent_dmarc: DnsAnswer | None = None) -> Iterator[Finding]:
    """What receivers will hold against mail of this domain. Nothing where DNS itself did not answer.

    `parent_dmarc`: the policy of the organisation's domain, which holds for names below it.
    """
    if not told.txt.problem:
        yield from _spf(told)
    if not any(answer.problem for answer in told.keys.values()):
        yield from _dkim(told)
    if not told.dmarc.problem:
        yield from _dmarc(told, parent_dmarc)


def _spf(told: MailRecords) -> Iterator[Finding]:
    place = f"dns: {told.domain}"
    found = [value for value in told.txt.values if re.match(r"v=spf1(?:\s|$)", value, re.IGNORECASE)]
    terms = found[0].split()[1:] if found else []
    last = next((term.lower() for term in terms if term.lower().endswith("all")), "")
    if not found:
        text, way_out = (
            "no SPF record: any server may pass itself off as this domain",
            "publish one that names the new sender",
        )
    elif len(found) > 1:
        text, way_out = f"{len(found)} SPF records: receivers then use none of them", "make one of them"
    elif sum(bool(_LOOKS_UP.match(term)) for term in terms) > _MOST_LOOKUPS:
        text, way_out = (
            f"SPF asks for more than {_MOST_LOOKUPS} look-ups: receivers then give up",
            "leave senders out that are gone",
        )
    elif last in ("+all", "all"):
        text, way_out = "SPF lets every server send (+all)", "end it with ~all or -all"
    elif not last and not any(term.lower().startswith("redirect=") for term in terms):
        text, way_out = "SPF says nothing of senders it does not name", "end it with ~all or -all"
    else:
        named = [term for term in terms if re.match(r"[+?~-]?ip[46]:", term, re.IGNORECASE)]
        text = f"SPF names {len(named)} addresses: those of servers that go must be taken out, the new sender's put in"
        yield Finding("mail.spf", Level.INFO, place, text, data={"record": found[0][:500]})
        return
    yield Finding("mail.spf", Level.WARN, place, text, way_out, {"records": len(found)})


def _dkim(told: MailRecords) -> Iterator[Finding]:
    place = f"dns: {told.domain}"
    good: list[str] = []
    revoked: list[str] = []
    for selector, answer in told.keys.items():
        for value in answer.values:
            tags = _tags(value)
            if "p" in tags:
                (good if tags["p"] else revoked).append(selector)
    if good:
        text = f"DKIM keys are published under {', '.join(dict.fromkeys(good))}"
        yield Finding("mail.dkim", Level.INFO, place, text, data={"selectors": list(dict.fromkeys(good))})
    else:
        what = (
            "only withdrawn DKIM keys"
            if revoked
            else f"no DKIM key under the {len(told.keys)} selectors that were asked"
        )
        way_out = (
            "name the sender's own selector under [dns] selectors, or have the sender sign with a key of this domain"
        )
        yield Finding("mail.dkim", Level.WARN, place, what, way_out)


def _dmarc(told: MailRecords, parent: DnsAnswer | None) -> Iterator[Finding]:
    place = f"dns: {told.domain}"
    own = [value for value in told.dmarc.values if value.lower().startswith("v=dmarc1")]
    inherited = [value for value in (parent.values if parent else ()) if value.lower().startswith("v=dmarc1")]
    found = own or inherited
    policy = _tags(found[0]) if found else {}
    rule = policy.get("p", "").lower() if own else policy.get("sp", policy.get("p", "")).lower()
    if not found:
        text, way_out = "no DMARC policy", "publish one at _dmarc, at first with p=none and an address for reports"
    elif len(found) > 1:
        text, way_out = f"{len(found)} DMARC policies: receivers then use none of them", "make one of them"
    elif rule not in ("none", "quarantine", "reject"):
        text, way_out = "the DMARC policy has no p= that receivers know", "write p=none, p=quarantine or p=reject"
    elif rule == "none":
        text, way_out = "DMARC only watches (p=none)", "raise it to quarantine once the reports are clean"
    else:
        text = f"DMARC is {rule}: mail that the new sender does not sign, or that SPF does not name, will be lost"
        yield Finding("mail.dmarc", Level.INFO, place, text, data={"policy": rule})
        return
    yield Finding("mail.dmarc", Level.WARN, place, text, way_out, {"policy": rule})


def _tags(value: str) -> dict[str, str]:
    parts = (part.partition("=") for part in value.split(";"))
    return {name.strip().lower(): "".join(content.split()) for name, equals, content in parts if equals}
