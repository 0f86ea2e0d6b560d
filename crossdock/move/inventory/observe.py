"""Observes one server by its probes, in two sessions: the second asks about what the web server's settings name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources

from crossdock.core.evidence import Finding, Level
from crossdock.core.inventory import Item
from crossdock.core.observed import Probed, Prober, Probing, VirtualHost
from crossdock.move.inventory import disks, jobs, mail, network, web
from crossdock.move.inventory.certificates import CertificateFile, read_certificates
from crossdock.move.inventory.network import Peer, Port
from crossdock.move.inventory.words import key_values, plain

FIRST = (
    "system", "mounts", "space", "blocks", "ports", "sockets", "peers", "programs", "nginx", "apache", "versions",
    "php", "fpm", "pools", "timers", "own_crontab", "crontabs", "cron_scripts", "at", "mail", "firewall", "hosts",
    "containers", "databases", "folders",
)  # fmt: skip
SECOND = ("certificates", "installs", "sizes")
_SILENCE_SECONDS = 45
# What is missing where a probe has a problem, for whoever must give it.
_NEEDS_ROOT = ("firewall", "crontabs", "databases", "certificates", "nginx", "folders", "containers")
_PROGRAMS_OF = {
    "space": "coreutils", "blocks": "util-linux", "ports": "iproute2", "peers": "iproute2", "sizes": "coreutils",
    "installs": "findutils", "folders": "findutils",
}  # fmt: skip
ParseHosts = Callable[[Probed, Probed], tuple[VirtualHost, ...]]


@dataclass(frozen=True)
class Observed:
    """What the probes of one server told. `seconds` here, `cpu_seconds` there (the least: what was left behind hanging
    is not in it)."""

    server: str
    answers: dict[str, Probed] = field(repr=False)
    hosts: tuple[VirtualHost, ...] = ()
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    sessions: int = 0

    @property
    def ports(self) -> list[Port]:
        empty = Probed()
        return network.ports(self.answers.get("ports", empty), self.answers.get("sockets", empty))

    @property
    def peers(self) -> list[Peer]:
        return network.peers(self.answers.get("peers", Probed()), self.ports)

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(key_values(self.answers.get("system", Probed()).out).get("addresses", "").split())

    @property
    def is_root(self) -> bool:
        return key_values(self.answers.get("system", Probed()).out).get("uid") == "0"

    @property
    def certificates(self) -> list[CertificateFile]:
        return read_certificates(self.answers.get("certificates", Probed()))

    @property
    def names(self) -> tuple[str, ...]:
        """Host names that the web server answers to."""
        return tuple(dict.fromkeys(name for host in self.hosts for name in host.names))


def observe(prober: Prober, parse_hosts: ParseHosts, *, root: str = "", folder_seconds: int = 10) -> Observed:
    """Asks one server. `root`: where a WordPress is known to be; `parse_hosts` reads the web servers' configuration.

    Errors: AccessError (no connection; an account that runs no commands). Nothing else: what is not known says why.
    """
    script = resources.files("crossdock.move.inventory").joinpath("collect.sh").read_bytes()
    silence = _SILENCE_SECONDS + folder_seconds
    first = prober.probe(script, FIRST, {}, silence_seconds=silence)
    hosts = parse_hosts(first.answers["nginx"], first.answers["apache"])
    roots = dict.fromkeys([root, *(host.root for host in hosts)])
    named = dict.fromkeys(path for host in hosts for path in host.certificates)
    settings = {
        "ROOTS": _one_a_line(roots), "CERTIFICATES": _one_a_line(named), "FOLDER_SECONDS": str(folder_seconds),
    }  # fmt: skip
    second = prober.probe(script, SECOND, settings, silence_seconds=silence)
    return _observed(prober.name, hosts, first, second)


def _one_a_line(names: dict[str, None]) -> str:
    return "\n".join(name for name in names if name.startswith("/") and name.isprintable())


def _observed(server: str, hosts: tuple[VirtualHost, ...], first: Probing, second: Probing) -> Observed:
    return Observed(
        server,
        {**first.answers, **second.answers},
        hosts,
        first.seconds + second.seconds,
        first.cpu_seconds + second.cpu_seconds,
        first.sessions + second.sessions,
    )


def server_items(
    seen: Observed, *, root: str = "", database: str = "", peers: Sequence[Peer] | None = None
) -> list[Item]:
    """Everything that was found on one server. `root` and `database` are the project's own, which are told elsewhere;
    `peers` with the names that DNS gave them."""
    empty = Probed()
    answers, server = seen.answers, seen.server
    mounted = disks.mounts(answers.get("mounts", empty), answers.get("space", empty))
    found, _ = web.installs(answers.get("installs", empty))
    return [
        *web.web_items(server, answers, seen.hosts),
        *disks.volume_items(server, mounted),
        *disks.block_items(server, answers.get("blocks", empty)),
        *disks.folder_items(server, answers.get("folders", empty), answers.get("sizes", empty)),
        *network.network_items(
            server, answers, seen.ports, seen.peers if peers is None else peers, seen.hosts, seen.addresses
        ),
        *jobs.job_items(server, answers),
        *mail.relay_items(server, answers.get("mail", empty)),
        *web.install_items(server, found, root, seen.hosts),
        *web.database_items(server, web.databases(answers.get("databases", empty)), database),
        *(one.item(server) for one in seen.certificates),
    ]


def server_findings(seen: Observed) -> Iterator[Finding]:
    """What could not be read, with the right or program that is missing; and what will be in the way."""
    empty = Probed()
    answers, server = seen.answers, seen.server
    mounted = disks.mounts(answers.get("mounts", empty), answers.get("space", empty))
    for name, told in answers.items():
        problem = web.installs(told)[1] if name == "installs" else told.problem
        if problem:
            text = f"not known, or not all: {name.replace('_', ' ')}: {plain(problem)}"
            yield Finding(
                "land.unreadable", Level.WARN, f"{server}: {name}", text, _way_out(name, problem, seen.is_root)
            )
    if not seen.is_root and any(not one.program for one in seen.ports):
        text = "not known: which programs listen on some ports"
        way_out = _way_out("firewall", "", False)
        yield Finding("land.unreadable", Level.WARN, f"{server}: programs of ports", text, way_out)
    volumes = list(disks.block_items(server, answers.get("blocks", empty)))
    yield from disks.volume_findings(server, mounted, volumes)
    for one in seen.certificates:
        yield from one.findings(server)


def _way_out(name: str, problem: str, is_root: bool) -> str:
    if problem.endswith("is not there"):
        package = _PROGRAMS_OF.get(name)
        return f"install {package} on the server, or look by hand" if package else "look by hand"
    if name == "sizes":
        return "raise [survey] folder_seconds to measure more of them"
    if "hung" in problem or "in time" in problem or "cut" in problem:
        return "look at the server's mounts and load, then assess again"
    if not is_root and (name in _NEEDS_ROOT or "read" in problem or "denied" in problem.lower()):
        return "give the SSH account `sudo` without a password while the move lasts, or look by hand as root"
    return "look by hand on the server"
