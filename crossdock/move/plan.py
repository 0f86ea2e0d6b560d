"""The plan: where everything goes, in both environments, with one digest. Pure; a dry run IS printing it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from crossdock.core.config import Config, Store
from crossdock.core.errors import BlockedError, StaleError
from crossdock.core.evidence import Finding, Level, digest_of
from crossdock.core.tables import StoredCode
from crossdock.move import assess
from crossdock.move.survey import SourceFacts, TargetFacts
from crossdock.wordpress import sitemap
from crossdock.wordpress.catalogue import Scope
from crossdock.wordpress.installation import Blog, blog_prefix, uploads
from crossdock.wordpress.people import Directory, Placement, login_key, place
from crossdock.wordpress.sitemap import SiteMap, StoreMap

LEFT_BEHIND = (
    ("options: _transient_*, _site_transient_*, rewrite_rules, category trees", "the target makes them again"),
    ("usermeta: session_tokens", "people sign in again"),
    ("users merged into an earlier store's account", "their other rows are carried under that account"),
    ("network registers of a source multisite (blogs, site, sitemeta, signups)", "written anew for the target network"),
)


@dataclass(frozen=True)
class TablePlan:
    """One source table. `disposition`: carry, leave or network; `targets` maps environment to table name."""

    server: str
    source: str
    store: str
    disposition: str
    reason: str
    targets: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CodePlan:
    """A view or trigger that is made again at the target."""

    server: str
    kind: str
    source: str
    targets: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NetworkPlan:
    """The target network of one environment."""

    environment: str
    network_id: int
    domain: str
    prefix: str
    first_blog: int


@dataclass(frozen=True)
class Plan:
    """Both environments' maps. `digest` covers everything but itself; `facts` is the digest of what it rests on."""

    project: str
    facts: str
    merge_people: bool
    headroom: int
    sitemaps: tuple[SiteMap, ...]
    networks: tuple[NetworkPlan, ...]
    tables: tuple[TablePlan, ...]
    stored_code: tuple[CodePlan, ...]
    left_behind: tuple[tuple[str, str], ...] = LEFT_BEHIND
    digest: str = ""

    def sealed(self) -> Plan:
        """The same plan with its digest."""
        return replace(self, digest=digest_of(as_data(self) | {"digest": ""}))

    def site(self, server: str, environment: str) -> SiteMap:
        return next(one for one in self.sitemaps if (one.server, one.environment) == (server, environment))

    def sites(self, environment: str) -> tuple[SiteMap, ...]:
        return tuple(one for one in self.sitemaps if one.environment == environment)

    def network(self, environment: str) -> NetworkPlan:
        return next(one for one in self.networks if one.environment == environment)

    def carried(self, server: str) -> list[TablePlan]:
        return [one for one in self.tables if one.server == server and one.disposition == "carry"]


def as_data(plan: Plan) -> dict[str, Any]:
    """The plan as plain JSON data."""
    data: dict[str, Any] = json.loads(json.dumps(asdict(plan)))
    return data


def from_json(text: str) -> Plan:
    """Reads a plan back. Errors: StaleError when its digest does not fit its content (edited by hand)."""
    way_out = "make it again: crossdock move plan"
    try:
        plan = TypeAdapter(Plan).validate_json(text)
    except ValidationError as error:
        raise StaleError("this is no plan of this version", where="plan.json", way_out=way_out) from error
    # The text's own data is hashed, not what was read from it: so a key that nothing reads counts as an edit, too.
    # And a key that is missing (an earlier version's plan) must not get a default that switches a check off.
    data = json.loads(text)
    if digest_of(data | {"digest": ""}) != plan.digest or as_data(plan) != data:
        raise StaleError("the plan's digest does not fit its content", where="plan.json", way_out=way_out)
    return plan


