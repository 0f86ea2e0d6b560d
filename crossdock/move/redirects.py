"""Decides what the target makes of every known address of the sources: kept, moved, gone, or a person's question.

Old rules are followed to their end, so that what took the source several hops takes the target one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal, NamedTuple
from urllib.parse import urljoin

from crossdock.core.evidence import Finding, Level
from crossdock.core.redirects import GONE, REDIRECTS, Address, MapRow, Rule, address_of, normal
from crossdock.move.patterns import pattern_row, uploads_row
from crossdock.move.rulebook import RuleBook
from crossdock.wordpress.addresses import QUERY_NAMES, AddressMap, is_machinery, is_probe, post_number
from crossdock.wordpress.sitemap import StoreMap

# An address that rules make longer and longer never ends.
_LONGEST = 4_000
_EXAMPLES = 5


@dataclass
class Harvest:
    """What is known of the sources' addresses; all of them by the store's first host name.

    `alive`: addresses that WordPress answers, with what they are; `posts`: (store, ID) -> URL; `former`: earlier
    addresses of posts -> URL; `listed`: in a sitemap; `seen`: from access logs, (requests, status); `answers`: what the
    source answered when asked, (status, Location). `rules`: of each server, in its order; `store_rules`: of each
    store's plugins; `leftovers`: of each server, rules that are there and not in force. `aliases`: host -> scheme://host.
    `places`: addresses whose path is another at the target (authors who were renamed or merged) -> URL there.
    """

    alive: dict[Address, str] = field(default_factory=dict)
    posts: dict[tuple[str, int], str] = field(default_factory=dict)
    former: dict[Address, str] = field(default_factory=dict)
    listed: set[Address] = field(default_factory=set)
    seen: dict[Address, tuple[int, int]] = field(default_factory=dict)
    answers: dict[Address, tuple[int, str]] = field(default_factory=dict)
    rules: dict[str, list[Rule]] = field(default_factory=dict)
    store_rules: dict[str, list[Rule]] = field(default_factory=dict)
    leftovers: dict[str, list[Rule]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    places: dict[Address, str] = field(default_factory=dict)


class Outcome(NamedTuple):
    """Where an address ends. `at`: an address of ours (alive, dead), `url`: elsewhere (foreign); `why`: a rule's
    origin (gone), or those of a loop."""

    kind: Literal["alive", "dead", "gone", "foreign", "loop"]
    at: Address
    url: str = ""
    why: str = ""


class _Step(NamedTuple):
    url: str
    why: str


class Resolver:
    """Follows rules and WordPress's own redirects from any address to its end, each address once."""

    def __init__(self, harvest: Harvest, addresses: AddressMap) -> None:
        self.harvest, self.addresses = harvest, addresses
        self.books = {name: RuleBook(_in_force(rules)) for name, rules in harvest.rules.items()}
        self.store_books = {name: RuleBook(_in_force(rules)) for name, rules in harvest.store_rules.items()}
        self.leftovers = {name: RuleBook(_in_force(rules)) for name, rules in harvest.leftovers.items()}
        self._known: dict[Address, Outcome] = {}

    def resolve(self, address: Address) -> Outcome:
        """The end of an address."""
        at = self.addresses.canonical(address)
        trail: dict[Address, str] = {}
        while at not in self._known:
            if at in trail or len(at.key) > _LONGEST:
                looped = list(trail)[list(trail).index(at) :] if at in trail else list(trail)[-1:]
                self._known[at] = Outcome("loop", at, "", ", ".join(dict.fromkeys(trail[one] for one in looped)))
                break
            step = self.step(at)
            if isinstance(step, Outcome):
                self._known[at] = step
                break
            trail[at] = step.why
            there = _joined(at, step.url)
            if there is None or self.addresses.store_of(there) is None:
                self._known[at] = Outcome("foreign", at, step.url, step.why)
                break
            at = self.addresses.canonical(there)
        for one in trail:
            self._known.setdefault(one, self._known[at])
        return self._known[at]

    def step(self, at: Address) -> _Step | Outcome:
        """What answers an address: a rule, WordPress, or nothing."""
        if found := self._ruled(at, self._books(at)):
            return found
        if at in self.harvest.alive:
            return Outcome("alive", at)
        if found := self._ruled(at, [self.leftovers.get(self.addresses.server_of(at))]):
            return found
        if at in self.harvest.former:
            return _Step(self.harvest.former[at], "former address")
        if number := post_number(at):
            store = self.addresses.store_of(at)
            if store and (url := self.harvest.posts.get((store.store, number))):
                return _Step(url, f"post {number}")
        twin = at._replace(path=at.path.rstrip("/") if at.path.endswith("/") else f"{at.path}/")
        if twin.path and twin in self.harvest.alive:
            return _Step(f"http://{twin}", "slash")
        return self._answered(at)

    def _answered(self, at: Address) -> _Step | Outcome:
        """What the source itself said, today or in its logs."""
        status, location = self.harvest.answers.get(at, (0, ""))
        if status in REDIRECTS and location:
            return _Step(location, "the source's own answer")
        if status == GONE:
            return Outcome("gone", at, "", "the source's own answer")
        logged = self.harvest.seen.get(at, (0, 0))[1] if not status else 0
        return Outcome("alive" if 200 <= (status or logged) < 300 else "dead", at)

    def _books(self, at: Address) -> list[RuleBook | None]:
        store = self.addresses.store_of(at)
        own = self.store_books.get(store.store) if store else None
        return [self.books.get(self.addresses.server_of(at)), own]

    def _ruled(self, at: Address, books: Iterable[RuleBook | None]) -> _Step | Outcome | None:
        for book in books:
            # A rule that leads to the address itself only changes scheme or host.
            for rule, target in book.matches(at) if book else ():
                if rule.status not in REDIRECTS:
                    return Outcome("gone", at, "", rule.origin)
                there = _joined(at, target)
                if there is None or self.addresses.canonical(there) != at:
                    return _Step(target, rule.origin)
                if rule.kind != "pattern" and target.startswith("/"):
                    return Outcome("loop", at, "", rule.origin)
        return None

    def conflicts(self, at: Address) -> list[tuple[Rule, str]]:
        """The rules that claim an address and send it to different places, the one that decides first."""
        books = [*self._books(at), self.leftovers.get(self.addresses.server_of(at))]
        claims = [claim for book in books if book for claim in islice(book.matches(at), 8)]
        places: dict[str, tuple[Rule, str]] = {}
        for rule, target in claims:
            there = _joined(at, target) if target else None
            places.setdefault(str(self.addresses.canonical(there)) if there else target, (rule, target))
        return list(places.values()) if len(places) > 1 else []


