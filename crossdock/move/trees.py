"""Which folders of the sources go where, what of them is carried, and how two sides differ. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Literal

from crossdock.core.config import Files
from crossdock.core.evidence import Finding, Level
from crossdock.core.files import FILE, FOLDER, LINK, Entry, Listing, shown
from crossdock.move.destinations import Placed, approved_for, code_of
from crossdock.move.plan import Plan
from crossdock.move.survey import SourceFacts, TargetFacts
from crossdock.wordpress.content_files import (
    active_plugins,
    content_folder,
    made_by_the_target,
    needed_themes,
    plugin_folder,
)
from crossdock.wordpress.installation import Installation
from crossdock.wordpress.sitemap import SiteMap, StoreMap

Kind = Literal["uploads", "theme", "plugin", "must-use"]
_OTHER_BLOGS = b"sites"
_MOST_LINKS = 40  # on one way, as Linux has it


@dataclass(frozen=True)
class Tree:
    """One folder of a source and the folder it becomes, both absolute. `key` is its own in an environment.

    `store` owns it, '' where it is code that all stores share. `leave` are first names that belong to others; `only` is
    the one file that is meant, where the folder is not. `approved`: a person named it in [files].
    """

    key: str
    server: str
    kind: Kind
    source: str
    target: str
    store: str = ""
    leave: tuple[bytes, ...] = ()
    only: bytes = b""
    approved: bool = False

    @property
    def place(self) -> str:
        """Where, for people."""
        return f"{self.server}: {self.source}" + (f"/{shown(self.only)}" if self.only else "")

    @property
    def goal(self) -> tuple[str, bytes]:
        """What no two trees may share."""
        return self.target, self.only


@dataclass(frozen=True)
class Wanted:
    """What of a source's folder is carried. Links have the text they get at the target."""

    entries: dict[bytes, Entry] = field(default_factory=dict)
    excluded: int = 0
    links_outside: tuple[bytes, ...] = ()
    special: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Difference:
    """How what is there differs from what should be. Each name is in one list at most."""

    missing: tuple[bytes, ...] = ()
    extra: tuple[bytes, ...] = ()
    different: tuple[bytes, ...] = ()


def plan_trees(
    files: Files, plan: Plan, environment: str, sources: Sequence[SourceFacts], target: TargetFacts
) -> tuple[list[Tree], list[Finding]]:
    """The folders to carry to an environment, and what stays behind of the sources' code."""
    trees: list[Tree] = []
    found: list[Finding] = []
    for facts in sources:
        site = plan.site(facts.server, environment)
        trees += [_uploads(site, store, facts) for store in site.stores]
        trees += _themes(files, site, facts, target.installation)
        trees += _plugins(files, plan.destinations, facts, target.installation)
        trees += _must_use(files, plan.destinations, facts, target.installation)
        found += _left_code(files, plan.destinations, facts, target.installation)
    found += _unknown_names(files, sources)
    return trees, found


def _uploads(site: SiteMap, store: StoreMap, facts: SourceFacts) -> Tree:
    source = store.source_upload_folder or site.source_root.rstrip("/") + store.source_uploads
    target = site.target_root.rstrip("/") + store.target_uploads
    others = (_OTHER_BLOGS,) if facts.installation.multisite and store.source_blog == 1 else ()
    return Tree(f"{site.server}/uploads/{store.store}", site.server, "uploads", source, target, store.store, others)


def _themes(files: Files, site: SiteMap, facts: SourceFacts, target: Installation) -> Iterator[Tree]:
    moving = {store.source_blog for store in site.stores}
    needed = needed_themes([blog for blog in facts.blogs if blog.number in moving])
    approved = approved_for(files.themes, facts.server)
    for name in dict.fromkeys((*needed, *approved)):
        if name in facts.installation.themes:
            yield _code("theme", "themes", name, facts, target, approved=name in approved)


def _plugins(files: Files, placed: Sequence[Placed], facts: SourceFacts, target: Installation) -> Iterator[Tree]:
    there = {plugin_folder(plugin): "/" in plugin for plugin in facts.installation.plugins}
    for name in approved_for((*files.plugins, *code_of(placed, "plugin", "kept")), facts.server):
        if name in there:
            yield _code("plugin", "plugins", name, facts, target, approved=True, alone=not there[name])


def _must_use(files: Files, placed: Sequence[Placed], facts: SourceFacts, target: Installation) -> Iterator[Tree]:
    for name in approved_for((*files.must_use, *code_of(placed, "must-use", "kept")), facts.server):
        alone = name in facts.installation.mu_plugins
        yield _code("must-use", "mu-plugins", name, facts, target, approved=True, alone=alone)


