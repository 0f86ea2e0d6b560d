"""Opens the ways that crossdock.toml names: SSH, WordPress facts and database of every server and environment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from crossdock.core.config import Config, DatabaseAccess, Environment, Place, Server
from crossdock.core.secrets import Masked
from crossdock.edges.database import DatabaseAccount, connect_database
from crossdock.edges.http import SiteWeb
from crossdock.edges.mysql import Endpoint
from crossdock.edges.ssh import SshHost
from crossdock.edges.wordpress import WordPressFacts, read_wordpress
from crossdock.hub.moves import bridge_secrets
from crossdock.move.survey import Source, SourceFacts, Target, TargetFacts, survey_source, survey_target


@dataclass(frozen=True)
class Access:
    """Everything that is open, in the configuration's order."""

    sources: tuple[Source, ...]
    targets: tuple[Target, ...]

    def target(self, environment: str) -> Target:
        return next(one for one in self.targets if one.environment == environment)

    def survey(self) -> tuple[list[SourceFacts], list[TargetFacts]]:
        """Fresh facts of both sides."""
        return [survey_source(one) for one in self.sources], [survey_target(one) for one in self.targets]


@contextmanager
def opened(config: Config, environments: Sequence[str] = ("staging", "production")) -> Iterator[Access]:
    """Opens all sources and the named environments; closes every tunnel and relay at the end.

    Errors: AccessError naming the server and what to do.
    """
    with ExitStack() as stack:
        sources = tuple(_source(server, stack) for server in config.servers)
        targets = tuple(_target(config, name, stack) for name in environments if name in config.environments)
        yield Access(sources, targets)


@contextmanager
def opened_target(config: Config, environment: str) -> Iterator[Target]:
    """Opens one environment alone. Errors: AccessError naming it and what to do."""
    with ExitStack() as stack:
        yield _target(config, environment, stack)


def _source(server: Server, stack: ExitStack) -> Source:
    host = shell(server.name, server)
    facts = read_wordpress(host, server.root)
    endpoint, transport = _database(host, server, facts, stack)
    return Source(server.name, host, endpoint, facts.installation, transport)


def _target(config: Config, name: str, stack: ExitStack) -> Target:
    environment: Environment = config.environments[name]
    host = shell(name, environment)
    facts = read_wordpress(host, environment.root)
    endpoint, transport = _database(host, environment, facts, stack)
    # Signed from the beginning, so that the login before a staging which gets its bridge meanwhile lets us in.
    web = SiteWeb(environment.http, key=bridge_secrets.key(config, name))
    return Target(name, host, endpoint, facts.installation, web, transport, environment.scheme)


def database_of(name: str, place: Place, stack: ExitStack) -> Endpoint:
    """One place's database alone, opened and proved. Errors: AccessError naming it and what to do."""
    host = shell(name, place)
    return _database(host, place, read_wordpress(host, place.root), stack)[0]


def shell(name: str, place: Place) -> SshHost:
    """The way to a server's command line."""
    return SshHost(name, place.ssh, config_file=str(place.ssh_config) if place.ssh_config else None)


def _database(host: SshHost, place: Place, facts: WordPressFacts, stack: ExitStack) -> tuple[Endpoint, str]:
    connected = connect_database(host, account(place.database, facts), transport=place.transport)
    stack.callback(connected.close)
    return replace(connected.endpoint, php_charset=facts.installation.db_charset), connected.transport


def account(given: DatabaseAccess | None, facts: WordPressFacts) -> DatabaseAccount:
    """wp-config's account, with whatever [database] says instead."""
    here = facts.installation
    own = DatabaseAccount(here.db_name, facts.db_user, facts.db_password, here.db_host)
    if given is None:
        return own
    host = own.host
    if given.socket is not None:
        host = f"localhost:{given.socket}"
    elif given.host is not None:
        host = f"{given.host}:{given.port}" if given.port else given.host
    return DatabaseAccount(
        database=given.name or own.database,
        user=given.user or own.user,
        password=Masked(given.password.reveal()) if given.password else own.password,
        host=host,
    )
