"""Makes an environment's report, HTML and PDF, from receipts and findings alone."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from django.template import Context, Engine
from django.utils import translation

from crossdock import __version__
from crossdock.core.config import Config
from crossdock.core.errors import ConfigError, EvidenceError
from crossdock.core.evidence import Level
from crossdock.core.ports import Journal, Progress
from crossdock.edges.pdf import render_pdf
from crossdock.edges.pictures import small
from crossdock.edges.whole_file import write_whole
from crossdock.hub.boot import Hub
from crossdock.hub.moves import report_words, screenshots
from crossdock.hub.runs.rules import timestamp
from crossdock.move.report import Backup, Group, Report, Told, chosen, open_groups, proofs, read
from crossdock.move.screenshots import Seen

_SECTIONS = (
    "moved", "rows", "files", "addresses", "sites", "staging_harmless", "backups", "decisions", "findings", "pictures",
    "environment", "not_real", "recheck", "every_table", "every_finding",
)  # fmt: skip
# Width and most height in the report, by what was looked at: what a page of A4 can show side by side.
_PHONE, _DESK = (320, 960), (640, 1320)
_KEYS_NAMED = 6
_ENGINE = Engine(
    dirs=[str(Path(__file__).parent / "templates" / "report")],
    libraries={"report": "crossdock.hub.moves.report_tags"},
    autoescape=True,
)


@dataclass(frozen=True)
class Made:
    """The two files, what they say (proved, open, red or unproved), and counts."""

    html: Path
    pdf: Path
    verdict: str
    figures: dict[str, int]


def make(config: Config, environment: str, language: str, hub: Hub, journal: Journal, progress: Progress) -> Made:
    """Writes report-ENVIRONMENT.html and .pdf into the state folder, and their receipt.

    Errors: ConfigError for a language without words; EvidenceError when the chain does not hold, or a picture is not
    the one that was taken; BlockedError when there is nothing to report yet.
    """
    page = draw(config, environment, language, hub, progress)
    report, html = page.report, page.html
    pdf, pages = render_pdf(html)
    files = {end: config.state / f"report-{environment}.{end}" for end in ("html", "pdf")}
    bodies = {"html": html.encode("utf-8"), "pdf": pdf}
    for end, path in files.items():
        write_whole(path, bodies[end])
    figures = {
        "pages": pages,
        "findings": sum(report.levels.values()),
        "pictures": page.pictures,
        **{f"{end}_bytes": len(body) for end, body in bodies.items()},
    }
    digests = {end: hashlib.sha256(body).hexdigest() for end, body in bodies.items()}
    data = {"plan": report.plan, "head": report.head, "verdict": report.verdict, "language": language}
    journal.receipt("report", environment, {**data, **figures, **digests})
    return Made(files["html"], files["pdf"], report.verdict, figures)


@dataclass(frozen=True)
class Page:
    """A report, its HTML, and how many pictures are in it."""

    report: Report
    html: str
    pictures: int


def draw(config: Config, environment: str, language: str, hub: Hub, progress: Progress) -> Page:
    """The report's HTML, not kept. Errors: as of `make`."""
    if language not in report_words.LANGUAGES:
        known = ", ".join(report_words.LANGUAGES)
        raise ConfigError(f"no words in {language}", where="--language", way_out=f"one of: {known}")
    report = _evidence(config, environment, hub)
    with translation.override(language):
        shots = list(_shots(report, screenshots.folder(config, environment), progress))
    html = render(report, shots, language, timestamp(datetime.now(UTC)))
    return Page(report, html, sum(len(one["pictures"]) for one in shots))


def _evidence(config: Config, environment: str, hub: Hub) -> Report:
    chain = hub.chain()
    if not chain.holds:
        way_out = "crossdock verify-evidence; nothing is reported from evidence that was changed"
        raise EvidenceError(chain.fault, where=f"receipt {chain.bad_number}", way_out=way_out)
    return read(config.project.name, environment, chain.receipts, [Told(*one) for one in hub.told()])


def render(report: Report, shots: Sequence[dict[str, Any]], language: str, made_at: str) -> str:
    """The HTML: the same report, shots, language and moment make the same text."""
    with translation.override(language):
        return _ENGINE.get_template("report.html").render(Context(_context(report, shots, language, made_at)))


