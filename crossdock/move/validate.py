"""Proves a copy: every row both ways, every rewritten value by PHP, samples by WordPress, each home by its domain, and
the site as shoppers, editors and search engines meet it.

All of it reads only, on both sides, but for two probes at the target that are taken out again (probes.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from crossdock.core.errors import BlockedError, WorkerError
from crossdock.core.evidence import Finding, Level
from crossdock.core.ports import Journal, JudgeFactory, Progress, Session
from crossdock.core.tables import Table
from crossdock.move import compare, ledger, worker
from crossdock.move.asking import Side
from crossdock.move.chunks import Chunk, cut
from crossdock.move.compare import Verdict
from crossdock.move.files import FilesResult
from crossdock.move.homes import check_home
from crossdock.move.order import Order
from crossdock.move.readers import Reading, read_both
from crossdock.move.sessions import Sessions, kept, over
from crossdock.move.site import SiteOrder, SiteVerdict, check_site
from crossdock.move.survey import Source, SourceFacts, text
from crossdock.wordpress.ddl import quoted
from crossdock.wordpress.people import People
from crossdock.wordpress.rewriting import Rewriter
from crossdock.wordpress.sitemap import StoreMap, rules

_SAMPLE = 40


@dataclass
class TableVerdict:
    """A table's sums over its chunks."""

    rows_source: int = 0
    rows_moved: int = 0
    rows_target: int = 0
    missing: int = 0
    extra: int = 0
    different: int = 0
    own: int = 0
    judged: int = 0
    declared: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    urls_left: dict[str, int] = field(default_factory=dict)
    base64: dict[str, int] = field(default_factory=dict)
    binary: dict[str, int] = field(default_factory=dict)
    examples: list[tuple[str, str]] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)

    def add(self, one: Verdict) -> None:
        for name in ("rows_source", "rows_moved", "rows_target", "missing", "extra", "different", "own", "judged"):
            setattr(self, name, getattr(self, name) + getattr(one, name))
        for name in ("declared", "urls_left", "base64", "binary"):
            mine: dict[str, int] = getattr(self, name)
            for key, count in getattr(one, name).items():
                mine[key] = mine.get(key, 0) + count
        self.failures += one.failures
        self.examples += one.examples
        self.broken += one.broken


@dataclass
class Result:
    """What a validation found. `green` when no finding is a fail or a block. `urls`: figures of the replay, where there
    is a redirect map."""

    tables: dict[tuple[str, str], TableVerdict]
    left: dict[tuple[str, str], int]
    readings: list[Reading]
    homes: int
    findings: list[Finding]
    files: FilesResult | None = None
    urls: dict[str, int] = field(default_factory=dict)
    site: SiteVerdict | None = None

    def add_files(self, found: FilesResult) -> None:
        """The files' proof becomes a part of this one."""
        self.files = found
        self.findings += found.findings

    @property
    def green(self) -> bool:
        return not any(one.level in (Level.FAIL, Level.BLOCK) for one in self.findings)

    def figures(self) -> dict[str, int]:
        """The counts that demo.json and the receipt hold."""
        verdicts = list(self.tables.values())
        left = sum(self.left.values())
        return {
            "rows_source": sum(one.rows_source for one in verdicts) + left,
            "rows_moved": sum(one.rows_moved for one in verdicts),
            "rows_declared": sum(sum(one.declared.values()) for one in verdicts) + left,
            "rows_missing": sum(one.missing for one in verdicts),
            "rows_extra": sum(one.extra for one in verdicts),
            "rows_different": sum(one.different for one in verdicts),
            "rows_of_target": sum(one.own for one in verdicts),
            "values_judged": sum(one.judged for one in verdicts),
            "oracle_failures": sum(len(one.failures) for one in verdicts)
            + sum(len(one.differences) + bool(one.problem) for one in self.readings),
            "source_urls_left": sum(sum(one.urls_left.values()) for one in verdicts),
            "things_read_by_wordpress": sum(sum(one.counts.values()) for one in self.readings),
            "homes": self.homes,
            **(self.files.figures() if self.files else {}),
            **self.urls,
            **(self.site or SiteVerdict()).figures(),
        }


def validate(
    order: Order, journal: Journal, progress: Progress, judge: JudgeFactory | None, site: SiteOrder | None = None
) -> Result:
    """Compares, reads and fetches; writes findings and receipts; returns the result, red or green. `site`: what the
    checks of the site need beside the order; without it they are left out.

    Errors: BlockedError when nothing has been copied yet; AccessError when a side can't be reached.
    """
    people = placed_people(order)
    tables = compare_rows(order, people, progress, judge)
    left = _count_left(order)
    readings = list(_readings(order, people))
    found = list(_findings(order, tables, readings))
    homes = 0
    for store, facts in _stores(order):
        told = check_home(order.target.web, store, _marks(order, store, facts))
        homes += not told
        found += told
    checked = check_site(order, site) if site else None
    if checked:
        found += checked.findings
    result = Result(tables, left, readings, homes, found, site=checked)
    step = f"validate {order.environment}"
    for one in found:
        journal.finding(one, step=step)
    _receipts(order, result, journal)
    return result


