"""Looks around all servers at once: what lives on them, what DNS, their certificates, front pages and cloud say."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from ipaddress import ip_address
from pathlib import Path

from crossdock.core.config import Config
from crossdock.core.config_survey import AwsAccess
from crossdock.core.errors import AccessError
from crossdock.core.evidence import Finding, Json, Level, digest_of
from crossdock.core.inventory import Item
from crossdock.core.observed import Cloud, CloudFacts, DnsAnswer, Probed, ShownCertificate, VirtualHost
from crossdock.core.secrets import Masked
from crossdock.edges.dns import DnsResolver
from crossdock.edges.http import SiteWeb
from crossdock.edges.probing import ScriptProber
from crossdock.edges.ssh import SshHost
from crossdock.edges.tls import TlsPort
from crossdock.edges.whole_file import write_whole
from crossdock.formats.web_hosts import apache_hosts, nginx_hosts
from crossdock.hub.moves.access import shell
from crossdock.move.inventory import cloud, dns, front
from crossdock.move.inventory.certificates import CertificateFile, certificate_of
from crossdock.move.inventory.network import Peer
from crossdock.move.inventory.observe import Observed, observe, server_findings, server_items
from crossdock.move.inventory.web import database_items
from crossdock.move.items import items
from crossdock.move.survey import Source, SourceFacts, other_databases

_MOST_NAMES = 60
_AT_ONCE = 8
_PATIENCE_SECONDS = 8.0
# Each WordPress has it, and no PHP runs for it: a page that is asked for would write transients at the source.
_STILL_FILE = "/wp-includes/images/blank.gif"


@dataclass(frozen=True)
class Spot:
    """One server to look at. `root` and `database`: the project's own WordPress there; `domains`: names to ask DNS
    about (None: those that its web server answers to); `http`: where they answer, if not where DNS leads."""

    name: str
    shell: SshHost
    root: str = ""
    database: str = ""
    domains: tuple[str, ...] | None = None
    http: str | None = None


@dataclass(frozen=True)
class Settings:
    """How to look: crossdock.toml's [survey], [dns], [[aws]] and [costs]."""

    folder_seconds: int = 10
    resolvers: tuple[str, ...] = ()
    selectors: tuple[str, ...] = ()
    ttl_high_seconds: int = 3600
    clouds: tuple[Cloud, ...] = ()
    prices: cloud.Prices = field(default_factory=cloud.Prices)


@dataclass
class Surroundings:
    """What was found. `load`: by server, seconds here and processor seconds there. `costs`: {} where none are known.
    `at`: when, as ISO 8601."""

    items: list[Item] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    load: dict[str, Json] = field(default_factory=dict)
    costs: Json = field(default_factory=dict)
    seen: dict[str, Observed] = field(default_factory=dict)
    seconds: float = 0.0
    at: str = ""

    def as_json(self) -> Json:
        """For programs: every item, what a month costs, and what the look itself cost."""
        return {
            "items": [one.as_json() for one in self.items],
            "costs": self.costs,
            "load": self.load,
            "seconds": round(self.seconds, 2),
            "looked_at": self.at,
        }

    def figures(self) -> Json:
        """Counts and load, for a receipt."""
        kinds: dict[str, int] = {}
        for item in self.items:
            kinds[item.kind] = kinds.get(item.kind, 0) + 1
        return {"items": kinds, "load": self.load, "seconds": round(self.seconds, 2), "looked_at": self.at}


def settings_of(config: Config) -> Settings:
    """Errors: ConfigError (a secret of [[aws]] that can't be read)."""
    costs = config.costs
    prices = cloud.Prices(
        costs.currency,
        costs.servers,
        costs.host_month,
        costs.volume_gb_month,
        costs.snapshot_gb_month,
        costs.address_month,
    )
    return Settings(
        config.survey.folder_seconds, config.dns.resolvers, config.dns.selectors, config.dns.ttl_high_seconds,
        tuple(cloud_of(one) for one in config.aws), prices,
    )  # fmt: skip


def cloud_of(given: AwsAccess) -> Cloud:
    """boto3 costs half a second of start-up, which a project without [[aws]] need not wait for."""
    account = import_module("crossdock.edges.aws").AwsAccount
    keys = {
        name: Masked(secret.reveal())
        for name, secret in (("access_key", given.access_key), ("secret_key", given.secret_key))
        if secret
    }
    made: Cloud = account(given.name, given.regions, given.profile, **keys)
    return made


