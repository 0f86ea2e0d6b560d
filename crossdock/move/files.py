"""Carries the stores' files, source -> spool -> target, and proves them: every file by SHA-256, both ways.

A run that is repeated, after a kill or a day later, carries and reads only what has changed since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from typing import Any

from crossdock.core.evidence import Finding, Level, digest_of
from crossdock.core.files import FILE, FOLDER, LINK, Entry, Listing, shown
from crossdock.core.ports import FileServer, Journal, Progress, Spool
from crossdock.move.attachments import Attachments
from crossdock.move.manifests import Reading, absolute, read
from crossdock.move.trees import Difference, Tree, Wanted, contents, difference, of_the_target, stale, wanted
from crossdock.wordpress.content_files import is_code, is_silence

_ROUNDS = 3
_NAMED = 5


@dataclass(frozen=True)
class FilesOrder:
    """What the files of one environment are carried and proved with. `servers` go by name; `exclude` are patterns."""

    plan: str
    environment: str
    trees: Sequence[Tree]
    findings: Sequence[Finding]
    servers: Mapping[str, FileServer]
    target: FileServer
    spool: Spool
    exclude: Sequence[str] = ()


@dataclass
class TreeVerdict:
    """One folder, compared: counts of what is carried, and the names that are not as they should be."""

    tree: Tree
    wanted: Wanted
    should: dict[bytes, str]
    found: Difference
    changing: tuple[bytes, ...] = ()
    unreadable: tuple[bytes, ...] = ()
    of_target: tuple[bytes, ...] = ()
    code: int = 0
    open_modes: int = 0

    def count(self, kind: str) -> int:
        return sum(entry.kind == kind for entry in self.wanted.entries.values())

    @property
    def bytes_total(self) -> int:
        return sum(entry.size for entry in self.wanted.entries.values() if entry.kind == FILE)

    @property
    def manifest(self) -> str:
        """SHA-256 over every name and content that should be at the target."""
        lines = (
            name + b"\0" + content.encode("utf-8", "surrogateescape") for name, content in sorted(self.should.items())
        )
        return hashlib.sha256(b"\0\0".join(lines)).hexdigest()


@dataclass
class FilesResult:
    """What carrying or proving found. `green` when no finding is a fail or a block."""

    verdicts: list[TreeVerdict]
    findings: list[Finding]
    carried_files: int = 0
    carried_bytes: int = 0
    attachments: dict[str, Attachments] = field(default_factory=dict)

    @property
    def green(self) -> bool:
        return not any(one.level in (Level.FAIL, Level.BLOCK) for one in self.findings)

    def figures(self) -> dict[str, int]:
        """The counts that demo.json and the receipts hold."""
        return {
            "files_total": sum(one.count(FILE) + one.count(LINK) for one in self.verdicts),
            "files_missing": sum(len(one.found.missing) for one in self.verdicts),
            "files_extra": sum(len(one.found.extra) for one in self.verdicts),
            "files_different": sum(len(one.found.different) for one in self.verdicts),
            "files_changing": sum(len(one.changing) for one in self.verdicts),
            "files_excluded": sum(one.wanted.excluded for one in self.verdicts),
            "files_of_target": sum(len(one.of_target) for one in self.verdicts),
            "file_bytes": sum(one.bytes_total for one in self.verdicts),
            "attachment_files": sum(one.named for one in self.attachments.values()),
            "attachments_missing": sum(one.missing for one in self.attachments.values()),
            "attachments_missing_at_source": sum(one.missing_at_source for one in self.attachments.values()),
        }


# -- carrying --------------------------------------------------------------------------------------------------------


def carry(order: FilesOrder, journal: Journal, progress: Progress, *, full: bool = False) -> FilesResult:
    """Carries what the target lacks, takes away what the sources no longer have, and compares. Writes receipts and
    findings. `full` reads every file of both sides anew, and not only what has changed since an earlier run.

    Errors: AccessError; TargetError or CrossdockError when a disk is full: what has come stays, and a rerun goes on.
    """
    sides = _Sides.of(order, full, full)
    sides.read(progress, f"files {order.environment}: read the sources")
    sides.read_target(progress, f"files {order.environment}: read the target")
    kept, found = sides.settled()
    pulled = _pull(order, sides, kept, progress)
    _remove_gone(order, sides, kept)
    pushed = _push(order, sides, kept, progress)
    _mend(order, sides, kept, progress)
    for tree in kept:
        if order.spool.placed(order.environment, tree.key) is not None:
            order.spool.place(order.environment, tree.key, sides.should(tree))
    result = _result(order, sides, kept, found)
    result.carried_files, result.carried_bytes = pushed
    _keep(order, result, journal, "files", {"pulled_files": pulled[0], "pulled_bytes": pulled[1]})
    return result


def prove(
    order: FilesOrder, journal: Journal, progress: Progress, attachments: Mapping[str, Sequence[bytes]], *, full: bool
) -> FilesResult:
    """Compares every file of both sides, and reads all of the target's anew; with `full` also all of the sources'.

    `attachments`: the files below uploads that each store's database names, by store.
    """
    sides = _Sides.of(order, full, True)
    sides.read_all(progress, f"files {order.environment}: compare")
    kept, found = sides.settled()
    result = _result(order, sides, kept, found)
    for verdict in result.verdicts:
        named = attachments.get(verdict.tree.store)
        if verdict.tree.kind == "uploads" and named is not None:
            one = Attachments.of(named, verdict.should, sides.have(verdict.tree))
            result.attachments[verdict.tree.store] = one
            result.findings += one.findings(verdict.tree)
    _keep(order, result, journal, "validate.files", {})
    return result


def _pull(order: FilesOrder, sides: _Sides, trees: Sequence[Tree], progress: Progress) -> tuple[int, int]:
    """Brings what the spool lacks, until the sources hold still. Returns files and bytes."""
    counted = _Counted(progress)
    for attempt in range(_ROUNDS):
        if attempt:
            sides.read(progress, f"files {order.environment}: read the sources again")
        todo = {tree: missing for tree in trees if (missing := _unspooled(order, sides, tree))}
        if not todo:
            break
        _start(progress, f"files {order.environment}: source -> spool", todo.values())
        try:
            with ThreadPoolExecutor(len(order.servers)) as pool:
                list(pool.map(partial(_pull_from, order, todo, counted), order.servers))
        finally:
            progress.finish()
        # Not before: an unfinished file of a killed run is gone on with.
        for tree in todo:
            order.spool.clean(tree.key)
    else:
        sides.read(progress, f"files {order.environment}: read the sources again")
    return counted.files, counted.bytes


def _pull_from(order: FilesOrder, todo: Mapping[Tree, dict[bytes, Entry]], counted: _Counted, server: str) -> None:
    for tree, missing in todo.items():
        if tree.server == server:
            folder = order.spool.folder(tree.key)
            order.servers[server].pull(tree.source, missing, folder, counted.at(tree.key))


def _unspooled(order: FilesOrder, sides: _Sides, tree: Tree) -> dict[bytes, Entry]:
    """What of a folder has to be brought; what the spool holds besides is removed."""
    want = sides.wanted(tree).entries
    order.spool.settle(tree.key, want)
    missing = stale(want, order.spool.listing(tree.key).entries)
    closed = sides.source(tree).unreadable
    return {
        name: entry
        for name, entry in missing.items()
        if entry.kind != LINK and absolute(tree.source, name) not in closed
    }


def _push(order: FilesOrder, sides: _Sides, trees: Sequence[Tree], progress: Progress) -> tuple[int, int]:
    """Sends what the target lacks. What goes on changing at its source waits. Returns files and bytes."""
    counted = _Counted(progress)
    todo = {tree: missing for tree in trees if (missing := stale(sides.ready(tree), sides.have(tree)))}
    if todo:
        _start(progress, f"files {order.environment}: spool -> target", todo.values())
        order.target.prepare([tree.target for tree in todo])
    try:
        for tree in trees:
            before = order.spool.placed(order.environment, tree.key)
            # Before the first file goes: a killed run must know its own files again. Code that the host has already,
            # file by file the same, stays the host's.
            if tree in todo or tree.kind == "uploads" or before is not None:
                order.spool.place(order.environment, tree.key, {**(before or {}), **sides.should(tree)})
            folder = order.spool.folder(tree.key)
            order.target.push(folder, todo.get(tree, {}), tree.target, counted.at(tree.key))
    finally:
        progress.finish()
    if todo:
        order.target.clean([tree.target for tree in todo])
        sides.read_target(progress, f"files {order.environment}: read the target")
    return counted.files, counted.bytes


def _remove_gone(order: FilesOrder, sides: _Sides, trees: Sequence[Tree]) -> None:
    """Takes away what we once put there and the source no longer has, unless somebody has changed it since."""
    removed = False
    for tree in trees:
        # Before anything is sent: a folder may have become a link or a file.
        placed = order.spool.placed(order.environment, tree.key) or {}
        have = sides.have_contents(tree)
        extra = difference(sides.should(tree), have).extra
        gone = [name for name in extra if name in placed and placed[name] == have[name] != FOLDER]
        order.target.remove(tree.target, gone)
        removed = removed or bool(gone)
    if removed:
        sides.list_target()


def _mend(order: FilesOrder, sides: _Sides, trees: Sequence[Tree], progress: Progress) -> None:
    """Carries once more, from the source on, what looks the same by size and time and is not."""
    wrong = {tree: names for tree in trees if (names := _wrong(sides, tree))}
    if not wrong:
        return
    counted = _Counted(progress)
    _start(progress, f"files {order.environment}: once more", wrong.values())
    order.target.prepare([tree.target for tree in wrong])
    try:
        for tree, entries in wrong.items():
            folder = order.spool.folder(tree.key)
            files = {name: entry for name, entry in entries.items() if entry.kind == FILE}
            order.spool.drop(tree.key, list(files))
            order.servers[tree.server].pull(tree.source, files, folder, lambda bytes_: None)
            there = order.spool.listing(tree.key).entries
            ready = {name: one for name, one in entries.items() if name in there}
            order.target.push(folder, ready, tree.target, counted.at(tree.key), anew=True)
    finally:
        progress.finish()
    order.target.clean([tree.target for tree in wrong])
    sides.read(progress, f"files {order.environment}: read the sources again")
    sides.read_target(progress, f"files {order.environment}: read the target")


def _wrong(sides: _Sides, tree: Tree) -> dict[bytes, Entry]:
    found = sides.difference(tree)
    ready = sides.ready(tree) if found.missing or found.different else {}
    return {name: ready[name] for name in (*found.missing, *found.different) if name in ready}


def _start(progress: Progress, stage: str, todo: Iterable[Mapping[bytes, Entry]]) -> None:
    files = [entry.size for entries in todo for entry in entries.values() if entry.kind == FILE]
    progress.start(stage, rows=len(files), bytes_=sum(files), noun="files")


class _Counted:
    """Tells each file that has come through, and keeps count. Several servers may do so at once."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.files, self.bytes, self._lock = progress, 0, 0, Lock()

    def at(self, place: str) -> Callable[[int], None]:
        """What to call with each file's bytes."""

        def advance(bytes_: int) -> None:
            with self._lock:
                self.files += 1
                self.bytes += bytes_
                self.progress.advance(place, rows=1, bytes_=bytes_)

        return advance