def placed_people(order: Order) -> dict[str, People]:
    """Each server's user map as the copy decided it. Errors: BlockedError when there is no whole copy of this plan."""
    return over(order.target.database.open_source, lambda session: _people(order, session))


def _people(order: Order, session: Session) -> dict[str, People]:
    names = {text(row[0]) for row in session.query("SHOW TABLES")}
    claim = ledger.read_claim(session) if ledger.CLAIM in names else None
    if claim is None or claim.plan != order.plan.digest:
        raise BlockedError(
            "there is no copy of this plan in the target",
            where=f"environment {order.environment}",
            way_out=f"crossdock move copy --to {order.environment}",
        )
    unfinished = [key for key, state in ledger.tables(session).items() if not (state.keyed and state.linked)]
    if unfinished:
        raise BlockedError(
            f"the copy is not finished: {len(unfinished)} tables are open, {'.'.join(unfinished[0])} among them",
            where=f"environment {order.environment}",
            way_out=f"crossdock move copy --to {order.environment} goes on with it",
        )
    placed = ledger.read_placements(session)
    sites = order.plan.sites(order.environment)
    return {site.server: ledger.people(site.user_base, placed.get(site.server, [])) for site in sites}


def _setup(order: Order, session: Session, people: dict[str, People], judge: JudgeFactory | None) -> worker.Setup:
    sites = order.plan.sites(order.environment)
    there = {urlsplit(store.target_url).netloc for site in sites for store in site.stores}
    sources = {urlsplit(url).netloc for site in sites for store in site.stores for url in store.source_urls}
    return worker.Setup(
        sites=sites,
        sources={one.name: one.database for one in order.sources},
        target=order.target.database,
        tables=order.tables(),
        people=people,
        judge=judge,
        residue_hosts=tuple(sorted(sources - there)),
        residue_paths=tuple(sorted({site.source_root for site in sites} - {site.target_root for site in sites})),
        target_tables={table.name: table for table in session.schema().tables},
        headroom=order.plan.headroom,
    )


# -- rows ------------------------------------------------------------------------------------------------------------


def compare_rows(
    order: Order, people: dict[str, People], progress: Progress, judge: JudgeFactory | None
) -> dict[tuple[str, str], TableVerdict]:
    """Every row of every carried table, both ways, by (server, source table)."""
    setup = over(order.target.database.open_source, lambda session: _setup(order, session, people, judge))
    tables = order.tables()
    verdicts = {key: TableVerdict() for key in tables}
    progress.start(
        f"validate {order.environment}",
        rows=sum(table.rows_estimate for table in tables.values()),
        bytes_=sum(table.bytes_estimate for table in tables.values()),
    )
    waiting = iter(_chunks(order, tables))
    running: set[Future[Verdict]] = set()
    try:
        with order.pool(order.workers, worker.prepare, setup) as pool:
            while True:
                while len(running) < order.workers + 2 and (chunk := next(waiting, None)) is not None:
                    running.add(pool.submit(compare.compare_chunk, chunk))
                if not running:
                    return verdicts
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    one = future.result()
                    key = one.chunk.server, one.chunk.source
                    verdicts[key].add(one)
                    share = tables[key].bytes_estimate / max(tables[key].rows_estimate, 1)
                    progress.advance(".".join(key), rows=one.rows_source, bytes_=int(one.rows_source * share))
    except BrokenProcessPool as error:
        where = f"validate {order.environment}"
        raise WorkerError("a worker process died", where=where, way_out="start the same command again") from error
    finally:
        for future in running:
            future.cancel()
        progress.finish()


def _chunks(order: Order, tables: dict[tuple[str, str], Table]) -> Iterator[Chunk]:
    """The chunks to compare, of the largest tables first."""
    readers = Sessions()
    openers = {one.name: one.database.open_source for one in order.sources}
    chunk_rows = 5 * order.chunk_rows
    try:
        for (server, name), table in sorted(tables.items(), key=lambda item: -item[1].bytes_estimate):
            if order.plan.site(server, order.environment).maps_key(table):
                yield Chunk(server, name, 0, None, None)
            else:
                yield from _cut(readers, openers[server], server, table, chunk_rows)
    finally:
        readers.drop_sessions()


def _cut(readers: Sessions, open_: Callable[[], Session], server: str, table: Table, chunk_rows: int) -> list[Chunk]:
    return kept(readers.persist(lambda: cut(readers.session(server, open_), server, table, chunk_rows)), server)


def _count_left(order: Order) -> dict[tuple[str, str], int]:
    """Rows of the tables that are left behind or written anew: declared, so that the rows balance."""
    counts: dict[tuple[str, str], int] = {}
    for source in order.sources:
        names = [one.source for one in order.plan.tables if one.server == source.name and one.disposition != "carry"]
        rows = over(source.database.open_source, partial(_rows_of, names))
        counts.update({(source.name, name): count for name, count in rows.items()})
    return counts


def _rows_of(names: Sequence[str], reader: Session) -> dict[str, int]:
    return {name: int(reader.query(f"SELECT COUNT(*) FROM {quoted(name)}")[0][0] or 0) for name in names}