def _code(
    kind: Kind, folder: str, name: str, facts: SourceFacts, there: Installation, *, approved: bool, alone: bool = False
) -> Tree:
    """The tree of one theme or plugin; `alone`: it is a single file."""
    source, target = (f"{content_folder(one)}/{folder}" for one in (facts.installation, there))
    within, only = ("", name.encode("utf-8", "surrogateescape")) if alone else (f"/{name}", b"")
    return Tree(
        f"{facts.server}/{kind}/{name}", facts.server, kind, source + within, target + within, only=only,
        approved=approved,
    )  # fmt: skip


# -- code that stays behind ------------------------------------------------------------------------------------------


def _left_code(files: Files, placed: Sequence[Placed], facts: SourceFacts, target: Installation) -> Iterator[Finding]:
    decided = {one.key: f"{one.choice} by {one.by}" for one in placed if one.choice in ("replaced", "dropped")}
    approved = approved_for((*files.plugins, *code_of(placed, "plugin", "kept")), facts.server)
    there = {plugin_folder(plugin) for plugin in target.plugins}
    active = {plugin_folder(plugin) for blog in facts.blogs for plugin in active_plugins(blog)}
    for name in sorted({plugin_folder(plugin) for plugin in facts.installation.plugins}):
        if name in approved or name in there:
            continue
        place = f"{facts.server}: plugins/{name}"
        if said := decided.get(f"plugin:{facts.server}:{name}"):
            yield Finding("file.plugin-unapproved", Level.INFO, place, f"plugin {name} stays behind: {said}")
            continue
        level = Level.WARN if name in active else Level.INFO
        text = f"plugin {name} is {'active' if name in active else 'inactive'} here, not approved, and stays behind"
        way_out = f'where it is needed: [files] plugins = ["{name}"], or have the target install its own'
        yield Finding("file.plugin-unapproved", level, place, text, way_out)
    for name in approved_for(code_of(placed, "plugin", "kept"), facts.server):
        if name not in {plugin_folder(plugin) for plugin in facts.installation.plugins}:
            text = f"plugin {name} is kept by decision, but no plugin's header is there: nothing is carried"
            yield Finding("file.approved-absent", Level.WARN, f"{facts.server}: plugins/{name}", text)
    must_use = approved_for((*files.must_use, *code_of(placed, "must-use", "kept")), facts.server)
    for name in facts.installation.mu_plugins:
        if name in must_use or name in target.mu_plugins:
            continue
        place = f"{facts.server}: mu-plugins/{name}"
        if said := decided.get(f"must-use:{facts.server}:{name}"):
            yield Finding("file.plugin-unapproved", Level.INFO, place, f"must-use plugin {name} stays behind: {said}")
        else:
            text = f"must-use plugin {name} runs here, is not approved, and stays behind"
            way_out = f'where it is needed: [files] must_use = ["{name}"]'
            yield Finding("file.plugin-unapproved", Level.WARN, place, text, way_out)
    for name in facts.installation.drop_ins:
        text = f"drop-in {name} stays behind: caches and the like are the target host's own"
        yield Finding("file.drop-in", Level.INFO, f"{facts.server}: {name}", text)


def _unknown_names(files: Files, sources: Sequence[SourceFacts]) -> Iterator[Finding]:
    for key, names in (("themes", files.themes), ("plugins", files.plugins)):
        for name in names:
            owner, _, folder = name.rpartition("/")
            asked = [facts.installation for facts in sources if owner in ("", facts.server)]
            known = {plugin_folder(one) for here in asked for one in (here.themes if key == "themes" else here.plugins)}
            if folder not in known:
                text = f"no source has {name}, which [files] {key} approves"
                yield Finding(
                    "file.approved-absent", Level.WARN, f"[files] {key}", text, "mend the name in crossdock.toml"
                )


# -- what of a folder is carried -------------------------------------------------------------------------------------


def wanted(tree: Tree, listing: Listing | None, exclude: Sequence[str]) -> Wanted:
    """What of a folder is carried. Links stay links, and those that lead out of the folder stay behind."""
    patterns = [re.compile(translate(one)) for one in exclude] if tree.kind == "uploads" else []
    links = _links(tree.source, listing)
    entries: dict[bytes, Entry] = {}
    excluded, outside, special = 0, [], []
    for name, entry in (listing.entries if listing else {}).items():
        first = name.partition(b"/")[0]
        if first in tree.leave or (tree.only and name != tree.only):
            continue
        if patterns and is_excluded(name, patterns):
            excluded += entry.kind != FOLDER
        elif entry.kind in (FILE, FOLDER):
            entries[name] = entry
        elif entry.kind != LINK:
            special.append(name)
        elif (link := links[name]) is not None and _stays_within(name, links):
            entries[name] = entry._replace(link=link)
        else:
            outside.append(name)
    return Wanted(entries, excluded, tuple(sorted(outside)), tuple(sorted(special)))