def make(config: Config, sources: Sequence[SourceFacts], targets: Sequence[TargetFacts]) -> Plan:
    """The plan for these facts. Findings are not its business: see `refuse_blocked`."""
    first = max(one.first_free_blog for one in targets)
    hosts = {host for facts in sources for blog in facts.blogs for host in _hosts(blog)}
    numbers = {store.name: first + at for at, store in enumerate(config.stores)}
    sitemaps = tuple(
        _site(config, at, facts, target, numbers, hosts) for target in targets for at, facts in enumerate(sources)
    )
    plan = Plan(
        project=config.project.name,
        facts=assess.facts_digest(sources, targets),
        merge_people=config.policies.people == "merge-by-email",
        headroom=config.network.headroom,
        sitemaps=sitemaps,
        networks=tuple(
            NetworkPlan(one.environment, one.network_id, one.network_domain, one.installation.table_prefix, first)
            for one in targets
        ),
        tables=tuple(table for facts in sources for table in _tables(facts, sitemaps)),
        stored_code=tuple(code for facts in sources for code in _stored_code(config, facts, sitemaps)),
    )
    return plan.sealed()


def refuse_blocked(found: Sequence[Finding]) -> None:
    """Errors: BlockedError that lists every block finding with its way out."""
    blocks = [one for one in found if one.level is Level.BLOCK]
    if blocks:
        lines = [f"{one.place}: {one.text} [{one.code}]\n    {one.way_out}" for one in blocks]
        raise BlockedError(
            f"{len(blocks)} findings block the move:\n  " + "\n  ".join(lines), way_out="answer them, then plan again"
        )


def _site(
    config: Config, at: int, facts: SourceFacts, target: TargetFacts, numbers: dict[str, int], hosts: set[str]
) -> SiteMap:
    here, there = facts.installation, target.installation
    blogs = {blog.number: blog for blog in facts.blogs}
    mine = [store for store in config.stores if store.server == facts.server and store.blog in blogs]
    maps = [_store(store, facts, blogs[store.blog], target, numbers[store.name], hosts) for store in mine]
    return SiteMap(
        server=facts.server,
        environment=target.environment,
        source_base_prefix=here.table_prefix,
        target_base_prefix=there.table_prefix,
        source_root=here.root,
        target_root=there.root,
        user_base=(at + 1) * config.network.headroom,
        stores=tuple(maps),
        left_tables=assess.left_tables(config, facts),
        user_columns=assess.user_columns(config, facts),
        reset_passwords=config.policies.password == "reset",  # noqa: S105  a policy's name
        headroom=config.network.headroom,
        source_blogs=tuple(sorted(blogs)),
    )


def _store(store: Store, facts: SourceFacts, blog: Blog, target: TargetFacts, number: int, hosts: set[str]) -> StoreMap:
    there = uploads(facts.installation, blog)
    return StoreMap(
        store=store.name,
        source_blog=store.blog,
        source_prefix=blog.prefix,
        source_urls=_source_urls(blog, hosts),
        source_uploads=there.path,
        target_blog=number,
        target_prefix=blog_prefix(target.installation.table_prefix, number),
        target_url=f"{target.scheme}://{store.domains[target.environment]}",
        target_uploads=f"/wp-content/uploads/sites/{number}",
        public=target.environment == "production",
        source_upload_urls=there.elsewhere,
        source_upload_folder=there.folder,
    )


def _declared_urls(blog: Blog) -> list[str]:
    urls = [blog.options.get("home", ""), blog.options.get("siteurl", "")]
    urls.append(f"http://{blog.domain}{blog.path}")
    parts = [urlsplit(url.strip()) for url in urls]
    return list(
        dict.fromkeys(
            one._replace(netloc=one.netloc.rpartition("@")[2].lower(), query="", fragment="").geturl().rstrip("/")
            for one in parts
            if one.netloc
        )
    )


def _hosts(blog: Blog) -> set[str]:
    return {urlsplit(url).netloc for url in _declared_urls(blog)}


def _source_urls(blog: Blog, taken: set[str]) -> tuple[str, ...]:
    """Every address of a blog: as declared, and each host with and without www, unless `taken` has that host: another
    blog, on this server or another, is declared to live there."""
    urls = _declared_urls(blog)
    for url in list(urls):
        parts = urlsplit(url)
        twin = parts.netloc.removeprefix("www.") if parts.netloc.startswith("www.") else f"www.{parts.netloc}"
        if twin not in taken:
            urls.append(parts._replace(netloc=twin).geturl())
    return tuple(dict.fromkeys(urls))


