"""Collects every address that the sources are known by: from WordPress, sitemaps, access logs and old rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from urllib.parse import urljoin

from crossdock.core.config import Config, Server
from crossdock.core.errors import AccessError, ConnectionLost, CrossdockError
from crossdock.core.evidence import Finding, Level
from crossdock.core.ports import Answer, Progress, StreamingShell
from crossdock.core.redirects import Address, Rule, address_of
from crossdock.edges.crawl import SiteCrawler
from crossdock.edges.http import SiteWeb
from crossdock.edges.web_files import find_logs, read_log, read_settings, read_text
from crossdock.formats import access_log
from crossdock.formats.access_log import Traffic, kept_query
from crossdock.formats.htaccess import parse_htaccess
from crossdock.formats.nginx_rules import parse_nginx
from crossdock.formats.sitemap_files import parse_robots, parse_sitemap
from crossdock.hub.moves.access import shell
from crossdock.move import ledger
from crossdock.move.asking import Side, ask_wordpress
from crossdock.move.redirects import Harvest
from crossdock.wordpress.addresses import QUERY_NAMES, AddressMap
from crossdock.wordpress.redirect_plugins import plugin_rules
from crossdock.wordpress.sitemap import SiteMap, StoreMap

_POSTS_AT_ONCE = 5_000
_MOST_SITEMAPS = 500
_MOST_PROBES = 2_000
_SITEMAPS = ("/sitemap_index.xml", "/wp-sitemap.xml", "/sitemap.xml")
_APACHE = re.compile(
    r"^\s*(?:RewriteEngine|RewriteRule|Redirect\w*|<VirtualHost|<IfModule)\b", re.IGNORECASE | re.MULTILINE
)
_FILE = re.compile(r"^# configuration file (.+):$", re.MULTILINE)


class Harvester:
    """Asks all sources of one environment's plan; nothing is written there. `found` says what was found where."""

    def __init__(self, config: Config, sites: Sequence[SiteMap], progress: Progress) -> None:
        self.config, self.sites, self.progress = config, sites, progress
        self.addresses = AddressMap(sites)
        self.harvest = Harvest()
        self.found: list[Finding] = []
        self._logs_named: tuple[str, ...] = ()

    def collect(self) -> Harvest:
        """Everything but what only asking the source can tell (see `probe`). Errors: AccessError naming the server."""
        for site in self.sites:
            server = self.config.server(site.server)
            host = shell(server.name, server)
            self._settings(site, server, host)
            for store in site.stores:
                self._wordpress(site, store, host)
                self._sitemaps(server, store)
            self._logs(site, server, host)
        return self.harvest

    def probe(self, undecided: Iterable[Address]) -> None:
        """Asks the sources themselves about addresses that nothing else explains, the most wanted first."""
        seen = self.harvest.seen
        wanted = sorted(set(undecided), key=lambda one: (-seen.get(one, (0, 0))[0], one))
        for site in self.sites:
            mine = [one for one in wanted if self.addresses.server_of(one) == site.server]
            if len(mine) > _MOST_PROBES:
                self._tell(
                    "harvest.cut", site.server, f"{len(mine) - _MOST_PROBES} rare addresses were not asked about"
                )
            schemes = {urlhost(url): url.partition(":")[0] for one in site.stores for url in one.source_urls}
            asked = {f"{schemes.get(one.host, 'http')}://{one}": one for one in mine[:_MOST_PROBES]}
            # Where the source only leads from http to https, the answer is that of the second question.
            again = self._asked(site, asked)
            self._asked(site, {f"https://{one}": one for one in again})

    def _asked(self, site: SiteMap, asked: dict[str, Address]) -> list[Address]:
        """Asks these URLs of a source. Returns the addresses that it sends to themselves by another scheme."""
        if not asked:
            return []
        pace = self.config.policies.replay
        again: list[Address] = []

        def tell(answer: Answer) -> None:
            address = asked[answer.url]
            if address_of(answer.location) == address:
                again.append(address)
            elif answer.status:
                self.harvest.answers[address] = (answer.status, answer.location)
            self.progress.advance(address.host, rows=1, bytes_=len(answer.body))

        crawler = SiteCrawler(
            self.config.server(site.server).http, frozenset(one.host for one in asked.values()),
            pace.requests_per_second, pace.concurrency, pace.timeout_seconds,
        )  # fmt: skip
        self.progress.start(f"ask {site.server}", rows=len(asked), bytes_=0)
        try:
            crawler.ask(asked, tell)
        finally:
            self.progress.finish()
        return again

    def _tell(self, code: str, place: str, text: str, level: Level = Level.INFO, way_out: str = "") -> None:
        self.found.append(Finding(code, level, place, text, way_out))

    # -- WordPress ---------------------------------------------------------------------------------------------------

    def _wordpress(self, site: SiteMap, store: StoreMap, host: StreamingShell) -> None:
        side = Side(host, site.source_root, store.source_urls[0])
        self.progress.start(f"addresses of {store.store}", rows=0, bytes_=0)
        after: int | None = 0
        try:
            while after is not None:
                told = ask_wordpress(
                    side,
                    "addresses.php",
                    {"plugins": True, "part": "posts", "after": after, "most": _POSTS_AT_ONCE},
                )
                self._take(store, told)
                after = told["next"]
            told = ask_wordpress(side, "addresses.php", {"plugins": True, "part": "rest"})
            self._take(store, told)
        finally:
            self.progress.finish()
        self._authors(site, store, told["authors"])
        name = urlhost(store.source_urls[0])
        active, idle, problems = plugin_rules(told["rules"], store.store, name)
        self.harvest.store_rules[store.store] = active
        self.harvest.leftovers.setdefault(site.server, []).extend(idle)
        self._unreadable(problems)
        if active or idle:
            self._tell(
                "harvest.rules",
                store.store,
                f"{len(active)} rules of plugins, {len(idle)} of plugins that no longer run",
            )

    def _authors(self, site: SiteMap, store: StoreMap, authors: list[list[object]]) -> None:
        """Where the copy has put them: an account that was renamed or merged has another address."""
        if not authors:
            return
        here = {int(str(number)): address for number, url in authors if (address := self._ours(str(url)))}
        place = self.config.environments[site.environment]
        side = Side(shell(site.environment, place), site.target_root, store.target_url)
        ask = {"plugins": False, "part": "authors", "ids": [*here], "server": site.server, "base": site.user_base,
               "table": ledger.USER}  # fmt: skip
        try:
            there = ask_wordpress(side, "addresses.php", ask)["authors"]
        except CrossdockError as error:
            way_out = f"crossdock move copy --to {site.environment}, then harvest again"
            text = f"authors' addresses at the target are not known: {error.what}"
            self._tell("harvest.authors", store.store, text, Level.WARN, way_out)
            return
        for number, url in there:
            self.harvest.places[here[int(number)]] = str(url)

    def _take(self, store: StoreMap, told: dict[str, list[list[object]]]) -> None:
        for url, what in told["addresses"]:
            if address := self._ours(str(url)):
                self.harvest.alive.setdefault(address, str(what))
        for number, url in told["posts"]:
            self.harvest.posts[store.store, int(str(number))] = str(url)
        for before, url in told["former"]:
            address = self._ours(str(before))
            if address and address not in self.harvest.alive:
                self.harvest.former[address] = str(url)
        self.progress.advance(store.store, rows=len(told["addresses"]), bytes_=0)

    def _ours(self, url: str) -> Address | None:
        address = address_of(url)
        if address is None or self.addresses.store_of(address) is None:
            return None
        return self.addresses.canonical(address)

    # -- sitemaps ----------------------------------------------------------------------------------------------------

    def _sitemaps(self, server: Server, store: StoreMap) -> None:
        web, base = SiteWeb(server.http), store.source_urls[0]
        named = self._robots(web, base)
        if named is None:
            return
        waiting = [*named, *(base + path for path in _SITEMAPS)]
        done: set[str] = set()
        pages = 0
        while waiting and len(done) < _MOST_SITEMAPS:
            url = waiting.pop(0)
            address = address_of(url)
            # A sitemap may name any address: only the store's own are asked.
            if url in done or address is None or self.addresses.store_of(address) is not store:
                continue
            done.add(url)
            try:
                status, body, headers = web.fetch(url)
                if status in (301, 302, 308) and headers.get("location"):
                    waiting.append(urljoin(url, headers["location"]))
                listed = parse_sitemap(body) if status == 200 else None
            except (AccessError, ValueError):
                continue
            if listed is None:
                continue
            waiting += listed.files
            for page in listed.pages:
                if ours := self._ours(page):
                    self.harvest.listed.add(ours._replace(query=kept_query(ours.query, QUERY_NAMES)))
                    pages += 1
        self._tell("harvest.sitemaps", store.store, f"{pages} addresses in sitemaps")

    def _robots(self, web: SiteWeb, base: str) -> Sequence[str] | None:
        """The sitemaps that robots.txt names; None where nothing answers at all."""
        try:
            status, body, _ = web.get(f"{base}/robots.txt")
        except AccessError as error:
            self._tell(
                "harvest.unreachable", base, error.what, Level.WARN, "set `http` of this server in crossdock.toml"
            )
            return None
        return parse_robots(body) if status == 200 else ()

    # -- rules -------------------------------------------------------------------------------------------------------

    def _settings(self, site: SiteMap, server: Server, host: StreamingShell) -> None:
        text, where = read_settings(host, server.web_config)
        apache: list[Rule] = []
        nginx_text = ""
        for name, part in _parts(text):
            if not _APACHE.search(part):
                nginx_text += f"# configuration file {name}:\n{part}"
                continue
            rules, problems = parse_htaccess(part, f"{site.server} {name}")
            apache += rules
            self._unreadable(problems)
        settings = parse_nginx(nginx_text, site.server)
        nginx = settings.rules
        self._logs_named = settings.access_logs
        self._unreadable(settings.problems)
        own, problems = parse_htaccess(read_text(host, f"{site.source_root}/.htaccess"), f"{site.server} .htaccess")
        self._unreadable(problems)
        # nginx alone never reads .htaccess; in front of an Apache both count.
        idle = bool(nginx) and "fastcgi_pass" in text and "proxy_pass" not in text
        force = [*nginx, *apache, *([] if idle else own)]
        self.harvest.rules[site.server] = list(self._localized(force, site))
        self.harvest.leftovers.setdefault(site.server, []).extend(self._localized(own if idle else [], site))
        told = f"{len(nginx)} rules of nginx, {len(apache)} of Apache, {len(own)} in .htaccess"
        self._tell("harvest.rules", site.server, f"{told} ({where or 'no settings could be read'})")

    def _localized(self, rules: Iterable[Rule], site: SiteMap) -> Iterator[Rule]:
        """Rules by the stores' first names; those of other sites on the server are left out, aliases are kept apart."""
        for rule in rules:
            if rule.alias_of:
                for host in rule.hosts:
                    self.harvest.aliases[host] = rule.alias_of
                continue
            if not rule.hosts:
                yield rule
                continue
            names = {
                self.addresses.canonical(Address(host, "/")).host
                for host in rule.hosts
                if host in self.addresses.source_hosts
            }
            mine = names & {urlhost(url) for store in site.stores for url in store.source_urls}
            if mine:
                yield replace(rule, hosts=tuple(sorted(mine)))

    def _unreadable(self, problems: Iterable[tuple[str, str]]) -> None:
        for place, what in problems:
            self._tell("rule.unreadable", place, what, Level.WARN, "write its addresses into the map's CSV")

    # -- logs --------------------------------------------------------------------------------------------------------

    def _logs(self, site: SiteMap, server: Server, host: StreamingShell) -> None:
        files = find_logs(host, server.access_logs, self._logs_named)
        wanted = QUERY_NAMES | _query_names(self.harvest.rules.get(site.server, ()))
        traffic = Traffic()
        self.progress.start(f"access logs of {site.server}", rows=0, bytes_=0)
        try:
            for path in files:
                self._log(host, path, traffic, wanted)
        finally:
            self.progress.finish()
        stores = list(dict.fromkeys(urlhost(one.source_urls[0]) for one in site.stores))
        if len(stores) > 1 and any(not address.host for address in traffic.seen):
            what = f"the logs do not name the host: all of it counts for {stores[0]}"
            way_out = "let the server write the host into its log ($host in front)"
            self._tell("harvest.format", site.server, what, Level.WARN, way_out)
        for address, one in traffic.seen.items():
            if ours := self._ours(f"http://{address.host or stores[0]}{address.key}"):
                hits, status = self.harvest.seen.get(ours, (0, one.status))
                self.harvest.seen[ours] = (hits + one.hits, min(status, one.status))
        text = f"{len(files)} access logs, {traffic.lines} lines, {len(traffic.seen)} addresses"
        if not files:
            self._tell(
                "harvest.logs",
                site.server,
                "no access logs were found",
                Level.WARN,
                "set access_logs in crossdock.toml",
            )
            return
        self._tell("harvest.logs", site.server, text)
        if traffic.foreign * 10 > traffic.lines:
            what = f"{traffic.foreign} of {traffic.lines} lines are in no known form"
            self._tell(
                "harvest.format",
                site.server,
                what,
                Level.WARN,
                "the combined format is understood, with or without host",
            )
        if traffic.dropped:
            self._tell("harvest.cut", site.server, f"{traffic.dropped} requests for rare addresses were left out")

    def _log(self, host: StreamingShell, path: str, traffic: Traffic, wanted: frozenset[str]) -> None:
        before = traffic.lines

        def pieces() -> Iterator[bytes]:
            for piece in read_log(host, path):
                yield piece
                self.progress.advance(path, rows=piece.count(b"\n"), bytes_=len(piece))

        try:
            access_log.read_log(pieces(), traffic, wanted=wanted)
        except ConnectionLost:
            text = f"{path} was read only in part ({traffic.lines - before} lines): the session was cut"
            self._tell("harvest.cut", host.name, text, Level.WARN, "start again for all of it")


def urlhost(url: str) -> str:
    """The host of a store's URL, in its normal spelling."""
    address = address_of(url)
    return address.host if address else ""


def _parts(text: str) -> Iterator[tuple[str, str]]:
    marks = list(_FILE.finditer(text))
    for at, mark in enumerate(marks):
        end = marks[at + 1].start() if at + 1 < len(marks) else len(text)
        yield mark[1], text[mark.end() + 1 : end]


def _query_names(rules: Iterable[Rule]) -> frozenset[str]:
    """Query arguments that rules ask for."""
    return frozenset(name for rule in rules for name in re.findall(r"([A-Za-z_][\w-]*)=", rule.query))