def look_around_project(
    config: Config, sources: Sequence[Source], facts: Sequence[SourceFacts], *, anew: bool = True
) -> Surroundings:
    """Around a project's own servers. The databases that its accounts see are told too. Unless `anew`, an earlier look
    will do that is younger than [survey] fresh_hours and asked the same.

    Errors: ConfigError (a secret of [[aws]] that can't be read)."""
    path, asked = config.state / "surroundings.json", _asked(config, facts)
    if not anew and (kept := _kept(path, asked, config.survey.fresh_hours)):
        return kept
    spots = [
        Spot(
            server.name,
            shell(server.name, server),
            one.installation.root,
            one.installation.db_name,
            tuple(store.domains["production"] for store in config.stores_of(server.name)),
            server.http,
        )
        for server, one in zip(config.servers, facts, strict=True)
    ]
    made = look_around(spots, settings_of(config))
    seen = [
        database_items(source.name, other_databases(source.database), source.installation.db_name) for source in sources
    ]
    made.items = items(made.items, *seen)
    made.at = datetime.now(UTC).isoformat(timespec="seconds")
    found = {**made.as_json(), "findings": [one.as_json() for one in made.findings], "asked": asked}
    write_whole(path, json.dumps(found, ensure_ascii=False))
    return made


def _asked(config: Config, facts: Sequence[SourceFacts]) -> str:
    """A digest of what decides where is looked."""
    tables = (config.servers, config.stores, config.survey, config.dns, config.aws, config.costs)
    return digest_of([repr(tables), [one.installation.root for one in facts]])


def _kept(path: Path, asked: str, fresh_hours: int) -> Surroundings | None:
    """What an earlier look found; None where there was none, or it is too old or spoilt, or asked something else."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        at = datetime.fromisoformat(told["looked_at"])
        if told["asked"] != asked or datetime.now(UTC) - at > timedelta(hours=fresh_hours):
            return None
        return Surroundings(
            [Item(**one) for one in told["items"]],
            [Finding(**{**one, "level": Level(one["level"])}) for one in told["findings"]],
            told["load"],
            told["costs"],
            seconds=float(told["seconds"]),
            at=told["looked_at"],
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def look_around(spots: Sequence[Spot], settings: Settings) -> Surroundings:
    """Asks everything at once, and never fails for one server: what could not be read is a finding."""
    began = time.monotonic()
    made = Surroundings()
    with ThreadPoolExecutor(len(spots) + len(settings.clouds) + _AT_ONCE) as pool:
        servers = {spot.name: pool.submit(_observed, spot, settings.folder_seconds) for spot in spots}
        clouds = [pool.submit(one.facts) for one in settings.clouds]
        # Names that are known beforehand are asked about while the servers look at themselves.
        outside = None if any(spot.domains is None for spot in spots) else _Outside.begin(pool, spots, settings)
        for name, job in servers.items():
            seen, found = job.result()
            made.findings += found
            if seen:
                made.seen[name] = seen
        outside = outside or _Outside.begin(
            pool, [replace(spot, domains=_names(spot, made.seen.get(spot.name))) for spot in spots], settings
        )
        facts = [job.result() for job in clouds]
        _put_together(made, outside, facts, settings)
    made.seconds = time.monotonic() - began
    return made


@dataclass(frozen=True)
class _Outside:
    """What is asked about the names of servers, on its way."""

    spots: Sequence[Spot]
    names: Sequence[str]
    dns: Future[dict[tuple[str, str], DnsAnswer]]
    fronts: Sequence[Future[_Front]]

    @classmethod
    def begin(cls, pool: Executor, spots: Sequence[Spot], settings: Settings) -> _Outside:
        names = list(dict.fromkeys(domain for spot in spots for domain in spot.domains or ()))
        asked = pool.submit(DnsResolver(settings.resolvers).ask, dns.questions(names, settings.selectors))
        fronts = [pool.submit(_front, spot, domain) for spot in spots for domain in spot.domains or ()]
        return cls(spots, names, asked, fronts)


def _put_together(made: Surroundings, outside: _Outside, facts: Sequence[CloudFacts], settings: Settings) -> None:
    spots, told = outside.spots, outside.dns.result()
    pointers = dns.pointers(peer for seen in made.seen.values() for peer in seen.peers)
    named = DnsResolver(settings.resolvers).ask(list(pointers.values())) if pointers else {}
    made.items = items(
        _server_items(spots, made, named),
        dns.items(outside.names, told),
        _fronts([job.result() for job in outside.fronts], made),
        _clouds(facts, _addresses(spots, made.seen, told), made),
    )
    own = {
        domain: made.seen[spot.name].addresses
        for spot in spots
        if spot.name in made.seen
        for domain in spot.domains or ()
    }
    made.findings += dns.findings(
        outside.names,
        told,
        selectors=settings.selectors,
        ttl_high_seconds=settings.ttl_high_seconds,
        own=own,
    )
    things = [thing for one in facts for thing in one.things]
    if settings.prices.servers or settings.prices.host is not None or things:
        made.costs = cloud.costs(settings.prices, [spot.name for spot in spots], things)


def _observed(spot: Spot, folder_seconds: int) -> tuple[Observed | None, list[Finding]]:
    try:
        seen = observe(ScriptProber(spot.shell), parse_hosts, root=spot.root, folder_seconds=folder_seconds)
    except AccessError as error:
        text = f"not known: anything that lives there: {error.what}"
        return None, [Finding("land.unreadable", Level.WARN, spot.name, text, error.way_out)]
    return seen, list(server_findings(seen))


def parse_hosts(nginx: Probed, apache: Probed) -> tuple[VirtualHost, ...]:
    """The sites of both web servers: what `nginx -T` printed, or the files themselves."""
    text = nginx.out.decode("utf-8", "replace")
    for path, content in nginx.files:
        text += f"\n# configuration file {path}:\n{content.decode('utf-8', 'replace')}"
    files = [(path, content.decode("utf-8", "replace")) for path, content in apache.files]
    return (*nginx_hosts(text), *apache_hosts(files))


def _names(spot: Spot, seen: Observed | None) -> tuple[str, ...]:
    """The names that its web server answers to, of a name and its www the one that has no www."""
    if spot.domains is not None:
        return spot.domains
    names = [name for name in (seen.names if seen else ()) if "." in name and not set(name) & set("*~^$()")]
    paired = {dns.twin(name) for name in names if name.startswith("www.")}
    return tuple(name for name in names if name not in paired)[:_MOST_NAMES]


def _server_items(
    spots: Sequence[Spot], made: Surroundings, told: Mapping[tuple[str, str], DnsAnswer]
) -> Iterator[Item]:
    for spot in spots:
        if seen := made.seen.get(spot.name):
            named = [_named(peer, told) for peer in seen.peers]
            yield from server_items(seen, root=spot.root, database=spot.database, peers=named)
            made.load[spot.name] = {
                "seconds": round(seen.seconds, 2), "cpu_seconds": round(seen.cpu_seconds, 2), "sessions": seen.sessions,
            }  # fmt: skip


def _named(peer: Peer, told: Mapping[tuple[str, str], DnsAnswer]) -> Peer:
    question = dns.pointers([peer]).get(peer.address)
    answer = told.get(question) if question else None
    return replace(peer, name=answer.values[0].rstrip(".")) if answer and answer.values else peer


def _addresses(
    spots: Sequence[Spot], seen: Mapping[str, Observed], told: Mapping[tuple[str, str], DnsAnswer]
) -> dict[str, tuple[str, ...]]:
    """Each server's addresses: its own, those of its names, and that of its SSH destination where it is one."""
    found: dict[str, tuple[str, ...]] = {}
    for spot in spots:
        named = [
            value for domain in spot.domains or () for value in told.get((domain, "A"), DnsAnswer(domain, "A")).values
        ]
        host = spot.shell.destination.removeprefix("ssh://").rpartition("@")[2].partition(":")[0]
        own = seen[spot.name].addresses if spot.name in seen else ()
        found[spot.name] = (*own, *named, *((host,) if _is_address(host) else ()))
    return found


