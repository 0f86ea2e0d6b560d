"""WordPress's and plugins' files beside their published checksums: what was changed, is missing or should not be there.
Files are named, never shown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from crossdock.core.evidence import Finding, Level

Published = Mapping[str, frozenset[str]]
_NAMED = 8
# What people remove or replace in good faith, and what no visitor's request runs.
_OPTIONAL = frozenset(
    {"readme.html", "license.txt", "wp-config-sample.php", "readme.txt", "README.txt", "readme.md", "README.md"}
)
# What differs in a translated package; told apart only where that package's own checksums are known.
_TRANSLATED = frozenset({"wp-includes/version.php", "wp-config-sample.php", "readme.html", "license.txt"})


@dataclass(frozen=True)
class Compared:
    """File names that are not as published."""

    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def compare(found: Mapping[str, str], published: Published, *, ignored: Iterable[str] = ()) -> Compared:
    """`found`: MD5 by file; `published`: the MD5s that a file may have."""
    left_out = {*ignored}
    changed = [one for one, md5 in found.items() if one in published and md5 not in published[one]]
    missing = [one for one in published if one not in found]
    unknown = [one for one in found if one not in published]
    return Compared(
        tuple(sorted(one for one in changed if one not in left_out and one not in _OPTIONAL)),
        tuple(sorted(one for one in missing if one not in left_out and one not in _OPTIONAL)),
        tuple(sorted(one for one in unknown if one not in left_out)),
    )


def core_findings(
    server: str, found: Mapping[str, str] | None, published: Published | None, why_not: str, *, is_own: bool = True
) -> Iterator[Finding]:
    """WordPress's own files. `is_own`: the checksums are those of the very package, its language included."""
    place = f"{server}: WordPress"
    if found is None or published is None:
        why = "there was no time to read them" if found is None and published is not None else why_not
        yield Finding("core.unchecked", Level.INFO, place, f"not known whether its files are as published: {why}")
        return
    core = {name: sums for name, sums in published.items() if not name.startswith("wp-content/")}
    made = compare(found, core, ignored=() if is_own else _TRANSLATED)
    yield from _told("core.changed", Level.FAIL, place, "files of WordPress were changed", made.changed)
    yield from _told("core.missing", Level.WARN, place, "files of WordPress are missing", made.missing)
    text = "files lie among WordPress's own that are not its"
    yield from _told("core.unknown-file", Level.FAIL, place, text, made.unknown)


def plugin_findings(server: str, name: str, found: Mapping[str, str] | None, published: Published) -> Iterator[Finding]:
    """One plugin's files."""
    place = f"{server}: plugins/{name}"
    if found is None:
        yield Finding("plugin.unchecked", Level.INFO, place, "not known whether its files are as published: no time")
        return
    made = compare(found, published)
    yield from _told("plugin.changed", Level.WARN, place, "files of this plugin were changed", made.changed)
    yield from _told("plugin.missing-file", Level.WARN, place, "files of this plugin are missing", made.missing)
    text = "files lie in this plugin's folder that are not its"
    yield from _told("plugin.unknown-file", Level.WARN, place, text, made.unknown)


def _told(code: str, level: Level, place: str, text: str, names: tuple[str, ...]) -> Iterator[Finding]:
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        shown = ", ".join("".join(one if one.isprintable() else "?" for one in name) for name in names[:_NAMED])
        way_out = "compare with the published file; carry nothing of it that nobody can explain"
        yield Finding(code, level, place, f"{len(names)} {text}: {shown}{more}", way_out, {"count": len(names)})
