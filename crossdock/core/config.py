"""crossdock.toml: one file that says where everything is and what people have decided.

`load` reads it and tells every error at once. The models are frozen; secrets stay references (`SecretRef`).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, PrivateAttr, StrictBool, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from crossdock.core.config_backup import Backup, ScratchDatabase
from crossdock.core.config_hub import Hub, Milestones, MilestoneTerms
from crossdock.core.config_survey import AccessNeed, AwsAccess, Costs, Dns, Survey
from crossdock.core.config_values import (
    Address,
    CodeFolder,
    Domain,
    Email,
    FolderName,
    HostEntry,
    LocalPath,
    MailEntry,
    Model,
    Pattern,
    Percent,
    Port,
    Positive,
    RemoteFolder,
    RemoteGlob,
    Secret,
    Slug,
    SshDestination,
    Text,
    domain_name,
)
from crossdock.core.errors import ConfigError

ENVIRONMENTS = ("staging", "production")
Raw = dict[str, Any]


class Project(Model):
    name: Text = Field(description='the project\'s name, as in name = "Lumen Outdoor"')
    state: Text = Field(default=".crossdock", description="folder for the hub's database, plans and logs")


class DatabaseAccess(Model):
    """What differs from the account in wp-config.php. `host` is as seen from the server."""

    user: Text | None = Field(default=None, description="database account")
    password: Secret | None = Field(default=None, description='a reference, as in password = "env:NORTH_DB"')
    host: Text | None = Field(default=None, description="database host as seen from the server")
    port: Port | None = Field(default=None, description="TCP port")
    socket: RemoteFolder | None = Field(default=None, description="path of the UNIX socket on the server")
    name: Text | None = Field(default=None, description="database name")


class Place(Model):
    """A server that holds a WordPress installation. `ssh_config` is absolute; `root` has no trailing slash."""

    ssh: SshDestination = Field(description='SSH destination, as in ssh = "north" or ssh = "user@host"')
    ssh_config: LocalPath | None = Field(default=None, description="OpenSSH configuration file for ssh -F")
    root: RemoteFolder = Field(description='the WordPress folder on that server, as in root = "/srv/store/www"')
    transport: Literal["auto", "tunnel", "relay", "direct"] = Field(
        default="auto", description="how the database is reached"
    )
    database: DatabaseAccess | None = Field(default=None, description="account; default: that of wp-config.php")


class Server(Place):
    """One source server: one WordPress installation. `access_logs` and `web_config` are guessed where not given."""

    name: Slug = Field(description='the server\'s short name, as in name = "north"')
    http: Address | None = Field(default=None, description="address where its stores answer; default: that of DNS")
    access_logs: tuple[RemoteGlob, ...] | None = Field(
        default=None, description='access logs on that server, as in access_logs = ["/var/log/nginx/*access*"]'
    )
    web_config: tuple[RemoteGlob, ...] | None = Field(
        default=None, description='settings with old redirects, as in web_config = ["/etc/nginx/sites-enabled/*"]'
    )


class BridgeRules(Model):
    """What the bridge's guard asks for and lets through. Without a password one is made, and kept with the state."""

    login_user: Text = Field(default="staging", description="user name of the login in front of staging")
    login_password: Secret | None = Field(default=None, description="a reference; default: one is made")
    mail_sink: Email | None = Field(default=None, description="address that gets every mail of staging; default: none")
    mail_allow: tuple[MailEntry, ...] = Field(default=(), description="addresses and @domains that may get mail")
    allowed_hosts: tuple[HostEntry, ...] = Field(default=(), description="hosts that requests may leave to")
    trusted: tuple[CodeFolder, ...] = Field(
        default=(), description="code that may pass the guard's hooks, because a person has looked at it"
    )


class Environment(Place):
    """Staging or production of the target. `http` is None where DNS already leads there."""

    http: Address | None = Field(
        default=None, description="address where the mapped domains answer before DNS points there"
    )
    scheme: Literal["http", "https"] = Field(default="https", description="scheme of the target's URLs")
    bridge: BridgeRules = Field(default_factory=BridgeRules, description="what the bridge's guard lets through")


class Store(Model):
    """One blog of a source server, which becomes one site of the target. `domains` has a name for each environment."""

    name: Slug = Field(description='the store\'s short name, as in name = "north"')
    server: Text = Field(description="name of one of the [[servers]]")
    blog: Positive = Field(default=1, description="blog number in a source multisite, 1 elsewhere")
    domains: dict[str, Domain] = Field(description="[stores.domains] with staging and production")