def is_excluded(name: bytes, patterns: Sequence[re.Pattern[str]]) -> bool:
    """Whether the name, a folder above it, or its last part fits a pattern."""
    parts = name.decode("utf-8", "surrogateescape").split("/")
    tails = (*("/".join(parts[:at]) for at in range(1, len(parts) + 1)), parts[-1])
    return any(pattern.match(one) for pattern in patterns for one in tails)


def carried_link(root: str, name: bytes, link: bytes) -> bytes | None:
    """A link's text at the target: relative, whatever it was; None when it leads out of the folder."""
    folder = posixpath.dirname(name)
    if link.startswith(b"/"):
        base = root.encode("utf-8", "surrogateescape").rstrip(b"/") + b"/"
        if not posixpath.normpath(link).startswith(base):
            return None
        return posixpath.relpath(posixpath.normpath(link)[len(base) :], folder or b".")
    to = posixpath.normpath(posixpath.join(folder, link))
    return None if to == b".." or to.startswith(b"../") else link


def _links(root: str, listing: Listing | None) -> dict[bytes, bytes | None]:
    """The text that each link would get at the target; None for those that lead out of the folder by themselves."""
    entries = listing.entries if listing else {}
    return {name: carried_link(root, name, one.link) for name, one in entries.items() if one.kind == LINK}


def _stays_within(name: bytes, links: Mapping[bytes, bytes | None]) -> bool:
    """Whether a link stays in the folder when those on its way are followed as well: `..` behind a link leads above
    what that one points to, so that two links which stay inside may lead out together."""
    left = name.split(b"/")[::-1]
    at: list[bytes] = []
    followed = 0
    while left:
        part = left.pop()
        if part == b"..":
            if not at:
                return False
            at.pop()
        elif part not in (b"", b"."):
            at.append(part)
            to = links.get(b"/".join(at), b"")
            followed += to != b""
            if to is None or followed > _MOST_LINKS:
                return False
            if to:
                at.pop()
                left += to.split(b"/")[::-1]
    return True


def stale(want: Mapping[bytes, Entry], have: Mapping[bytes, Entry]) -> dict[bytes, Entry]:
    """What has to be carried again: it is not there, or its kind, size, time (in seconds) or link differs."""
    return {name: entry for name, entry in want.items() if name not in have or _differs(entry, have[name])}


def _differs(one: Entry, other: Entry) -> bool:
    if one.kind != other.kind:
        return True
    if one.kind == LINK:
        return one.link != other.link
    return one.kind == FILE and (one.size, one.mtime_seconds) != (other.size, other.mtime_seconds)


# -- comparing -------------------------------------------------------------------------------------------------------


def contents(tree_root: str, entries: Mapping[bytes, Entry], hashes: Mapping[bytes, str]) -> dict[bytes, str]:
    """Each name's content: a file's SHA-256 ('?' where it can't be read), a link's text, a folder as such.

    `hashes` go by absolute path.
    """
    base = tree_root.encode("utf-8", "surrogateescape") + b"/"
    made: dict[bytes, str] = {}
    for name, entry in entries.items():
        if entry.kind == FILE:
            made[name] = f"f:{hashes.get(base + name, '?')}"
        elif entry.kind == LINK:
            made[name] = f"l:{entry.link.decode('utf-8', 'surrogateescape')}"
        else:
            made[name] = entry.kind
    return made


def difference(should: Mapping[bytes, str], have: Mapping[bytes, str]) -> Difference:
    """Both ways, by name and content."""
    return Difference(
        tuple(sorted(name for name in should if name not in have)),
        tuple(sorted(name for name in have if name not in should)),
        tuple(sorted(name for name, content in should.items() if have.get(name, content) != content)),
    )


def of_the_target(tree: Tree, names: Sequence[bytes], have: Mapping[bytes, Entry]) -> set[bytes]:
    """Those extra names that the target itself has made: empty folders, and what WordPress puts into them."""
    return {
        name
        for name in names
        if have[name].kind == FOLDER or (tree.kind == "uploads" and made_by_the_target(name, have[name]))
    }