def _context(report: Report, shots: Sequence[dict[str, Any]], language: str, made_at: str) -> dict[str, Any]:
    told = report.figures or (report.copied.data if report.copied else {})
    groups = [_group(one) for one in report.groups]
    places = report.places
    left = [(f"{one.server}.{name}", count) for one in report.rows for name, count in one.left.items() if count]
    versions = [*places.get("servers", {}).items()]
    if "target" in places:
        versions.append((report_words.say("the_target"), places["target"]))
    return {
        "report": report,
        "language": language,
        "version": __version__,
        "made_at": made_at,
        "sections": [one for one in _SECTIONS if one != "not_real" or report.not_real],
        "verdict_key": f"verdict_{report.verdict}",
        "verdict_text": f"verdict_{report.verdict}_text",
        "moved": told.get("rows_moved", 0),
        "declared": told.get("rows_declared", 0),
        "files": told.get("files_total", sum(one["files"] for _, one in report.trees)),
        "store_names": ", ".join(report.stores),
        "stores": list(places.get("stores", {}).items()),
        "left": left,
        "rows": [_server(one) for one in report.rows],
        "trees": report.trees,
        "checks": list(report.checks.items()),
        "backups": [_backup(one) for one in report.backups],
        "proofs": proofs(report),
        "open_groups": open_groups(report),
        "deciders": _deciders(report),
        "decisions": list(_decisions(report)),
        "groups": groups,
        "by_level": [
            (str(level), some) for level in Level if (some := [one for one in groups if one["level"] == str(level)])
        ],
        "views": [
            {"store": key[0], "page": key[1], "shots": list(some)}
            for key, some in groupby(shots, lambda one: (one["seen"].store, one["seen"].page))
        ],
        "versions": versions,
        "first_at": report_words.day(report.first_at),
        "last_at": report_words.day(report.last_at),
    }


def _server(rows: Any) -> dict[str, Any]:
    counts = {name: rows.total(name) for name in ("missing", "extra", "different")}
    sums = {"source": rows.source, "moved": rows.moved, "declared": rows.declared}
    return {"server": rows.server, "proved": rows.proved, "tables": len(rows.tables), **sums, **counts}


def _group(group: Group) -> dict[str, Any]:
    return {
        "code": group.code,
        "level": str(group.level),
        "level_name": str(group.level),
        "anchor": re.sub(r"[^a-z0-9]+", "-", f"{group.level}-{group.code}".lower()),
        "findings": group.findings,
        "examples": group.examples,
        "more": group.more,
    }


def _backup(backup: Backup) -> dict[str, Any]:
    steps = (("backup", backup.made), ("backup_proof", backup.proof))
    told = [(key, one.at, list(_plain(one.data))) for key, one in steps if one]
    return {"server": backup.server, "proved": backup.proved, "told": told}


def _plain(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a receipt says in single values, and how many there are of the rest."""
    for name, value in sorted(data.items()):
        yield name, report_words.shown(len(value) if isinstance(value, list | dict) else value)


def _deciders(report: Report) -> list[tuple[str, int]]:
    names = Counter(chosen(one).get("by") or report_words.say("nobody") for one in report.decisions)
    return names.most_common()


def _decisions(report: Report) -> Iterable[dict[str, Any]]:
    """One line for each person, choice and reason, with what they were about."""
    lines: dict[tuple[str, str, str], dict[str, None]] = {}
    for one in report.decisions:
        told = chosen(one)
        # A finding of an earlier version tells it in its text alone.
        line = told.get("by", ""), told.get("choice", ""), told.get("reason", one.text)
        lines.setdefault(line, {})[told.get("decision", one.place)] = None
    for (by, choice, reason), keys in sorted(lines.items()):
        named = {"by": by or report_words.say("nobody"), "choice": choice, "reason": reason}
        yield {**named, "keys": [*keys][:_KEYS_NAMED], "more": max(len(keys) - _KEYS_NAMED, 0)}


# -- pictures --------------------------------------------------------------------------------------------------------


def _shots(report: Report, folder: Path, progress: Progress) -> Iterator[dict[str, Any]]:
    limit = report.pictures.data["differ_percent"] if report.pictures else 0
    progress.start(f"report {report.environment}", rows=len(report.seen), bytes_=0, noun="pages")
    try:
        for one in report.seen:
            pictures = list(_pictures(one, folder))
            yield {
                "seen": one,
                "kind": "phone" if one.width < 600 else "desk",
                "differs": one.different_percent > limit or bool(one.failed),
                "different": report_words.percent(one.different_percent),
                "masked": report_words.percent(one.masked_percent),
                "pictures": pictures,
                "whole": max((picture["whole"] for picture in pictures), default=0),
                "problems": [*one.unsettled.items(), *one.failed.items()],
            }
            progress.advance(one.place, rows=1, bytes_=0)
    finally:
        progress.finish()


def _pictures(seen: Seen, folder: Path) -> Iterator[dict[str, Any]]:
    for side in ("source", "target", "difference"):
        if side not in seen.pictures:
            continue
        kept = seen.pictures[side]
        jpeg, width, height = small(
            _as_taken(folder / kept.file, kept.sha256), *(_PHONE if seen.width < 600 else _DESK)
        )
        yield {
            "side": side,
            "alt": f"alt_{side}",
            "data": f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}",
            "width": width,
            "height": height,
            # Where only its upper part is shown: the whole picture's height.
            "whole": kept.height if height * kept.width < kept.height * width - width else 0,
        }


def _as_taken(path: Path, sha256: str) -> bytes:
    try:
        png = path.read_bytes()
    except OSError as error:
        raise EvidenceError(
            f"a picture of the receipt can't be read: {error.strerror}", where=str(path),
            way_out="crossdock move screenshots takes them anew",
        ) from error  # fmt: skip
    if hashlib.sha256(png).hexdigest() != sha256:
        way_out = "somebody has changed it: crossdock move screenshots takes them anew"
        raise EvidenceError("this is not the picture that was taken", where=str(path), way_out=way_out)
    return png