# -- both sides ------------------------------------------------------------------------------------------------------


class _Sides:
    """Readings of all sources and of the target, and what they mean for each tree."""

    def __init__(self, order: FilesOrder, sources: dict[str, Reading], target: Reading) -> None:
        self.order, self.sources, self.target = order, sources, target
        self._wanted: dict[str, tuple[Listing | None, Wanted]] = {}

    @classmethod
    def of(cls, order: FilesOrder, full_sources: bool, full_target: bool) -> _Sides:
        """`full_*`: what is known of earlier runs is not trusted."""
        sources: dict[str, Reading] = {}
        for name, server in order.servers.items():
            mine = [tree for tree in order.trees if tree.server == name]
            roots = list(dict.fromkeys(tree.source for tree in mine))
            sources[name] = Reading(server, f"source {name}", roots, _of_sources(mine, order.exclude), full_sources)
        roots = list(dict.fromkeys(tree.target for tree in order.trees))
        there = Reading(order.target, f"target {order.environment}", roots, _of_target(order.trees), full_target)
        return cls(order, sources, there)

    def read(self, progress: Progress, stage: str) -> None:
        read(list(self.sources.values()), self.order.spool, progress, stage)

    def read_target(self, progress: Progress, stage: str) -> None:
        read([self.target], self.order.spool, progress, stage)

    def read_all(self, progress: Progress, stage: str) -> None:
        read([*self.sources.values(), self.target], self.order.spool, progress, stage)

    def list_target(self) -> None:
        """After a removal: no content has changed."""
        self.target.listings = self.order.target.listings(self.target.roots)

    def source(self, tree: Tree) -> Reading:
        return self.sources[tree.server]

    def wanted(self, tree: Tree) -> Wanted:
        listing = self.source(tree).listings.get(tree.source)
        found = self._wanted.get(tree.key)
        if found is None or found[0] is not listing:
            found = self._wanted[tree.key] = listing, wanted(tree, listing, self.order.exclude)
        return found[1]

    def is_changing(self, tree: Tree, name: bytes) -> bool:
        return absolute(tree.source, name) in self.source(tree).changing

    def ready(self, tree: Tree) -> dict[bytes, Entry]:
        """What is in the spool as it is at the source, and holds still."""
        want = self.wanted(tree).entries
        waiting = stale(want, self.order.spool.listing(tree.key).entries)
        return {name: one for name, one in want.items() if name not in waiting and not self.is_changing(tree, name)}

    def should(self, tree: Tree) -> dict[bytes, str]:
        """What the target should hold, by name and content, without what keeps changing."""
        steady = {name: one for name, one in self.wanted(tree).entries.items() if not self.is_changing(tree, name)}
        return contents(tree.source, steady, self.source(tree).hashes)

    def have(self, tree: Tree) -> dict[bytes, Entry]:
        entries = self.target.entries(tree.target)
        return {name: one for name, one in entries.items() if not tree.only or name == tree.only}

    def have_contents(self, tree: Tree) -> dict[bytes, str]:
        return contents(tree.target, self.have(tree), self.target.hashes)

    def difference(self, tree: Tree) -> Difference:
        return difference(self.should(tree), self.have_contents(tree))

    def settled(self) -> tuple[list[Tree], list[Finding]]:
        """The trees that are carried. Code of one name that differs between servers, or from the target's, is told."""
        kept: list[Tree] = []
        found: list[Finding] = []
        groups: dict[tuple[str, bytes], list[Tree]] = {}
        for tree in self.order.trees:
            groups.setdefault(tree.goal, []).append(tree)
        for trees in groups.values():
            chosen, told = self._one_of(trees)
            found += told
            if chosen is not None and (own := self._is_the_targets(chosen)):
                found.append(own)
            elif chosen is not None:
                kept.append(chosen)
        return kept, found

    def _one_of(self, trees: Sequence[Tree]) -> tuple[Tree | None, list[Finding]]:
        first, *others = trees
        differing = [one for one in others if difference(self.should(first), self.should(one)) != Difference()]
        if not differing:
            return first, []
        named = [tree for tree in trees if tree.approved]
        text = f"servers {', '.join(tree.server for tree in trees)} have different folders under this one name"
        if len(named) == 1:
            return named[0], [
                Finding("file.conflict", Level.WARN, first.target, f"{text}; {named[0].server}'s is carried")
            ]
        kind, name = {"theme": "themes", "plugin": "plugins"}.get(first.kind, "must_use"), first.key.rpartition("/")[2]
        way_out = f'name the one to carry in [files]: {kind} = ["{first.server}/{name}"], and keep no other by decision'
        return None, [Finding("file.conflict", Level.FAIL, first.target, text, way_out)]

    def _is_the_targets(self, tree: Tree) -> Finding | None:
        """Why a theme is the host's own and stays: it was there before us and nobody has approved ours."""
        mine = tree.kind == "uploads" or tree.approved
        if mine or not self.have(tree) or self.order.spool.placed(self.order.environment, tree.key) is not None:
            return None
        found = self.difference(tree)
        if found == Difference():
            return None
        names = len(found.missing) + len(found.extra) + len(found.different)
        text = f"the target's own {tree.kind} of this name differs in {names} files and stays"
        way_out = f'where the source\'s is wanted: [files] themes = ["{tree.key.rpartition("/")[2]}"]'
        return Finding("file.theme-differs", Level.WARN, tree.place, text, way_out, {"files": names})