def _joined(at: Address, url: str) -> Address | None:
    """Where a target leads from an address; None for what is no address."""
    try:
        return address_of(urljoin(f"http://{at.host}{at.path}", url))
    except ValueError:
        return None


def _in_force(rules: Iterable[Rule]) -> list[Rule]:
    return [rule for rule in rules if not rule.alias_of]


@dataclass
class Decided:
    """The map's rows and what is to be told of them. `undecided`: addresses that nothing at the source answers, for
    which the source itself can be asked."""

    rows: list[MapRow]
    findings: list[Finding]
    undecided: list[Address]


def decide(harvest: Harvest, addresses: AddressMap, environment: str, settled: frozenset[str] = frozenset()) -> Decided:
    """The redirect map of one environment. `settled`: sources that a person has decided: nobody is asked again."""
    return _Decision(harvest, addresses, environment, settled).made()


class _Decision:
    def __init__(self, harvest: Harvest, addresses: AddressMap, environment: str, settled: frozenset[str]) -> None:
        self.harvest, self.addresses, self.environment, self.settled = harvest, addresses, environment, settled
        self.resolver = Resolver(harvest, addresses)
        self.rows: list[MapRow] = []
        self.told: dict[tuple[str, str, Level], list[str]] = {}
        self.undecided: list[Address] = []

    def made(self) -> Decided:
        for address, origin in self._addresses().items():
            row = self._row(address, origin)
            if row is not None:
                self.rows.append(row)
        self._tell_conflicts()
        self.rows.sort(key=lambda row: (row.action != "unknown", row.source))
        self.rows += self._patterns()
        if self.environment == "production":
            # The stores' other names (www and bare) lead nowhere else.
            self.rows += self._hosts()
        return Decided(self.rows, self._findings(), self.undecided)

    def _addresses(self) -> dict[Address, str]:
        """Every address with where it is known from, first come first named."""
        found = dict(self.harvest.alive)
        for address in self.harvest.former:
            found.setdefault(address, "former address")
        for address, rule in self._of_rules():
            found.setdefault(address, rule.origin)
        for address in self.harvest.listed:
            found.setdefault(address, "sitemap")
        for address, (_, status) in self.harvest.seen.items():
            if not is_machinery(address.path) and not (status >= 400 and is_probe(address.path)):
                found.setdefault(address, "log")
        return found

    def _of_rules(self) -> Iterator[tuple[Address, Rule]]:
        for group in (self.harvest.rules, self.harvest.store_rules, self.harvest.leftovers):
            for name, rules in group.items():
                hosts = self._hosts_of(name)
                for rule in rules:
                    if rule.kind != "pattern" and not rule.query:
                        ours = (
                            [one for one in rule.hosts if one in self.addresses.source_hosts] if rule.hosts else hosts
                        )
                        for host in ours:
                            yield self.addresses.canonical(Address(host, normal(rule.match))), rule

    def _hosts_of(self, name: str) -> list[str]:
        """First host names of a server's stores, or of a store."""
        stores = [one for site in self.addresses.sites for one in site.stores if name in (site.server, one.store)]
        return list(dict.fromkeys(there.host for one in stores if (there := address_of(one.source_urls[0]))))

    def _row(self, address: Address, origin: str) -> MapRow | None:
        asked = self.addresses.asked(address)
        if not asked:
            return None
        source, hits = f"http://{address}", self.harvest.seen.get(address, (0, 0))[0]
        outcome = self.resolver.resolve(address)
        if source in self.settled:
            return MapRow(source, "exact", "unknown", "", 0, origin, hits)
        if outcome.kind == "alive":
            target = self._place(outcome.at)
            if target == asked:
                return MapRow(source, "exact", "kept", target, 200, origin, hits)
            return MapRow(source, "exact", "moved", target, 301, origin, hits)
        if outcome.kind == "gone":
            return MapRow(source, "exact", "gone", "", GONE, origin, hits, f"gone at the source by {outcome.why}")
        if outcome.kind == "foreign":
            there = address_of(outcome.url)
            if there is not None:
                self._tell("redirect.foreign", Level.WARN, origin, f"{address} leads to {there.host}")
                return MapRow(source, "exact", "moved", outcome.url, 301, origin, hits, "another site")
        if outcome.kind == "loop":
            self._tell("redirect.loop", Level.BLOCK, origin, f"{address} ({outcome.why})")
            return MapRow(source, "exact", "unknown", "", 0, origin, hits, f"a loop at the source: {outcome.why}")
        return self._unknown(address, outcome, MapRow(source, "exact", "unknown", "", 0, origin, hits))

    def _unknown(self, address: Address, outcome: Outcome, row: MapRow) -> MapRow:
        end = outcome.at
        if any(part.partition("=")[0] in QUERY_NAMES for part in end.query.split("&") if part) and not post_number(end):
            # ?author=, ?feed= and such: WordPress finds the same at the target. The replay proves it.
            target = self.addresses.natural(end)
            return MapRow(row.source, "exact", "kept", target, 200, row.origin, row.hits, "WordPress's own query")
        status = self.harvest.answers.get(end, (0, ""))[0]
        if not status:
            self.undecided.append(end)
        dead = status in (404, 410, 403) or (not status and self.harvest.seen.get(end, (0, 0))[1] == 404)
        place = "dead at the source" if dead else "unanswered"
        self._tell("url.unmapped", Level.WARN if dead else Level.BLOCK, place, str(address))
        ends = f"ends at {end.key}; " if end != address else ""
        return MapRow(
            row.source, "exact", "unknown", "", 0, row.origin, row.hits,
            f"{ends}the source answers {status or 'nothing that is known'}",
        )  # fmt: skip

    def _patterns(self) -> list[MapRow]:
        made: dict[str, MapRow] = {}
        shadowed = self._shadowing()
        for site in self.addresses.sites:
            for store in site.stores:
                asked = self.addresses.asked(_home(store))
                base = asked.rstrip("/") if address_of(asked) is None else "/".join(asked.split("/")[:3])
                if store.source_uploads != store.target_uploads:
                    row = uploads_row(store, base, _home(store).path.rstrip("/"))
                    made.setdefault(row.source, row)
                rules = [*self.harvest.rules.get(site.server, ()), *self.harvest.store_rules.get(store.store, ())]
                rules += [one for one in self.harvest.leftovers.get(site.server, ()) if one not in shadowed]
                for rule in rules:
                    self._add_pattern(rule, _home(store).host, base, made)
        return list(made.values())

    def _shadowing(self) -> set[Rule]:
        """Rules not in force that would take a living address away if they became so."""
        found: set[Rule] = set()
        for book in self.resolver.leftovers.values():
            for address in self.harvest.alive:
                if hit := book.first(address):
                    found.add(hit[0])
        return found

    def _add_pattern(self, rule: Rule, host: str, base: str, made: dict[str, MapRow]) -> None:
        exact = rule.kind == "exact" and not rule.query
        settled = (
            None if exact or rule.alias_of or (rule.hosts and host not in rule.hosts) else self._settled(rule, host)
        )
        if settled is None:
            return
        try:
            row = pattern_row(settled, base, self.addresses)
        except ValueError as error:
            self._tell("rule.unreadable", Level.WARN, rule.origin, str(error))
            return
        made.setdefault(row.source, row)

    def _settled(self, rule: Rule, host: str) -> Rule | None:
        """A rule whose target is one address, with that address's end as its target; None where that is dead."""
        if rule.kind == "prefix" or len(rule.target) != 1 or not isinstance(rule.target[0], str):
            return rule
        there = _joined(Address(host, "/"), rule.target[0])
        if there is None or self.addresses.store_of(there) is None:
            return rule
        outcome = self.resolver.resolve(there)
        if outcome.kind == "gone":
            return replace(rule, target=(), status=GONE)
        return replace(rule, target=(self._place(outcome.at),)) if outcome.kind == "alive" else None

    def _place(self, at: Address) -> str:
        """The target's URL of a living address."""
        return self.harvest.places.get(at) or self.addresses.natural(at)

    def _hosts(self) -> Iterator[MapRow]:
        """Names that lead to a store and are no target's own: www and bare, and aliases that rules declare."""
        for site in self.addresses.sites:
            for store in site.stores:
                for url in store.source_urls:
                    there = address_of(url)
                    if there and there.host not in self.addresses.target_hosts and there.path in ("", "/"):
                        yield MapRow(there.host, "host", "moved", store.target_url + "/", 301, "the store's other name")
        for host, base in self.harvest.aliases.items():
            there = address_of(base)
            ours = self.addresses.asked(Address(there.host, "/")) if there else ""
            if ours and host not in self.addresses.target_hosts and host not in self.addresses.source_hosts:
                yield MapRow(host, "host", "moved", ours, 301, "a rule of the source")

    # -- what is told ------------------------------------------------------------------------------------------------

    def _tell(self, code: str, level: Level, place: str, example: str) -> None:
        grouped = place if code in ("url.unmapped", "rule.unreadable") else self.environment
        self.told.setdefault((code, grouped, level), []).append(example)

    def _tell_conflicts(self) -> None:
        for address in dict.fromkeys(address for address, _ in self._of_rules()):
            claims = self.resolver.conflicts(address)
            if claims:
                (first, target), *others = claims
                lost = "; ".join(f"{rule.origin} -> {there or 'gone'}" for rule, there in others[:3])
                text = f"{address}: {first.origin} -> {target or 'gone'} decides, not {lost}"
                self._tell("redirect.conflict", Level.WARN, first.origin, text)

    def _findings(self) -> list[Finding]:
        found = []
        for (code, place, level), texts in self.told.items():
            text = f"{len(texts)} {_SAYS[code]}: {'; '.join(texts[:_EXAMPLES])}"
            found.append(Finding(code, level, place, text, _WAYS[code], {"addresses": len(texts)}))
        return found


