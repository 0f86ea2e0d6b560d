"""A source's WordPress as a list of things, each with its risks. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from crossdock.core.config import Config
from crossdock.core.evidence import Finding, Level
from crossdock.core.inventory import Item
from crossdock.move.assess import left_tables, owner_of
from crossdock.move.code import CodeFacts
from crossdock.move.destination_rules import Known
from crossdock.move.destinations import approved_for
from crossdock.move.risks import Knowledge, Risk, risk_findings, risks, with_risks, wordpress_risks
from crossdock.move.survey import SourceFacts, TargetFacts
from crossdock.wordpress import catalogue
from crossdock.wordpress.code import Piece, visible
from crossdock.wordpress.content_files import active_plugins, needed_themes, plugin_folder
from crossdock.wordpress.installation import uploads


@dataclass
class Found:
    """Items, and what is to be told of them."""

    items: list[Item] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: Found) -> None:
        self.items += other.items
        self.findings += other.findings


def inventory(
    facts: SourceFacts,
    code: CodeFacts,
    held: Sequence[Item],
    knowledge: Knowledge,
    network_plugins: Iterable[str] = (),
    tags: Sequence[Item] = (),
) -> Found:
    """All of one source. `held`: what its database holds; `network_plugins`: active in all blogs of a network; `tags`:
    what its front pages load."""
    told: list[tuple[Item, Sequence[Risk]]] = [_wordpress(facts, knowledge)]
    unknown = unknown_tables(facts)
    everywhere = {plugin_folder(one) for one in network_plugins}
    for piece in code.pieces:
        found = risks(piece, knowledge, unknown)
        told.append((_piece(facts, piece, everywhere, unknown), found))
    items = [with_risks(item, found) for item, found in told]
    made = Found([*items, *_uploads(facts), *held, *tags], risk_findings(told))
    made.findings += _of_held(held)
    if not code.whole:
        text = "there was no time to read all of its code: ages, sizes and own tables are not whole"
        made.findings.append(Finding("code.unread", Level.WARN, f"{facts.server}: wp-content", text))
    return made


def unknown_tables(facts: SourceFacts) -> frozenset[str]:
    """Names without prefix of the tables that are neither WordPress's nor WooCommerce's."""
    names = (owner_of(one.name, facts.installation.table_prefix, facts.blogs)[1] for one in facts.schema.tables)
    return frozenset(name for name in names if name and catalogue.known(name) is None)


def _wordpress(facts: SourceFacts, knowledge: Knowledge) -> tuple[Item, list[Risk]]:
    here = facts.installation
    kind = f"a multisite of {len(facts.blogs)} blogs" if here.multisite else "a single site"
    text = f"WordPress {here.wp_version} on PHP {here.php_version}, {kind}"
    data = {"version": here.wp_version, "title": "WordPress", "php": here.php_version, "blogs": len(facts.blogs)}
    return Item("wordpress", facts.server, "wordpress", text, data), wordpress_risks(here.wp_version, knowledge)


def _piece(facts: SourceFacts, piece: Piece, everywhere: set[str], unknown: frozenset[str]) -> Item:
    active = _active_in(facts, piece, everywhere)
    changed = datetime.fromtimestamp(piece.changed, UTC).date().isoformat() if piece.changed else ""
    data = {
        "title": piece.title, "version": piece.version, "author": piece.author, "update_uri": piece.update_uri,
        "changed": changed, "bytes": piece.bytes, "files": piece.count, "active": active,
        "network": piece.name in everywhere, "tested": piece.tested,
        "tables": sorted(unknown & set(piece.tables)), "template": piece.template,
    }  # fmt: skip
    told = [f"{piece.title} {piece.version}".strip(), _activity(piece, active, everywhere)]
    told += [f"by {piece.author}"] if piece.author else []
    told += [f"last changed {changed}"] if changed else []
    return Item(piece.kind, facts.server, piece.name, ", ".join(told), {key: one for key, one in data.items() if one})


def _active_in(facts: SourceFacts, piece: Piece, everywhere: set[str]) -> list[int]:
    """The blogs in which a piece of code runs."""
    if piece.kind == "theme":
        return [blog.number for blog in facts.blogs if piece.name in needed_themes([blog])]
    if piece.kind == "plugin" and piece.name not in everywhere:
        return [
            blog.number for blog in facts.blogs if piece.name in {plugin_folder(one) for one in active_plugins(blog)}
        ]
    runs = piece.is_run or piece.name in everywhere
    return [blog.number for blog in facts.blogs] if runs else []


def _activity(piece: Piece, active: Sequence[int], everywhere: set[str]) -> str:
    if piece.name in everywhere and piece.kind == "plugin":
        return "active in the whole network"
    if piece.is_run:
        return "runs at each page"
    if not active:
        return "not active"
    return f"active in blogs {', '.join(map(str, active))}" if active != [1] else "active"


def _uploads(facts: SourceFacts) -> Iterator[Item]:
    for blog in facts.blogs:
        folder = uploads(facts.installation, blog).folder
        yield Item("uploads", facts.server, folder, f"uploads of blog {blog.number}", {"blog": blog.number})


def bare_items(facts: SourceFacts) -> list[Item]:
    """The code that the survey alone tells of: enough to see what was added since the last assessment."""
    here, server = facts.installation, facts.server
    folders = dict.fromkeys(plugin_folder(one) for one in here.plugins)
    names = {"plugin": list(folders), "must-use": here.mu_plugins, "drop-in": here.drop_ins}
    return [
        Item(kind, server, visible(name), f"{visible(name)}, new since the last assessment")
        for kind, some in names.items()
        for name in some
        if name != "index.php"
    ]


def known_to_rules(config: Config, sources: Sequence[SourceFacts], targets: Sequence[TargetFacts]) -> Known:
    """What the destinations' rules lean on."""
    left = {(one.server, name) for one in sources for name in left_tables(config, one)}
    themes = {}
    for one in sources:
        moving = {store.blog for store in config.stores_of(one.server)}
        needed = needed_themes([blog for blog in one.blogs if blog.number in moving])
        themes[one.server] = frozenset({*needed, *approved_for(config.files.themes, one.server)})
    domains = {blog.domain.partition(":")[0] for one in sources for blog in one.blogs}
    domains |= {domain for store in config.stores for domain in store.domains.values()}
    host = [frozenset(one.installation.drop_ins) for one in targets]
    return Known(
        {one.server: frozenset(store.blog for store in config.stores_of(one.server)) for one in sources},
        frozenset(domains),
        frozenset(left),
        themes,
        frozenset.intersection(*host) if host else frozenset(),
        {one.server: one.installation.root.rstrip("/") for one in sources},
    )