def _tables(facts: SourceFacts, sitemaps: Sequence[SiteMap]) -> list[TablePlan]:
    sites = [one for one in sitemaps if one.server == facts.server]
    made: list[TablePlan] = []
    for table in facts.schema.tables:
        disposition = sitemap.kind(sites[0], table)
        place_ = sites[0].destination(table.name)
        store = place_.store.store if place_ and place_.store else ""
        if disposition == "carry":
            targets = {one.environment: there.target for one in sites if (there := one.destination(table.name))}
            shared = place_ is not None and place_.scope is Scope.PEOPLE
            reason = "shared by all stores: people are merged" if shared else ""
        else:
            targets = {}
            reason = (
                "written anew for the target network" if disposition == "network" else _why_left(table.name, sites[0])
            )
        made.append(TablePlan(facts.server, table.name, store, disposition, reason, targets))
    return made


def _why_left(table: str, site: SiteMap) -> str:
    if table in site.left_tables:
        return "left behind by decision"
    return "belongs to no store that moves"


def _stored_code(config: Config, facts: SourceFacts, sitemaps: Sequence[SiteMap]) -> list[CodePlan]:
    sites = [one for one in sitemaps if one.server == facts.server]
    made = []
    for code in facts.schema.stored_code:
        left = assess.decided(config, f"{code.kind}:{facts.server}:{code.name}") == "leave"
        if left or why_code_is_left(code, sites[0]):
            continue
        names = {}
        for one in sites:
            there = one.destination(code.name)
            if code.kind == "view" and there is not None:
                names[one.environment] = there.target
            else:
                names[one.environment] = _trigger_name(one, code.name)
        made.append(CodePlan(facts.server, code.kind, code.name, names))
    return made


def why_code_is_left(code: StoredCode, site: SiteMap) -> str:
    """Why a view or trigger is not made again at the target; '' when it is."""
    if code.kind not in assess.CODE_MADE_AGAIN:
        return f"a {code.kind} is not made again"
    there = site.destination(code.table or code.name)
    if there is None or code.table in site.left_tables:
        return "belongs to no store that moves"
    if there.scope is not Scope.BLOG:
        return "stands on a table that all stores share in the target"
    return ""


def _trigger_name(site: SiteMap, name: str) -> str:
    owner = site.owner(name)
    if owner is not None:
        return owner.target_prefix + name[len(owner.source_prefix) :]
    digest = hashlib.sha256(f"{site.server}:{name}".encode()).hexdigest()[:6]
    return f"{name[:56]}_{digest}"


def preview_people(plan: Plan, sources: Sequence[SourceFacts], target: TargetFacts) -> dict[str, list[Placement]]:
    """Each user who is merged or renamed, by server, as of now. The copy decides again, by the same rules."""
    directory = host_directory(target)
    made: dict[str, list[Placement]] = {}
    for facts in sources:
        if any(not 0 < user.id < plan.headroom for user in facts.users):
            continue  # a finding blocks this plan; there is no place to preview
        site = plan.site(facts.server, target.environment)
        made[facts.server] = place(
            facts.users, directory, server=facts.server, base=site.user_base, headroom=plan.headroom,
            merge=plan.merge_people,
        )  # fmt: skip
    return made


def host_directory(target: TargetFacts) -> Directory:
    """The host's own accounts hold their logins; nobody is ever merged into them (they may be super admins)."""
    return Directory(
        logins={login_key(user.login) for user in target.host_users},
        nicenames={login_key(user.nicename) for user in target.host_users},
    )


def known_share(plan: Plan) -> dict[str, int]:
    """Tables by what happens to them."""
    counts: dict[str, int] = {}
    for table in plan.tables:
        counts[table.disposition] = counts.get(table.disposition, 0) + 1
    return counts


def describe(plan: Plan) -> dict[str, Any]:
    """The plan's head figures, for receipts: no names of people, no values."""
    stores = [store.store for site in plan.sites(plan.networks[0].environment) for store in site.stores]
    return {"plan": plan.digest, "facts": plan.facts, "stores": stores, "tables": known_share(plan)}