def _of_sources(trees: Sequence[Tree], exclude: Sequence[str]) -> Any:
    def select(root: str, listing: Listing | None) -> Mapping[bytes, Entry]:
        made: dict[bytes, Entry] = {}
        for tree in trees:
            if tree.source == root:
                made.update(wanted(tree, listing, exclude).entries)
        return made

    return select


def _of_target(trees: Sequence[Tree]) -> Any:
    def select(root: str, listing: Listing | None) -> Mapping[bytes, Entry]:
        mine = [tree for tree in trees if tree.target == root]
        entries = listing.entries if listing else {}
        if any(not tree.only for tree in mine):
            return entries
        names = {tree.only for tree in mine}
        return {name: one for name, one in entries.items() if name in names}

    return select


# -- what is told ----------------------------------------------------------------------------------------------------


def _result(order: FilesOrder, sides: _Sides, trees: Sequence[Tree], found: Sequence[Finding]) -> FilesResult:
    verdicts = [_verdict(sides, tree) for tree in trees]
    findings = [*order.findings, *found]
    for one in verdicts:
        findings += _findings(one, sides)
    return FilesResult(verdicts, findings)


def _verdict(sides: _Sides, tree: Tree) -> TreeVerdict:
    want, have, source = sides.wanted(tree), sides.have(tree), sides.source(tree)
    should = sides.should(tree)
    changing = tuple(sorted(name for name in want.entries if sides.is_changing(tree, name)))
    # A file that keeps changing may be at the target in an earlier state, or not yet.
    there = {name: content for name, content in sides.have_contents(tree).items() if name not in changing}
    found = difference(should, there)
    own = of_the_target(tree, found.extra, have)
    code = [
        name
        for name, entry in want.entries.items()
        if entry.kind == FILE and is_code(name) and not is_silence(name, entry)
    ]
    return TreeVerdict(
        tree, want, should,
        replace(found, extra=tuple(name for name in found.extra if name not in own)),
        changing,
        tuple(name for name in want.entries if absolute(tree.source, name) in source.unreadable),
        tuple(sorted(name for name in own if have[name].kind != FOLDER)),
        len(code) if tree.kind == "uploads" else 0,
        sum(_is_open(one) for one in have.values()),
    )  # fmt: skip