_EDIT = "write an action into the map's CSV, then crossdock move redirects import"
_SAYS = {
    "url.unmapped": "addresses have no target",
    "redirect.loop": "addresses are sent round and round by the source's own rules",
    "redirect.foreign": "addresses leave the stores",
    "redirect.conflict": "addresses are claimed by several rules",
    "rule.unreadable": "rules can't become patterns; only their known addresses are moved",
}
_WAYS = {
    "url.unmapped": f"{_EDIT}: moved with a target, or gone with its reason",
    "redirect.loop": f"{_EDIT}: moved with a target, or gone with its reason",
    "redirect.foreign": "look whether that is still meant",
    "redirect.conflict": f"where another rule should decide, {_EDIT}",
    "rule.unreadable": "write its addresses into the map's CSV if there are more",
}


def _home(store: StoreMap) -> Address:
    return address_of(store.source_urls[0]) or Address("", "/")


def counts(rows: Iterable[MapRow]) -> Mapping[str, int]:
    """Rows of a map by what happens to them."""
    made = {
        "urls_total": 0,
        "urls_kept": 0,
        "urls_moved": 0,
        "urls_gone": 0,
        "urls_undecided": 0,
        "patterns": 0,
        "hosts": 0,
    }
    names = {"kept": "urls_kept", "moved": "urls_moved", "gone": "urls_gone", "unknown": "urls_undecided"}
    for row in rows:
        if row.match == "exact":
            made["urls_total"] += 1
            made[names[row.action]] += 1
        else:
            made["patterns" if row.match == "pattern" else "hosts"] += 1
    return made