class Network(Model):
    """`headroom` is the number of user IDs reserved for each server."""

    headroom: Positive = Field(default=1_000_000, description="user IDs reserved for each server")


class Person(Model):
    name: Text = Field(description="the person's name")
    email: Email = Field(description="the person's e-mail address")
    role: Literal["operator", "qa", "client-it", "client-owner", "sales"] = Field(description="what the person may do")


class Limits(Model):
    workers: Positive = Field(default_factory=lambda: os.cpu_count() or 1, description="processes that copy at once")
    chunk_rows: Positive = Field(default=20_000, description="rows of one chunk")


class Replay(Model):
    """How fast an environment's addresses are asked. One page may take `timeout_seconds`."""

    requests_per_second: Positive = Field(default=10, description="requests a second at most")
    concurrency: Positive = Field(default=4, description="requests at once at most")
    timeout_seconds: Positive = Field(default=30, description="seconds that one page may take")


class Screenshots(Model):
    """What pictures of the stores' key pages are taken, and from where on two count as different."""

    pages: Positive = Field(default=5, description="key pages of each store")
    differ_percent: Percent = Field(default=1, description="share of pixels from which on a page differs: 0.5")
    settle_seconds: Positive = Field(default=20, description="seconds that a page may take to come to rest")
    most_height: Positive = Field(default=8000, description="pixels from a page's top that are looked at")


class Policies(Model):
    backup_hours: Positive = Field(default=24, description="hours after which a proven backup is too old to write on")
    people: Literal["merge-by-email", "separate"] = Field(
        default="merge-by-email", description="whether accounts with one e-mail address become one"
    )
    password: Literal["first-store", "reset"] = Field(
        default="first-store", description="which password a merged person keeps"
    )
    limits: Limits = Field(default_factory=Limits, description="workers and chunk_rows")
    replay: Replay = Field(default_factory=Replay, description="how fast addresses are asked")
    access_days: Positive = Field(default=7, description="days until an access that is missing is due")
    screenshots: Screenshots = Field(default_factory=Screenshots, description="pictures of key pages")


class Files(Model):
    """What is carried beside uploads and the active themes. A name alone stands for every server; `server/name` for the
    one of that server."""

    themes: tuple[FolderName, ...] = Field(
        default=(), description='themes carried also where inactive, or over the target\'s own: themes = ["acme"]'
    )
    plugins: tuple[FolderName, ...] = Field(default=(), description='approved plugins by folder: plugins = ["acme"]')
    must_use: tuple[FolderName, ...] = Field(
        default=(), description='approved files or folders of mu-plugins: must_use = ["acme.php"]'
    )
    exclude: tuple[Pattern, ...] = Field(
        default=(), description='names in uploads that stay behind: exclude = ["cache", "*.log"]'
    )
    bandwidth_kib_per_second: Positive | None = Field(
        default=None, description="most KiB a second that a transfer takes, a whole number; default: no limit"
    )


class Assess(Model):
    """Files that tell what the world knows of plugins, and whether published checksums may be fetched."""

    plugin_directory: LocalPath | None = Field(
        default=None, description="what WordPress's plugin directory says: its API's answers as JSON"
    )
    vulnerabilities: LocalPath | None = Field(
        default=None, description="Wordfence Intelligence's feed of known vulnerabilities as JSON"
    )
    checksums: LocalPath | None = Field(
        default=None, description="folder of published checksums: core/VERSION.json, plugins/SLUG/VERSION.json"
    )
    fetch_checksums: StrictBool = Field(
        default=True, description="whether missing checksums are fetched from wordpress.org: true or false"
    )


class Decision(Model):
    """A person's answer to a block finding."""

    choice: Text = Field(description="one of the choices that the finding offers")
    by: Text = Field(description="who decided")
    reason: Text = Field(description="why")


