"""Joins the inventory of the sources' WordPress with the ways to every server, and the feeds that the project names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from crossdock.core.config import Config
from crossdock.core.errors import ConfigError, CrossdockError
from crossdock.core.evidence import Finding, Level
from crossdock.core.inventory import Item
from crossdock.edges.checksums import PublishedChecksums
from crossdock.formats.checksums import read_checksums
from crossdock.formats.json_entries import Broken
from crossdock.formats.plugin_directory import read_directory
from crossdock.formats.vulnerability_feed import Feed, read_vulnerabilities
from crossdock.move import integrity
from crossdock.move.code import CodeFacts, survey_code
from crossdock.move.holdings import network_plugins, survey_holdings
from crossdock.move.rendering import rendered
from crossdock.move.risks import Knowledge
from crossdock.move.sessions import over
from crossdock.move.survey import Source, SourceFacts
from crossdock.move.wordpress_items import Found, inventory, tag_items
from crossdock.wordpress.content_files import plugin_folder

_PIECE_BYTES = 1 << 20
Answer = TypeVar("Answer")


@dataclass
class Checksums:
    """Published checksums of what the sources run, and why some are not known."""

    published: PublishedChecksums
    plugins: dict[tuple[str, str], integrity.Published] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    def core(self, version: str, locale: str) -> tuple[integrity.Published, bool] | None:
        """(MD5s by file, whether they are of that locale)."""
        found = self.published.core(version, locale)
        sums = self._read(found[0], f"WordPress {version}") if found else None
        return (sums, found[1]) if sums and found else None

    def learn(self, facts: SourceFacts) -> list[str]:
        """Asks for every plugin of a source; returns the folders of those that are known."""
        known: list[str] = []
        for file, version in facts.installation.plugins.items():
            folder = plugin_folder(file)
            slug = folder.removesuffix(".php").lower()
            found = None if (slug, version) in self.plugins else self.published.plugin(slug, version)
            if found is not None and (sums := self._read(found, f"plugin {slug} {version}")):
                self.plugins[slug, version] = sums
            if (slug, version) in self.plugins:
                known.append(folder)
        return list(dict.fromkeys(known))

    @property
    def why_not(self) -> str:
        return self.published.fails or "[assess] checksums has none for this version, and wordpress.org neither"

    def _read(self, content: bytes, of: str) -> integrity.Published | None:
        try:
            return read_checksums(content)
        except Broken as error:
            self.broken[of] = str(error)
            return None


def wordpress_found(config: Config, sources: Sequence[Source], facts: Sequence[SourceFacts]) -> Found:
    """The items of every source's WordPress, and what is to be told of them. Reads only; all sources at once.

    Errors: AccessError; ConfigError for a feed that can't be read.
    """
    knowledge, made = knowledge_of(config, facts)
    settings = config.assess
    kept = config.state / "checksums" if settings.fetch_checksums else None
    checksums = Checksums(PublishedChecksums([settings.checksums] if settings.checksums else [], kept))
    hashed = [checksums.learn(one) for one in facts]
    with ThreadPoolExecutor(max(len(sources), 1)) as pool:
        jobs = [pool.submit(_source, config, *each, knowledge) for each in zip(sources, facts, hashed, strict=True)]
        surveyed = [job.result() for job in jobs]
    for one, (code, found) in zip(facts, surveyed, strict=True):
        made.add(found)
        made.findings += _integrity(one, code, checksums)
    for of, why in checksums.broken.items():
        text = f"the checksums of {of} can't be used: {why}"
        made.findings.append(Finding("feed.broken", Level.WARN, "[assess] checksums", text, "fetch them again"))
    return made


def _source(
    config: Config, source: Source, facts: SourceFacts, hashed: Sequence[str], knowledge: Knowledge
) -> tuple[CodeFacts, Found]:
    code = survey_code(source.shell, facts.installation, hashed=hashed, core=True)
    held, everywhere = over(
        source.database.open_source,
        lambda session: (survey_holdings(session, facts), network_plugins(session, facts)),
    )
    tags, told = _tags(config, source, facts)
    found = inventory(facts, code, held, knowledge, everywhere, tags)
    found.findings += told
    return code, found


def _tags(config: Config, source: Source, facts: SourceFacts) -> tuple[list[Item], list[Finding]]:
    """What each front page loads; a page that does not come is told. Rendered over SSH: a visit would leave traces."""
    items: list[Item] = []
    told: list[Finding] = []
    for store in config.stores_of(facts.server):
        blog = next((one for one in facts.blogs if one.number == store.blog), None)
        home = blog.options.get("home", "") if blog else ""
        if not urlsplit(home).netloc:
            continue
        try:
            items += tag_items(facts.server, store.blog, rendered(source, home.rstrip("/") + "/").body)
        except CrossdockError as error:
            text = f"its front page does not come, so its analytics are not known: {error.what}"
            told.append(Finding("tag.unknown", Level.WARN, f"{facts.server}: {home}", text))
    return items, told


def _integrity(facts: SourceFacts, code: CodeFacts, checksums: Checksums) -> Iterator[Finding]:
    here = facts.installation
    published = checksums.core(here.wp_version, code.locale)
    sums, is_own = published or (None, True)
    yield from integrity.core_findings(facts.server, code.core, sums, checksums.why_not, is_own=is_own)
    versions = {plugin_folder(file): version for file, version in here.plugins.items()}
    for folder, found in code.plugins.items():
        slug = folder.removesuffix(".php").lower()
        yield from integrity.plugin_findings(facts.server, folder, found, checksums.plugins[slug, versions[folder]])
    unchecked = sorted({*versions} - {*code.plugins})
    if unchecked:
        text = f"not known whether the files of {len(unchecked)} plugins are as published: {', '.join(unchecked[:8])}"
        yield Finding("plugin.unchecked", Level.INFO, f"{facts.server}: plugins", text)


# -- feeds -----------------------------------------------------------------------------------------------------------


def knowledge_of(config: Config, facts: Sequence[SourceFacts]) -> tuple[Knowledge, Found]:
    """What the feeds say of what is installed. Errors: ConfigError naming the file, and what is wrong in it."""
    made = Found()
    slugs = {plugin_folder(file).removesuffix(".php").lower() for one in facts for file in one.installation.plugins}
    themes = {name.lower() for one in facts for name in one.installation.themes}
    wanted = {("core", "wordpress"), *(("plugin", one) for one in slugs), *(("theme", one) for one in themes)}
    settings = config.assess
    listed = _read(settings.plugin_directory, "plugin_directory", lambda pieces: read_directory(pieces, slugs))
    feed = _read(settings.vulnerabilities, "vulnerabilities", lambda pieces: read_vulnerabilities(pieces, wanted))
    if isinstance(feed, Feed) and feed.unreadable:
        text = (
            f"{feed.unreadable} of {feed.records} records are not as Wordfence documents them: they count for nothing"
        )
        made.findings.append(Finding("feed.unreadable", Level.WARN, "[assess] vulnerabilities", text))
    for key, name, given in (
        ("plugin_directory", "abandoned", listed), ("vulnerabilities", "vulnerable", feed)
    ):  # fmt: skip
        if given is None:
            text = f"not known which plugins are {name}: no feed is given"
            made.findings.append(Finding("feed.absent", Level.INFO, f"[assess] {key}", text))
    today = datetime.now(UTC).date()
    return Knowledge(today, listed, feed.found if feed else None), made


def _read(path: Path | None, key: str, read: Callable[[Iterator[bytes]], Answer]) -> Answer | None:
    if path is None:
        return None
    try:
        return read(_pieces(path))
    except Broken as error:
        what, way_out = f"the feed {path} can't be used: {error}", "fetch it again, whole"
    except OSError as error:
        what, way_out = f"the feed {path} can't be read: {error.strerror}", "mend the path, or leave the key out"
    raise ConfigError(what, where=f"[assess] {key}", way_out=way_out)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE_BYTES):
            yield piece