def _findings(
    order: Order, tables: dict[tuple[str, str], TableVerdict], readings: Sequence[Reading]
) -> Iterator[Finding]:
    for (server, name), one in tables.items():
        target = order.plan.site(server, order.environment).destination(name)
        place = f"{server}.{name} -> {target.target if target else '?'}"
        for kind, count in (("missing", one.missing), ("extra", one.extra), ("different", one.different)):
            if count:
                keys = [key for what, key in one.examples if what == kind][:5]
                told = f"{count} rows are {kind} in the target, key {'; '.join(keys)}"
                yield Finding(f"row.{kind}", Level.FAIL, place, told, data={"rows": count})
        if one.rows_source != one.rows_moved + sum(one.declared.values()):
            yield Finding("row.balance", Level.FAIL, place, "source rows are not moved + declared rows")
        for failure in one.failures[:5]:
            yield Finding("value.newly-broken", Level.FAIL, place, f"PHP: {failure}")
        if one.broken:
            rows = "; ".join(f"{column} of {key}" for column, key in one.broken[:5])
            text_ = f"{len(one.broken)} values look serialized and do not parse at the source: {rows}"
            way_out = "PHP could not read them before either; their addresses were rewritten as text"
            yield Finding("value.broken", Level.WARN, place, text_, way_out, {"values": len(one.broken)})
        for column, count in one.urls_left.items():
            text_ = f"{count} addresses of the sources are left in column {column}"
            yield Finding("url.left", Level.FAIL, place, text_, data={"urls": count})
        for column, count in one.base64.items():
            text_ = f"{count} base64 texts in column {column} hold an address of the sources"
            yield Finding("url.base64", Level.WARN, place, text_, "look at them: base64 is never rewritten")
        for column, count in one.binary.items():
            text_ = f"{count} addresses of the sources are in binary values of column {column}"
            yield Finding("url.binary", Level.WARN, place, text_, "look at them: binary data is never rewritten")
    for reading in readings:
        if reading.problem:
            yield Finding("wordpress.unreadable", Level.FAIL, reading.store, reading.problem)
        for place in reading.differences:
            yield Finding("wordpress.differs", Level.FAIL, reading.store, f"WordPress reads another value: {place}")


# -- WordPress and the web -------------------------------------------------------------------------------------------


def _stores(order: Order) -> Iterator[tuple[StoreMap, SourceFacts]]:
    for facts in order.facts:
        for store in order.plan.site(facts.server, order.environment).stores:
            yield store, facts


def _source(order: Order, server: str) -> Source:
    return next(one for one in order.sources if one.name == server)


def _readings(order: Order, people: dict[str, People]) -> Iterator[Reading]:
    sites = order.plan.sites(order.environment)
    for store, facts in _stores(order):
        source = _source(order, facts.server)
        here = Side(source.shell, source.installation.root, store.source_urls[0])
        there = Side(order.target.shell, order.target.installation.root, store.target_url)
        rewriter = Rewriter(rules(sites, order.plan.site(facts.server, order.environment)))
        yield read_both(here, there, store, people[facts.server], rewriter, _SAMPLE)


def _marks(order: Order, store: StoreMap, facts: SourceFacts) -> list[str]:
    """The store's name and plain parts of its newest titles."""
    blog = next(one for one in facts.blogs if one.number == store.source_blog)
    marks = [blog.options.get("blogname", "")]
    if blog.options.get("show_on_front") == "page":
        return marks
    sql = (
        f"SELECT CONVERT(post_title USING utf8mb4) FROM {quoted(store.source_prefix + 'posts')} "
        "WHERE post_type = 'post' AND post_status = 'publish' AND post_password = '' "
        "ORDER BY post_date DESC LIMIT 10"
    )
    rows = over(_source(order, facts.server).database.open_source, lambda reader: reader.query(sql))
    # Themes texturize quotes and dashes, so only a run of letters and spaces is looked for.
    runs = (max(re.findall(r"[\w ]+", text(row[0])), key=len, default="").strip() for row in rows)
    return marks + [run for run in runs if len(run) >= 4]


# -- evidence --------------------------------------------------------------------------------------------------------


def _receipts(order: Order, result: Result, journal: Journal) -> None:
    for facts in order.facts:
        mine = {name: one for (server, name), one in result.tables.items() if server == facts.server}
        data: dict[str, Any] = {
            "plan": order.plan.digest,
            "tables": {
                name: {
                    "source": one.rows_source, "moved": one.rows_moved, "target": one.rows_target,
                    "declared": one.declared, "missing": one.missing, "extra": one.extra, "different": one.different,
                    "own": one.own, "judged": one.judged, "newly_broken": len(one.failures),
                    "urls_left": sum(one.urls_left.values()),
                }
                for name, one in mine.items()
            },
            "left": {name: rows for (server, name), rows in result.left.items() if server == facts.server},
        }  # fmt: skip
        journal.receipt("validate.store", f"{order.environment}/{facts.server}", data)
    if result.site:
        journal.receipt("validate.site", order.environment, {"plan": order.plan.digest, **result.site.as_data()})