class Config(Model):
    """The whole file. `path` is the file, absolute; `state` the folder for what Crossdock keeps, absolute."""

    project: Project = Field(description="[project] with its name")
    servers: tuple[Server, ...] = Field(min_length=1, description="one [[servers]] for each source server")
    stores: tuple[Store, ...] = Field(min_length=1, description="one [[stores]] for each store")
    network: Network = Field(default_factory=Network, description="settings of the target network")
    environments: dict[str, Environment] = Field(description="[environments.staging] and [environments.production]")
    people: tuple[Person, ...] = Field(default=(), description="who takes part")
    policies: Policies = Field(default_factory=Policies, description="what applies to all stores")
    files: Files = Field(default_factory=Files, description="[files]: themes, plugins and must-use code to carry")
    assess: Assess = Field(default_factory=Assess, description="[assess]: feeds and checksums for the assessment")
    backup: Backup = Field(default_factory=Backup, description="[backup]: where backups go, how long they stay")
    milestones: Milestones = Field(default_factory=Milestones, description="[milestones]: start, owners and due dates")
    hub: Hub = Field(default_factory=Hub, description="[hub]: the address of crossdock serve")
    decisions: dict[str, Decision] = Field(default_factory=dict, description="answers to block findings")
    survey: Survey = Field(default_factory=Survey, description="how thoroughly servers are looked at")
    dns: Dns = Field(default_factory=Dns, description="which resolvers are asked")
    aws: tuple[AwsAccess, ...] = Field(default=(), description="one [[aws]] for each account that holds servers")
    costs: Costs = Field(default_factory=Costs, description="what a month costs before and after")
    access: tuple[AccessNeed, ...] = Field(default=(), description="one [[access]] for each account the move needs")
    _path: Path = PrivateAttr(default=Path("crossdock.toml"))

    @property
    def path(self) -> Path:
        return self._path

    @property
    def state(self) -> Path:
        return self._path.parent / Path(self.project.state).expanduser()

    def server(self, name: str) -> Server:
        """Errors: KeyError."""
        return _named(self.servers, name)

    def store(self, name: str) -> Store:
        """Errors: KeyError."""
        return _named(self.stores, name)

    def environment(self, name: str) -> Environment:
        """Errors: ConfigError naming those that there are."""
        if name not in self.environments:
            there = ", ".join(self.environments)
            raise ConfigError(f"no environment {name}", where=str(self.path), way_out=f"one of: {there}")
        return self.environments[name]

    def stores_of(self, server: str) -> tuple[Store, ...]:
        return tuple(store for store in self.stores if store.server == server)


Named = TypeVar("Named", Server, Store)


def _named(items: Iterable[Named], name: str) -> Named:
    for item in items:
        if item.name == name:
            return item
    raise KeyError(name)


def load(path: Path) -> Config:
    """Reads crossdock.toml. Errors: ConfigError with one line for each thing that is wrong, all of them at once."""
    path = Path(path).absolute()
    raw = _parse(path)
    problems = [*_problems_across(raw)]
    try:
        config = Config.model_validate(raw, context={"folder": path.parent})
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        problems = [*(_problem_of(raw, detail) for detail in details), *problems]
    if problems:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in problems))
    config._path = path
    return config


def _parse(path: Path) -> Raw:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(
            "there is no such file", where=str(path), way_out="crossdock init writes one; -c FILE names another"
        ) from None
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"is not UTF-8 (byte {error.start})", where=str(path), way_out="save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise ConfigError(
            f"is not valid TOML: {error}",
            where=f"{path}:{line[1]}" if line else str(path),
            way_out="put text in double quotes, and close every quote and bracket",
        ) from None


@dataclass(frozen=True)
class Problem:
    key: str
    what: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.key}: {self.what}. Way out: {self.way_out}"


# The keys which a table may hold, by its place in the file (list positions and free names left out).
TABLES: dict[tuple[str, ...], type[Model]] = {
    (): Config,
    ("project",): Project,
    ("servers",): Server,
    ("servers", "database"): DatabaseAccess,
    ("stores",): Store,
    ("network",): Network,
    ("environments",): Environment,
    ("environments", "database"): DatabaseAccess,
    ("environments", "bridge"): BridgeRules,
    ("people",): Person,
    ("policies",): Policies,
    ("policies", "limits"): Limits,
    ("files",): Files,
    ("policies", "replay"): Replay,
    ("assess",): Assess,
    ("backup",): Backup,
    ("backup", "scratch"): ScratchDatabase,
    ("milestones",): Milestones,
    ("milestones", "steps"): MilestoneTerms,
    ("hub",): Hub,
    ("policies", "screenshots"): Screenshots,
    ("decisions",): Decision,
    ("survey",): Survey,
    ("dns",): Dns,
    ("aws",): AwsAccess,
    ("costs",): Costs,
    ("access",): AccessNeed,
}
PLAIN_WORDS = {
    "string_type": "must be text in quotes",
    "string_too_short": "is empty",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false, without quotes",
    "tuple_type": "must be a list of tables",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "too_short": "needs at least one entry",
}


