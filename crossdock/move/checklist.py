"""What access the move needs, who must give it and until when, and who may allow the old addresses. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from crossdock.core.config import Config, Place
from crossdock.core.evidence import Finding, Json, Level
from crossdock.move.inventory.dns import bare

Purpose = Literal["ssh", "sudo", "database", "dns", "aws", "host", "smtp", "payment", "erp", "other"]
State = Literal["works", "missing", "not needed"]
#: Where a zone's owner publishes our token, which proves that they can change the zone.
CHALLENGE = "_crossdock"
_UNTOLD = {
    "host": "the managed host's account: plans, backups, domains and certificates are set there",
    "smtp": "the relay that the stores' mail goes through after the move",
    "payment": "the accounts at payment providers: their webhooks and allowed addresses change with the move",
}
_OFFLINE_GATEWAYS = frozenset({"bacs", "cheque", "cod"})


@dataclass(frozen=True)
class Need:
    """One access. `subject`: the server, environment, zone or entry it is to; `secret`: a reference, never a value;
    `way_out`: how it is given; `role`: whose task that is."""

    purpose: Purpose
    subject: str
    what: str
    way_out: str
    role: str = "client-it"
    secret: str = ""
    is_needed: bool = True
    reason: str = ""
    until: datetime.date | None = None

    @property
    def name(self) -> str:
        return f"{self.purpose}:{self.subject}"


@dataclass(frozen=True)
class Checked:
    """A need, and whether it works right now. `said`: why it does not. `who`: the people of that role, by name."""

    need: Need
    state: State
    said: str
    who: tuple[str, ...]
    until: datetime.date

    def is_overdue(self, today: datetime.date) -> bool:
        return self.state == "missing" and self.until < today

    def as_json(self, today: datetime.date) -> Json:
        need = self.need
        return {
            "name": need.name, "purpose": need.purpose, "subject": need.subject, "what": need.what, "state": self.state,
            "said": self.said, "role": need.role, "who": list(self.who), "until": self.until.isoformat(),
            "is_overdue": self.is_overdue(today), "secret": need.secret, "way_out": need.way_out, "reason": need.reason,
        }  # fmt: skip


def needs(config: Config, assessment: Mapping[str, Any], zones: Mapping[str, str], token: str) -> list[Need]:
    """All that the move needs, in the order in which it needs it. `assessment`: what assessment.json holds, {} before
    the first; `zones`: production domain -> the zone it lies in."""
    return [
        *(one for server in config.servers for one in _of_place(server.name, server, "client-it", assessment)),
        *(one for name, place in config.environments.items() for one in _of_place(name, place, "operator", {})),
        *_zones(config, zones, token),
        *(
            Need("aws", one.name, f"AWS, read only, in {', '.join(one.regions)}",
                 "give a key or role with ec2:Describe* and sts:GetCallerIdentity", secret=_reference(one.secret_key),
                 )
            for one in config.aws
        ),
        *_declared(config),
        *_untold(config, assessment),
    ]  # fmt: skip


def _of_place(name: str, place: Place, role: str, assessment: Mapping[str, Any]) -> Iterator[Need]:
    is_source = role == "client-it"
    key = "give this account's SSH key access, and let this machine through the firewall"
    yield Need("ssh", name, f"SSH to {place.ssh}", key, role)
    if is_source:
        blind = _needs_root(name, assessment)
        what = f"sudo without a password on {name}"
        why = "" if blind else "the assessment read all it asked for without it" if assessment else "assess first"
        way_out = "allow the SSH account `sudo` without a password while the move lasts"
        yield Need("sudo", name, f"{what}{f', to read {blind}' if blind else ''}", way_out, role, "", bool(blind), why)
    given = place.database
    account = f"account {given.user}" if given and given.user else "the account of wp-config.php"
    rights = "SELECT, SHOW VIEW, TRIGGER, LOCK TABLES and REPLICATION CLIENT" if is_source else "all rights"
    secret = _reference(given.password) if given else "in wp-config.php"
    way_out = f"make an account with {rights} on the stores' schema"
    yield Need("database", name, f"database of {name} by {account}", way_out, role, secret or "in wp-config.php")


def _needs_root(server: str, assessment: Mapping[str, Any]) -> str:
    """What the assessment could not read there for want of rights."""
    found = [
        str(one["place"]).partition(": ")[2]
        for one in assessment.get("findings", [])
        if one["code"] == "land.unreadable" and one["place"].startswith(f"{server}: ") and "sudo" in one["way_out"]
    ]
    return ", ".join(found)


def _zones(config: Config, zones: Mapping[str, str], token: str) -> Iterator[Need]:
    names = dict.fromkeys(
        zones.get(store.domains["production"], bare(store.domains["production"])) for store in config.stores
    )
    for zone in names:
        record = f"{CHALLENGE}.{zone} TXT crossdock={token}"
        yield Need(
            "dns", zone, f"somebody who can change the zone {zone}", f"publish {record}: it proves that they can"
        )


def _declared(config: Config) -> Iterator[Need]:
    for one in config.access:
        what = _UNTOLD.get(one.purpose, f"{one.name}: an account at {one.address or 'a place not told yet'}")
        way_out = f"give the account, and put it under [[access]] {one.name}"
        needed = one.needed
        yield Need(
            one.purpose, one.name, what, way_out, one.who, _reference(one.password), needed,
            "" if needed else one.reason or "crossdock.toml says so", one.until,
        )  # fmt: skip


def _untold(config: Config, assessment: Mapping[str, Any]) -> Iterator[Need]:
    """What every move needs, and crossdock.toml says nothing about."""
    told = {one.purpose for one in config.access}
    online = [
        one["name"]
        for one in assessment.get("items", [])
        if one["kind"] == "gateway" and not set(str(one["name"]).split()) & _OFFLINE_GATEWAYS
    ]
    for purpose in ("host", "smtp", *(("payment",) if online else ())):
        if purpose not in told:
            way_out = f'add an [[access]] with purpose = "{purpose}" and its address; or needed = false with the reason'
            yield Need(purpose, "(not told yet)", _UNTOLD[purpose], way_out)


def _reference(secret: Any) -> str:
    """Where the secret is, as crossdock.toml says; of a file its name alone."""
    reference = secret.reference if secret is not None else ""
    scheme, _, name = reference.partition(":")
    return f"file:{name.rpartition('/')[2]}" if scheme == "file" else reference


def checked(
    config: Config, found: Sequence[tuple[Need, str]], kept: Mapping[str, Any], today: datetime.date
) -> list[Checked]:
    """`found`: each need and why it does not work ('' where it does). A date that was set by an earlier run stays, or
    what is missing would never be overdue."""
    before = {str(one["name"]): str(one["until"]) for one in kept.get("needs", [])}
    late = today + datetime.timedelta(days=config.policies.access_days)
    return [
        Checked(
            need,
            "works" if not problem else "missing" if need.is_needed else "not needed",
            problem if need.is_needed else need.reason or problem,
            _people(config, need.role),
            need.until or _day(before.get(need.name, ""), late),
        )
        for need, problem in found
    ]


def _people(config: Config, role: str) -> tuple[str, ...]:
    return tuple(one.name for one in config.people if one.role == role)


def _day(text: str, otherwise: datetime.date) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return otherwise


@dataclass(frozen=True)
class Allowed:
    """Somebody who may know the old addresses: a far end that a server talks to, or a rule that names addresses."""

    kind: str
    server: str
    name: str
    text: str


def allowed(assessment: Mapping[str, Any]) -> list[Allowed]:
    """Whom to tell the target's addresses, from the assessment's items."""
    return [
        Allowed(one["kind"], one["server"], one["name"], _asked(one["kind"], one["text"]))
        for one in assessment.get("items", [])
        if one["kind"] in ("peer", "firewall-rule")
    ]


def _asked(kind: str, text: str) -> str:
    if kind == "peer":
        return f"{text}; ask its owner whether they allow this server by address"
    return f"{text}; ask whether the target needs a rule like it"


def findings(found: Iterable[Checked], today: datetime.date) -> Iterator[Finding]:
    for one in found:
        if one.state == "missing":
            late = f"; it was due on {one.until}" if one.is_overdue(today) else ""
            text = f"missing: {one.need.what}: {one.said}{late}"
            yield Finding("access.missing", Level.WARN, one.need.name, text, one.need.way_out, {"role": one.need.role})


def figures(found: Sequence[Checked], others: Sequence[Allowed], today: datetime.date) -> Json:
    """Counts, for a receipt."""
    return {
        "works": sum(one.state == "works" for one in found),
        "missing": sum(one.state == "missing" for one in found),
        "not_needed": sum(one.state == "not needed" for one in found),
        "overdue": sum(one.is_overdue(today) for one in found),
        "allow": len(others),
    }