def with_decisions(rows: Sequence[MapRow], earlier: Sequence[MapRow]) -> list[MapRow]:
    """A fresh map with what people had decided in an earlier one."""
    decided = {(row.match, row.source): row for row in earlier if row.origin.startswith("by ")}
    kept = [decided.pop((row.match, row.source), row) for row in rows]
    return [*decided.values(), *kept]


def asked_rows(rows: Iterable[MapRow], addresses: AddressMap) -> list[MapRow]:
    """A map's rows by the addresses that the environment is asked for, for those who carry them out. Files that the
    pattern of their store's uploads moves alike are left out: there may be a hundred thousand of them."""
    made: list[MapRow] = []
    uploads = _uploads_prefixes(addresses)
    for row in rows:
        source = address_of(row.source) if row.match == "exact" else None
        asked = addresses.asked(source) if source else ""
        if row.match != "exact":
            made.append(row)
        elif asked and not any(
            asked.startswith(start) and row.action == "moved" and row.target == end + asked[len(start) :]
            for start, end in uploads
        ):
            made.append(replace(row, source=asked))
    return made


def _uploads_prefixes(addresses: AddressMap) -> list[tuple[str, str]]:
    return [
        (
            addresses.asked(_home(store)).rstrip("/") + store.source_uploads + "/",
            f"{store.target_url}{store.target_uploads}/",
        )
        for site in addresses.sites
        for store in site.stores
        if store.source_uploads != store.target_uploads
    ]