def _problem_of(raw: Raw, detail: ErrorDetails) -> Problem:
    loc, context = detail["loc"], detail.get("ctx", {})
    key = _key_path(raw, loc)
    known = _fields_of(loc[:-1])
    name = str(loc[-1]) if loc else ""
    inside = _fields_of(loc[:-2]).get(str(loc[-2])) if len(loc) > 1 and isinstance(loc[-1], int) else None
    description = known.get(name) or inside or "see docs/operator.md"
    match detail["type"]:
        case "missing":
            return Problem(key, "is missing", f"add {description}")
        case "extra_forbidden":
            return Problem(key, "unknown key", _did_you_mean(name, known))
        case "crossdock":
            return Problem(key, context["what"], context["way_out"])
        case "literal_error":
            choices = re.findall(r"'([^']+)'", context["expected"])
            value = _value_at(raw, loc)
            written = value if isinstance(value, str) else f"a {type(value).__name__}"
            return Problem(key, f'"{written}" is not known', _did_you_mean(written, choices))
        case kind:
            text = PLAIN_WORDS.get(kind, detail["msg"][:1].lower() + detail["msg"][1:])
            if kind == "tuple_type" and loc[:1] == ("files",):
                text = "must be a list of names"
            return Problem(key, text, description)


def _fields_of(loc: tuple[int | str, ...]) -> dict[str, str]:
    """Key -> description of the table at `loc`; empty where keys are free."""
    names = [part for part in loc if isinstance(part, str)]
    if names[:1] in (["environments"], ["decisions"]):
        del names[1:2]
    elif names[:2] == ["milestones", "steps"]:
        del names[2:3]
    model = TABLES.get(tuple(names))
    return {name: field.description or "" for name, field in model.model_fields.items()} if model else {}