# -- what the database holds -----------------------------------------------------------------------------------------


def _of_held(held: Sequence[Item]) -> Iterator[Finding]:
    for item in held:
        place = f"{item.server}: {item.kind} {item.name}"
        if item.kind == "gateway" and item.data.get("mode") == "live":
            text = "takes real payments: its account, and the addresses that it calls, are bound to the store's domain"
            yield Finding("gateway.live", Level.WARN, place, text, "tell the provider before the cutover")
        elif item.kind == "account" and item.name.endswith("default-logins"):
            yield Finding(
                "account.default-login", Level.WARN, place, item.text, "rename them, or ask for strong passwords"
            )
        elif item.kind == "account" and item.data.get("old"):
            old: list[int] = item.data["old"]
            named = ", ".join(map(str, old[:10])) + (", ..." if len(old) > 10 else "")
            text = f"{item.text} (users {named})"
            yield Finding(
                "account.old", Level.WARN, place, text, "ask the client which of them may go", {"count": len(old)}
            )
        elif item.kind == "media":
            text = f"{item.text}: they are no part of uploads, and stay where they are"
            yield Finding("media.elsewhere", Level.WARN, place, text, "ask who owns that place, and until when")
    yield from _licences(held)


def _licences(held: Sequence[Item]) -> Iterator[Finding]:
    by_server: dict[str, list[str]] = {}
    for item in held:
        if item.kind == "licence":
            by_server.setdefault(item.server, []).append(item.name)
    for server, names in by_server.items():
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        text = f"{len(names)} options are named like licences or keys, which may be bound to a site's address: {shown}"
        yield Finding("licence.bound", Level.INFO, server, text, data={"count": len(names)})


# -- what front pages load -------------------------------------------------------------------------------------------

_TAGS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("Google Tag Manager", re.compile(r"\b(GTM-[A-Z0-9]{4,10})\b")),
    ("Google Analytics 4", re.compile(r"[\"'=/](G-[A-Z0-9]{6,12})\b")),
    ("Universal Analytics (ended 2023)", re.compile(r"\b(UA-\d{4,10}-\d{1,3})\b")),
    ("Google Ads", re.compile(r"\b(AW-\d{6,12})\b")),
    ("Meta pixel", re.compile(r"fbq\(\s*['\"]init['\"]\s*,\s*['\"](\d{8,20})['\"]")),
    ("TikTok pixel", re.compile(r"ttq\.load\(\s*['\"]([A-Z0-9]{10,30})['\"]")),
    ("Pinterest tag", re.compile(r"pintrk\(\s*['\"]load['\"]\s*,\s*['\"](\d{8,20})['\"]")),
    ("Microsoft Clarity", re.compile(r"clarity\.ms/tag/([a-z0-9]{6,16})")),
    ("Hotjar", re.compile(r"hjid\s*:\s*(\d{4,10})")),
    ("Matomo", re.compile(r"_paq\.push\(\s*\[\s*['\"]setSiteId['\"]\s*,\s*['\"](\d{1,6})['\"]")),
)


def tag_items(server: str, blog: int, page: str) -> list[Item]:
    """Analytics and advertising that a front page loads, with their ids."""
    found: Mapping[str, str] = {one: what for what, pattern in _TAGS for one in pattern.findall(page)}
    return [
        Item("tag", server, name, f"{what} on the front page of blog {blog}", {"blog": blog, "what": what})
        for name, what in sorted(found.items())
    ]
