"""The checklist of access for the client's IT: tries everything at once, keeps access.json and a receipt."""

from __future__ import annotations

import datetime
import json
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crossdock.core.config import Config, Place
from crossdock.core.config_survey import AccessNeed
from crossdock.core.errors import CrossdockError
from crossdock.core.evidence import Finding, Json
from crossdock.core.ports import Journal
from crossdock.core.secrets import Masked
from crossdock.edges.dns import DnsResolver
from crossdock.edges.reach import Reach
from crossdock.edges.whole_file import write_whole
from crossdock.hub.moves.access import database_of, shell
from crossdock.hub.moves.surroundings import cloud_of
from crossdock.move import checklist
from crossdock.move.checklist import Allowed, Checked, Need
from crossdock.move.inventory.dns import bare, parents

_AT_ONCE = 8


@dataclass(frozen=True)
class Checklist:
    """Everything that was tried, and whom to tell the target's addresses."""

    needs: list[Checked]
    allow: list[Allowed]
    findings: list[Finding]
    token: str
    today: datetime.date

    @property
    def missing(self) -> list[Checked]:
        return [one for one in self.needs if one.state == "missing"]

    def figures(self) -> Json:
        return checklist.figures(self.needs, self.allow, self.today)

    def as_json(self) -> Json:
        return {
            "day": self.today.isoformat(),
            "token": self.token,
            "needs": [one.as_json(self.today) for one in self.needs],
            "allow": [asdict(one) for one in self.allow],
            **self.figures(),
        }


def check_access(config: Config, journal: Journal, today: datetime.date | None = None) -> Checklist:
    """Tries every access once. Errors: none for what is missing; ConfigError when the state folder can't be written."""
    day = today or datetime.datetime.now(datetime.UTC).date()
    assessment, kept = _read(config.state / "assessment.json"), _read(config.state / "access.json")
    token = str(kept.get("token") or secrets.token_hex(8))
    resolver = DnsResolver(config.dns.resolvers)
    wanted = checklist.needs(config, assessment, _zones(config, resolver), token)
    tries = _Tries(config, resolver, token)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        problems = list(pool.map(tries.problem, wanted))
    found = checklist.checked(config, list(zip(wanted, problems, strict=True)), kept, day)
    made = Checklist(found, checklist.allowed(assessment), list(checklist.findings(found, day)), token, day)
    _keep(config.state / "access.json", made.as_json())
    for one in made.findings:
        journal.finding(one, step="access")
    journal.receipt("access", config.project.name, made.figures())
    return made


def _zones(config: Config, resolver: DnsResolver) -> dict[str, str]:
    """Production domain -> the nearest name at or above it that has name servers of its own."""
    domains = [store.domains["production"] for store in config.stores]
    above = {domain: [domain, *parents(domain)] for domain in domains}
    answers = resolver.ask(list(dict.fromkeys((name, "NS") for names in above.values() for name in names)))
    return {
        domain: next((name for name in names if answers[name, "NS"].values), bare(domain))
        for domain, names in above.items()
    }


@dataclass(frozen=True)
class _Tries:
    """How each kind of access is tried. Every method returns why it does not work, or ''."""

    config: Config
    resolver: DnsResolver
    token: str

    def problem(self, need: Need) -> str:
        """Never raises: a secret that can't be read is a reason too."""
        tries: dict[str, Callable[[str], str]] = {
            "ssh": self._ssh, "sudo": self._sudo, "database": self._database, "aws": self._aws,
        }  # fmt: skip
        entry = next((one for one in self.config.access if one.name == need.subject), None)
        try:
            if need.purpose in tries:
                return tries[need.purpose](need.subject)
            if entry is not None:
                return self._declared(entry)
            if need.purpose == "dns":
                return self._zone(need.subject)
        except CrossdockError as error:
            return error.what
        return "nobody has said where it is"

    def _place(self, name: str) -> Place:
        return next((one for one in self.config.servers if one.name == name), None) or self.config.environments[name]

    def _ssh(self, name: str) -> str:
        done = shell(name, self._place(name)).run(["true"], timeout_seconds=40, check=False)
        return "" if done.status == 0 else f"the account runs no commands (status {done.status})"

    def _sudo(self, name: str) -> str:
        script = '[ "$(id -u)" = 0 ] || sudo -n true'
        done = shell(name, self._place(name)).run(["sh", "-c", script], timeout_seconds=40, check=False)
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return "" if done.status == 0 else (said[-1] if said else "sudo refuses")[:200]

    def _database(self, name: str) -> str:
        with ExitStack() as stack:
            database_of(name, self._place(name), stack).open_source().close()
        return ""

    def _aws(self, name: str) -> str:
        return str(cloud_of(next(one for one in self.config.aws if one.name == name)).problem())

    def _zone(self, zone: str) -> str:
        question = (f"{checklist.CHALLENGE}.{zone}", "TXT")
        told = self.resolver.ask([question])[question]
        if told.problem:
            return told.problem
        return "" if f"crossdock={self.token}" in told.values else "the record that proves it is not published"

    def _declared(self, entry: AccessNeed) -> str:
        if entry.address is None:
            return "nobody has said where it is" if entry.needed else "not needed"
        password = Masked(entry.password.reveal()) if entry.password else Masked("")
        config = str(entry.ssh_config) if entry.ssh_config else None
        return Reach(entry.address, entry.user or "", password, entry.expect or "", ssh_config=config).problem()


def _read(path: Path) -> Mapping[str, Any]:
    """A file of ours; {} where there is none, or where it is spoilt: it is made anew."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _keep(path: Path, content: Json) -> None:
    """Whole or not at all."""
    write_whole(path, json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