def _did_you_mean(written: str, known: Iterable[str]) -> str:
    names = list(known)
    close = get_close_matches(written, names, n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else f"known here: {', '.join(names) or 'none'}"


def _value_at(raw: Any, loc: tuple[int | str, ...]) -> Any:
    for part in loc:
        raw = raw[part]
    return raw


def _key_path(raw: Raw, loc: tuple[int | str, ...]) -> str:
    """`servers[north].root`; an entry without a usable name is counted from 1: `servers[#2].name`."""
    path = ""
    for position, part in enumerate(loc):
        if isinstance(part, int):
            entry = _value_at(raw, loc[: position + 1])
            name = entry.get("name") if isinstance(entry, dict) else None
            path += f"[{name}]" if isinstance(name, str) and name else f"[#{part + 1}]"
        else:
            path += f".{part}" if path else part
    return path


def _problems_across(raw: Raw) -> Iterator[Problem]:
    """What no single table can know. Works on the raw file, so that it is told together with the errors in fields."""
    servers, stores = _tables(raw, "servers"), _tables(raw, "stores")
    yield from _repeated("servers", (str(server.get("name")) for server in servers if "name" in server), "name")
    yield from _repeated("stores", (str(store.get("name")) for store in stores if "name" in store), "name")
    emails = (str(person["email"]).lower() for person in _tables(raw, "people") if "email" in person)
    yield from _repeated("people", emails, "e-mail address")
    for key in ("aws", "access"):
        yield from _repeated(key, (str(one.get("name")) for one in _tables(raw, key) if "name" in one), "name")
    yield from _problems_of_servers(servers, stores)
    yield from _problems_of_domains(stores)
    yield from _problems_of_environments(raw.get("environments"))
    yield from _problems_of_files(raw.get("files"), [str(server.get("name")) for server in servers])
    yield from _problems_of_backups(raw, [str(server.get("name")) for server in servers])
    places = [(f"servers[{server.get('name')}]", server) for server in servers]
    if isinstance(raw.get("environments"), dict):
        places += [(f"environments.{name}", place) for name, place in raw["environments"].items()]
    for key, place in places:
        yield from _problems_of_access(key, place)


def _tables(raw: Raw, key: str) -> list[Raw]:
    entries = raw.get(key)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _repeated(key: str, names: Iterable[str], noun: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield Problem(f"{key}[{name}]", f"this {noun} is there twice", f"give each of the {key} its own {noun}")
        seen.add(name)


def _problems_of_servers(servers: list[Raw], stores: list[Raw]) -> Iterator[Problem]:
    known = [str(server.get("name")) for server in servers]
    seen: dict[tuple[str, Any], str] = {}
    for store in stores:
        if "server" not in store:
            continue
        server, key = str(store["server"]), f"stores[{store.get('name')}]"
        if server not in known:
            yield Problem(f"{key}.server", f'there is no server "{server}"', _did_you_mean(server, known))
        blog = (server, str(store.get("blog", 1)))
        if blog in seen:
            what = f"blog {blog[1]} of server {server} is store {seen[blog]} already"
            yield Problem(f"{key}.blog", what, "give each store its own server or blog number")
        seen.setdefault(blog, str(store.get("name")))


def _problems_of_domains(stores: list[Raw]) -> Iterator[Problem]:
    seen: dict[tuple[str, str], str] = {}
    for store in stores:
        domains, key = store.get("domains"), f"stores[{store.get('name')}].domains"
        if not isinstance(domains, dict):
            continue
        for environment in domains:
            if environment not in ENVIRONMENTS:
                yield Problem(f"{key}.{environment}", "unknown environment", _did_you_mean(environment, ENVIRONMENTS))
        for environment in ENVIRONMENTS:
            if environment not in domains:
                yield Problem(f"{key}.{environment}", "is missing", f"add the store's host name in {environment}")
                continue
            domain = _comparable(domains[environment])
            if (environment, domain) in seen:
                what = f'"{domain}" is the domain of store {seen[environment, domain]} already'
                yield Problem(f"{key}.{environment}", what, "give each store its own host name")
            seen.setdefault((environment, domain), str(store.get("name")))


def _comparable(domain: Any) -> str:
    try:
        return domain_name(str(domain).strip())
    except PydanticCustomError:
        return str(domain)


def _problems_of_environments(environments: Any) -> Iterator[Problem]:
    if not isinstance(environments, dict):
        return
    for name in environments:
        if name not in ENVIRONMENTS:
            yield Problem(f"environments.{name}", "unknown environment", _did_you_mean(name, ENVIRONMENTS))
    for name in ENVIRONMENTS:
        if name not in environments:
            yield Problem(f"environments.{name}", "is missing", f"add [environments.{name}] with ssh and root")


def _problems_of_files(files: Any, servers: list[str]) -> Iterator[Problem]:
    for key in ("themes", "plugins", "must_use"):
        names = files.get(key) if isinstance(files, dict) else None
        for name in names if isinstance(names, list) else []:
            server = name.rpartition("/")[0] if isinstance(name, str) else ""
            if server and server not in servers:
                yield Problem(
                    f"files.{key}", f'"{name}": there is no server "{server}"', _did_you_mean(server, servers)
                )


def _problems_of_backups(raw: Raw, servers: list[str]) -> Iterator[Problem]:
    backup = raw.get("backup")
    named = [(f"backup.{key}", backup.get(key)) for key in ("folders", "databases")] if isinstance(backup, dict) else []
    for account in _tables(raw, "aws"):
        named.append((f"aws[{account.get('name')}].instances", account.get("instances")))
        if account.get("instances") and isinstance(account.get("regions"), list) and len(account["regions"]) != 1:
            way_out = "write one [[aws]] for each region that has instances"
            yield Problem(named[-1][0], "the region of an instance is not clear", way_out)
    for place, given in named:
        for name in given if isinstance(given, dict) else ():
            if name not in servers:
                yield Problem(f"{place}.{name}", "there is no such server", _did_you_mean(name, servers))
    repository = backup.get("repository") if isinstance(backup, dict) else None
    if isinstance(repository, str) and (kind := re.match(r"(?!sftp:|s3:)[A-Za-z0-9]{2,}:", repository)):
        # restic knows more of them. As the name of a folder, one would keep on this machine what was to leave it.
        yield Problem("backup.repository", f"{kind[0]} is not known", 'a folder, "sftp:host:/path" or "s3:..."')
    for given, missing in (("access_key", "secret_key"), ("secret_key", "access_key")):
        if isinstance(backup, dict) and given in backup and missing not in backup:
            yield Problem(f"backup.{missing}", f"is missing, though there is {given}", "give both, or neither")


def _problems_of_access(key: str, place: Any) -> Iterator[Problem]:
    access = place.get("database") if isinstance(place, dict) else None
    if not isinstance(access, dict):
        return
    for given, missing in (("user", "password"), ("password", "user")):
        if given in access and missing not in access:
            what = f"is missing, though there is a {given}"
            yield Problem(f"{key}.database.{missing}", what, "give both, or neither to use wp-config.php's account")
    if "host" in access and "socket" in access:
        yield Problem(f"{key}.database.socket", "stands beside a host", "keep one of host and socket")