def _is_open(entry: Entry) -> bool:
    """Whether everybody may write to it, or it runs as its owner. (On folders the latter bits mean something else.)"""
    return entry.kind != LINK and bool(entry.mode & (0o002 if entry.kind == FOLDER else 0o6002))


def _findings(one: TreeVerdict, sides: _Sides) -> Iterator[Finding]:
    place = f"{one.tree.place} -> {one.tree.target}"
    fails = (
        ("file.missing", one.found.missing, "are missing at the target"),
        ("file.extra", one.found.extra, "are at the target and not at the source"),
        ("file.different", one.found.different, "differ from the source's"),
        ("file.unreadable", one.unreadable, "can't be read at the source"),
    )
    for code, names, text in fails:
        if names:
            yield Finding(code, Level.FAIL, place, _told(names, text), _WAYS_OUT[code], {"files": len(names)})
    listing = sides.source(one.tree).listings.get(one.tree.source)
    if listing is None:
        yield Finding("file.no-folder", Level.WARN, place, "the source has no such folder: nothing to carry")
    elif listing.unreadable:
        text = f"{listing.unreadable} folders can't be read at the source"
        yield Finding("file.unreadable", Level.FAIL, place, text, _WAYS_OUT["file.unreadable"])
    warns = (
        ("file.changing", one.changing, "were written each time they were read, and wait for a later run"),
        ("file.link-outside", one.wanted.links_outside, "are links that lead out of the folder, and stay behind"),
        ("file.special", one.wanted.special, "are neither files, folders nor links, and stay behind"),
    )
    for code, names, text in warns:
        if names:
            yield Finding(code, Level.WARN, place, _told(names, text), _WAYS_OUT.get(code, ""), {"files": len(names)})
    if one.code:
        text = f"{one.code} PHP files are in uploads, and are carried"
        yield Finding(
            "file.php-in-uploads", Level.WARN, place, text, _WAYS_OUT["file.php-in-uploads"], {"files": one.code}
        )
    if one.open_modes:
        text = f"{one.open_modes} files at the target may be written by everybody, or run as another user"
        yield Finding("file.open-mode", Level.WARN, place, text, "chmod o-w,u-s,g-s at the target")
    if one.of_target:
        text = _told(one.of_target, "were made by the target's own WordPress")
        yield Finding("file.of-target", Level.INFO, place, text, data={"files": len(one.of_target)})


