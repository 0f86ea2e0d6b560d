"""Brings a server's folders into a local spool of their own, as they are, and tells what came."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate

from crossdock.core.evidence import Finding, Level
from crossdock.core.files import FILE, FOLDER, LINK, Entry, Listing, shown
from crossdock.core.ports import FileServer, Progress, Spool
from crossdock.move.backup import KeptFile, is_secret, unreadable
from crossdock.move.manifests import Reading, absolute, read
from crossdock.move.trees import is_excluded, stale

_ROUNDS = 3
_OURS = "backup"


@dataclass
class Pulled:
    """What is in the spool now, by folder and name; `secrets`: files that may not lie in it, by absolute path."""

    folders: dict[str, dict[bytes, KeptFile]] = field(default_factory=dict)
    changing: list[str] = field(default_factory=list)
    secrets: list[bytes] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    carried_files: int = 0
    carried_bytes: int = 0


def pull(server: FileServer, roots: Sequence[str], exclude: Sequence[str], spool: Spool, progress: Progress) -> Pulled:
    """Brings what the spool lacks, until the server holds still, and removes from it what the server has no longer.

    Errors: AccessError; CrossdockError when the spool's disk is full: what has come stays, and a rerun goes on.
    """
    patterns = [re.compile(translate(one)) for one in exclude]
    reading = Reading(server, f"backup {server.name}", roots, _selection(patterns))
    made = Pulled()
    for attempt in range(_ROUNDS + 1):
        read([reading], spool, progress, f"backup {server.name}: read the files")
        todo = {root: lacking for root in roots if (lacking := _lacking(reading, root, spool))}
        if not todo or attempt == _ROUNDS:
            break
        sizes = [entry.size for lacking in todo.values() for entry in lacking.values() if entry.kind == FILE]
        progress.start(f"backup {server.name}: files", rows=len(sizes), bytes_=sum(sizes), noun="files")
        try:
            for root, lacking in todo.items():
                server.pull(root, lacking, spool.folder(root), _counted(made, root, progress))
                spool.place(_OURS, root, _hashes(reading, root))
        finally:
            progress.finish()
        for root in todo:
            spool.clean(root)
    for root in roots:
        _tell(reading, root, spool, patterns, made)
    return made


def _selection(patterns: Sequence[re.Pattern[str]]) -> Callable[[str, Listing | None], Mapping[bytes, Entry]]:
    def select(root: str, listing: Listing | None) -> Mapping[bytes, Entry]:
        entries = listing.entries if listing else {}
        return {
            name: one
            for name, one in entries.items()
            if one.kind in (FILE, FOLDER, LINK) and not is_excluded(name, patterns) and not _is_sealed(name, one)
        }

    return select


def _is_sealed(name: bytes, entry: Entry) -> bool:
    return entry.kind == FILE and is_secret(name)


def _lacking(reading: Reading, root: str, spool: Spool) -> dict[bytes, Entry]:
    """What of a folder has to be brought."""
    want = reading.entries(root)
    spool.settle(root, want)
    hashes, before = _hashes(reading, root), spool.placed(_OURS, root) or {}
    # Size and second of a file may be what they were, and its content not.
    spool.drop(root, [name for name, content in hashes.items() if before.get(name, content) != content])
    lacking = stale(want, spool.listing(root).entries)
    return {
        name: one
        for name, one in lacking.items()
        if one.kind != LINK and absolute(root, name) not in reading.unreadable
    }


def _hashes(reading: Reading, root: str) -> dict[bytes, str]:
    start = len(absolute(root, b""))
    base = absolute(root, b"")
    return {path[start:]: content for path, content in reading.hashes.items() if path.startswith(base)}


def _counted(made: Pulled, root: str, progress: Progress) -> Callable[[int], None]:
    def advance(bytes_: int) -> None:
        made.carried_files += 1
        made.carried_bytes += bytes_
        progress.advance(root, rows=1, bytes_=bytes_)

    return advance


def _tell(reading: Reading, root: str, spool: Spool, patterns: Sequence[re.Pattern[str]], made: Pulled) -> None:
    listing = reading.listings.get(root)
    place = f"{reading.server.name}: {root}"
    if listing is None:
        text = "there is no such folder, or the account may not enter it"
        made.findings.append(Finding("backup.unreadable", Level.FAIL, place, text, "mend its name, or its permissions"))
        return
    entries, hashes, there = reading.entries(root), _hashes(reading, root), spool.listing(root).entries
    kept: dict[bytes, KeptFile] = {}
    closed: list[bytes] = []
    for name, one in sorted(entries.items()):
        path = absolute(root, name)
        if one.kind == FILE and (path in reading.changing or (name in hashes and name not in there)):
            made.changing.append(shown(path))
        if one.kind == FILE and path in reading.unreadable:
            closed.append(name)
        elif name in there:
            steady = one.kind == FILE and path not in reading.changing
            content = hashes.get(name, "") if steady else one.link.decode("utf-8", "surrogateescape")
            kept[name] = KeptFile(one.kind, one.mode, one.size, one.mtime_seconds, content)
    made.folders[root] = kept
    made.secrets += [
        absolute(root, name)
        for name, one in sorted(listing.entries.items())
        if _is_sealed(name, one) and not is_excluded(name, patterns)
    ]
    made.findings += unreadable(reading.server.name, closed, listing.unreadable, root)
    if made.changing:
        text = f"{len(made.changing)} files were written each time they were read: they are as they were at one moment"
        made.findings.append(Finding("backup.changing", Level.WARN, place, text, data={"files": len(made.changing)}))
    _tell_links(root, kept, list(reading.roots), place, made)


def _tell_links(root: str, kept: Mapping[bytes, KeptFile], roots: Sequence[str], place: str, made: Pulled) -> None:
    """Links are kept as links; what lies behind those that lead out of all folders is not."""
    outside = [
        shown(name)
        for name, one in kept.items()
        if one.kind == LINK
        and one.content.startswith("/")
        and not any(f"{one.content}/".startswith(f"{other}/") for other in roots)
    ]
    if outside:
        text = f"{len(outside)} links lead out of the kept folders, and what lies there is not kept: {outside[0]}"
        way_out = "[backup] folders takes what they lead to"
        made.findings.append(Finding("backup.link-outside", Level.WARN, place, text, way_out, {"links": len(outside)}))