def _is_address(word: str) -> bool:
    try:
        ip_address(word)
    except ValueError:
        return False
    return True


# -- front pages and certificates ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Front:
    server: str
    domain: str
    status: int
    headers: Mapping[str, str]
    certificate: CertificateFile | None
    problem: str = ""


def _fronts(found: Sequence[_Front], made: Surroundings) -> Iterator[Item]:
    for one in found:
        made.findings += front.front_findings(one.domain, one.headers, one.problem)
        yield from front.front_items(one.server, one.domain, one.status, one.headers)
        if one.certificate:
            made.findings += one.certificate.findings(one.server)
            yield one.certificate.item(one.server)


def _front(spot: Spot, domain: str) -> _Front:
    web = SiteWeb(spot.http, timeout_seconds=_PATIENCE_SECONDS)
    address = web.address_for("https") if spot.http else f"{domain}:443"
    encoded, problem = TlsPort(address).shown(domain)
    certificate = CertificateFile(f"{domain} (served)", _shown(encoded, problem), is_served=True) if encoded else None
    why = ""
    for scheme in ("https", "http") if encoded and not problem else ("http",):
        try:
            status, _, headers = web.get(f"{scheme}://{domain}{_STILL_FILE}")
        except AccessError as error:
            why = error.what
        else:
            return _Front(spot.name, domain, status, headers, certificate)
    return _Front(spot.name, domain, 0, {}, certificate, why)


def _shown(encoded: bytes, problem: str) -> ShownCertificate:
    try:
        return certificate_of(encoded, problem)
    except ValueError:
        return ShownCertificate(problem=problem or "its certificate can't be read")


def _clouds(facts: Sequence[CloudFacts], own: Mapping[str, Sequence[str]], made: Surroundings) -> Iterator[Item]:
    owners = cloud.servers_of(facts, own)
    for one in facts:
        made.findings += cloud.cloud_findings(one, owners)
        yield from cloud.cloud_items(one, owners)