_WAYS_OUT = {
    "file.missing": "crossdock move files --to ENV carries them",
    "file.extra": "look at them; nothing that somebody else put there is ever removed",
    "file.different": "crossdock move files --to ENV carries them again",
    "file.unreadable": "let the source's account read them, or exclude them in [files]",
    "file.changing": "crossdock move files once more, at the latest when the source is read-only",
    "file.link-outside": "put a copy of what they point to in their place, where it is needed",
    "file.php-in-uploads": "look at them: a shop's uploads need none, and intruders like to leave them there",
}


def _told(names: Sequence[bytes], text: str) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{len(names)} {text}: {', '.join(shown(name) for name in names[:_NAMED])}{more}"


def _keep(order: FilesOrder, result: FilesResult, journal: Journal, step: str, more: dict[str, Any]) -> None:
    for one in result.findings:
        journal.finding(one, step=f"{step} {order.environment}")
    for verdict in result.verdicts:
        data = {
            "plan": order.plan,
            "files": verdict.count(FILE), "links": verdict.count(LINK), "folders": verdict.count(FOLDER),
            "bytes": verdict.bytes_total, "excluded": verdict.wanted.excluded, "changing": len(verdict.changing),
            "missing": len(verdict.found.missing), "extra": len(verdict.found.extra),
            "different": len(verdict.found.different), "manifest": verdict.manifest,
        }  # fmt: skip
        journal.receipt("files.store" if step == "files" else step, f"{order.environment}/{verdict.tree.key}", data)
    data = {"plan": order.plan, "green": result.green, **result.figures(), **more}
    data |= {"carried_files": result.carried_files, "carried_bytes": result.carried_bytes} if step == "files" else {}
    data["findings"] = digest_of([one.as_json() for one in result.findings])
    journal.receipt(step, order.environment, data)
