"""What speaks against a plugin, theme, must-use file or drop-in, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, timedelta

from crossdock.core.evidence import Finding, Level
from crossdock.core.inventory import Item
from crossdock.wordpress.code import Listed, Piece, Vulnerability, plain, register

ABANDONED_AFTER = timedelta(days=2 * 365)
_OLD_WORDPRESS = timedelta(days=2 * 365)
_SEVERE = 7.0
#: Findings of one code on one server beyond this many are told as one.
_TOLD_APART = 20
_NAMED = 5
_COMMON_HOSTS = ("wordpress.org", "w.org", "gravatar.com", "example.com", "schema.org", "localhost")


@dataclass(frozen=True)
class Knowledge:
    """What the world knows, as far as it was given: None where it was not. `directory` by slug; `vulnerabilities` by
    (type, slug)."""

    today: date
    directory: Mapping[str, Listed] | None = None
    vulnerabilities: Mapping[tuple[str, str], Sequence[Vulnerability]] | None = None


@dataclass(frozen=True)
class Risk:
    """One reason to think twice. `code` is the finding's."""

    code: str
    why: str
    level: Level = Level.WARN
    data: dict[str, object] = field(default_factory=dict)


def risks(piece: Piece, knowledge: Knowledge, unknown_tables: Set[str]) -> list[Risk]:
    """Everything that speaks against a piece of code. `unknown_tables`: the source's tables, without prefix, that are
    not WordPress's or WooCommerce's."""
    found = list(_vulnerable(piece, knowledge))
    if piece.unreadable:
        why = f"{piece.unreadable} files or folders of it can't be read by our account: not known what they are"
        found.append(Risk("code.unreadable", why))
    if piece.kind == "plugin":
        found += _of_plugin(piece, knowledge)
    if piece.kind == "drop-in":
        found += _of_drop_in(piece)
    if piece.kind in ("plugin", "must-use"):
        if own := sorted(unknown_tables & set(piece.tables)):
            found.append(Risk("plugin.own-tables", f"keeps data in tables of its own: {', '.join(own)}", Level.INFO))
        found += _service(piece)
    return found


def _of_plugin(piece: Piece, knowledge: Knowledge) -> Iterator[Risk]:
    kept = register()
    if not piece.has_header and not piece.unreadable:
        yield Risk("plugin.no-plugin", "a folder without a plugin's header: WordPress does not run it", Level.INFO)
    if not piece.has_header:
        return
    yield from _abandoned(piece, knowledge)
    if why := kept.not_allowed.get(piece.slug):
        yield Risk("plugin.not-allowed", why)
    is_commerce = piece.for_woocommerce or "woocommerce" in piece.requires
    if piece.slug != "woocommerce" and (is_commerce or piece.slug in kept.commerce):
        why = kept.commerce.get(piece.slug, "extends WooCommerce")
        yield Risk("plugin.commerce", f"{why}; our rule: a store uses no third party's commerce plugin")


def _abandoned(piece: Piece, knowledge: Knowledge) -> Iterator[Risk]:
    if knowledge.directory is None or piece.is_from_elsewhere:
        return
    listed = knowledge.directory.get(piece.slug)
    if listed is None:
        yield Risk("plugin.unlisted", "is not in the plugin directory: nobody but its maker mends it", Level.INFO)
    elif listed.closed:
        why = f" ({plain(listed.reason)})" if listed.reason else ""
        yield Risk("plugin.abandoned", f"is no longer in the plugin directory: closed{why}")
    elif listed.updated and knowledge.today - listed.updated > ABANDONED_AFTER:
        yield Risk("plugin.abandoned", f"was updated last on {listed.updated}, more than two years ago")


def _vulnerable(piece: Piece, knowledge: Knowledge) -> Iterator[Risk]:
    known = (knowledge.vulnerabilities or {}).get((piece.kind, piece.slug), ())
    yield from _concerning(known, piece.version, f"{piece.kind}.vulnerable")


def _concerning(known: Sequence[Vulnerability], version: str, code: str) -> Iterator[Risk]:
    for one in known:
        if version and one.concerns(version):
            mended = f"mended in {', '.join(one.patched)}" if one.patched else "not mended"
            why = f"{plain(one.title)} ({plain(one.reference, 40)}, CVSS {one.score:g}; {mended})"
            yield Risk(code, why, Level.FAIL if one.score >= _SEVERE else Level.WARN)


def _service(piece: Piece) -> Iterator[Risk]:
    hosts = [one for one in piece.hosts if not any(one == own or one.endswith(f".{own}") for own in _COMMON_HOSTS)]
    if why := register().services.get(piece.slug):
        yield Risk("plugin.service", why)
    elif piece.is_from_elsewhere:
        yield Risk("plugin.service", f"gets its updates from {piece.update_uri}: a licence may be bound to the address")
    elif hosts:
        named = ", ".join(hosts[:_NAMED]) + (", ..." if len(hosts) > _NAMED else "")
        yield Risk("plugin.service", f"its code asks other servers: {plain(named)}", Level.INFO)


def _of_drop_in(piece: Piece) -> Iterator[Risk]:
    if not piece.is_run:
        yield Risk("drop-in.unloaded", "PHP beside the drop-ins that WordPress does not load")
    elif not piece.has_header:
        yield Risk("drop-in.unknown", "nothing in it tells whose it is, and WordPress runs it at each page")


def wordpress_risks(version: str, knowledge: Knowledge) -> list[Risk]:
    """What speaks against a WordPress as old as this one."""
    found = list(
        _concerning((knowledge.vulnerabilities or {}).get(("core", "wordpress"), ()), version, "wordpress.vulnerable")
    )
    line = ".".join(version.split("-")[0].split(".")[:2])
    released = register().releases.get(line)
    if released and knowledge.today - released > _OLD_WORDPRESS:
        found.append(Risk("wordpress.old", f"the line {line} came out on {released}, more than two years ago"))
    return found


# -- as findings -----------------------------------------------------------------------------------------------------

_FOLDERS = {"plugin": "plugins/", "theme": "themes/", "must-use": "mu-plugins/"}


def risk_findings(told: Sequence[tuple[Item, Sequence[Risk]]]) -> list[Finding]:
    """A finding for each risk; where one code is met very often on a server, one that counts them."""
    groups: dict[tuple[str, str], list[tuple[Item, Risk]]] = {}
    for item, some in told:
        for risk in some:
            groups.setdefault((risk.code, item.server), []).append((item, risk))
    found: list[Finding] = []
    for (code, server), pairs in groups.items():
        if len(pairs) <= _TOLD_APART:
            found += [_finding(item, risk) for item, risk in pairs]
            continue
        names = ", ".join(f"{_FOLDERS.get(item.kind, '')}{item.name}" for item, _ in pairs[:_NAMED])
        text = f"{len(pairs)} of them, such as {names}; the first: {pairs[0][1].why}"
        worst = min((risk.level for _, risk in pairs), key=list(Level).index)
        found.append(Finding(code, worst, server, text, "look at each in assessment.json"))
    return found


def _finding(item: Item, risk: Risk) -> Finding:
    place = f"{item.server}: {_FOLDERS.get(item.kind, '')}{item.name}"
    version = f" {item.data['version']}" if item.data.get("version") else ""
    return Finding(risk.code, risk.level, place, f"{item.data.get('title', item.name)}{version}: {risk.why}")


def with_risks(item: Item, some: Sequence[Risk]) -> Item:
    """The item with its risks beside its other data."""
    told = [{"code": one.code, "why": one.why, "level": str(one.level)} for one in some]
    return Item(item.kind, item.server, item.name, item.text, {**item.data, "risks": told})
