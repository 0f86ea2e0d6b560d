"""Asks an environment every address of the redirect map and judges what comes back: one hop, and the right page."""

from __future__ import annotations

import hashlib
import html
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from crossdock.core.evidence import Finding, Level
from crossdock.core.ports import Answer, Crawler, Progress
from crossdock.core.redirects import GONE, REDIRECTS, Address, MapRow, address_of
from crossdock.wordpress.addresses import AddressMap

SLOW_SECONDS = 5.0
_EXAMPLES = 5
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_CANONICAL = re.compile(rb"<link\b(?=[^>]*\brel=[\"']?canonical\b)[^>]*\bhref=[\"']?([^\"'\s>]+)", re.IGNORECASE)
_NOT_FOUND = re.compile(rb"<body\b[^>]*\bclass=[\"'][^\"']*\berror404\b", re.IGNORECASE)
# wp_die's page in any language, PHP's own words, and WordPress's before its languages are loaded.
_BROKEN = re.compile(
    rb"<body\b[^>]*\bid=[\"']error-page[\"']|class=[\"']wp-die-message|<b>(?:Fatal error|Parse error)</b>:"
    rb"|PHP (?:Fatal|Parse) error:|Error establishing a database connection|There has been a critical error on",
    re.IGNORECASE,
)
_NOISE = re.compile(rb"<(script|style)\b.*?</\1>|<[^>]*>|[\d\W_]+", re.IGNORECASE | re.DOTALL)
_FILE = re.compile(r"\.(?!html?$|php$|xml$)[A-Za-z0-9]{2,5}$")


@dataclass(frozen=True)
class Seen:
    """What is kept of an answer. `page` is a digest of its words; `flaw`: broken, not-found, empty, cut or ''."""

    url: str
    status: int = 0
    location: str = ""
    kind: str = ""
    seconds: float = 0.0
    problem: str = ""
    title: str = ""
    canonical: str = ""
    flaw: str = ""
    page: str = ""


def seen(answer: Answer, token: str) -> Seen:
    """The facts of an answer; `token` is what stood in a nonsense address, and is not compared."""
    is_page = answer.content_type in ("text/html", "application/xhtml+xml", "")
    made = Seen(
        answer.url, answer.status, answer.location, answer.content_type, round(answer.seconds, 3), answer.problem
    )
    if answer.status != 200 and answer.status != 404:
        return made
    flaw = "cut" if answer.problem else "" if answer.body else "empty"
    if not is_page:
        return Seen(**{**made.__dict__, "flaw": flaw, "problem": ""})
    body = answer.body
    if not flaw and answer.status == 200:
        flaw = "broken" if _BROKEN.search(body) else "not-found" if _NOT_FOUND.search(body) else ""
    title, canonical = _TITLE.search(body), _CANONICAL.search(body)
    words = _NOISE.sub(b" ", body.replace(token.encode(), b"")) if token else _NOISE.sub(b" ", body)
    return Seen(
        **{
            **made.__dict__,
            "title": _text(title[1])[:200] if title else "",
            "canonical": _text(canonical[1]) if canonical else "",
            "flaw": flaw,
            "problem": "",
            "page": hashlib.sha256(words).hexdigest()[:16],
        }
    )


def _text(raw: bytes) -> str:
    return html.unescape(raw.decode("utf-8", "replace")).strip()


@dataclass
class Replayed:
    """What a replay found. `failed`: code -> addresses; `slow`: addresses that took long."""

    total: int = 0
    ok: int = 0
    moved: int = 0
    gone: int = 0
    undecided: int = 0
    failed: dict[str, list[str]] = field(default_factory=dict)
    warned: dict[str, list[str]] = field(default_factory=dict)

    def figures(self) -> dict[str, int]:
        """The counts that demo.json and the receipt hold. urls_total = urls_ok + urls_failed; what no person has
        decided yet is in neither."""
        return {
            "urls_total": self.total,
            "urls_ok": self.ok,
            "urls_moved": self.moved,
            "urls_gone": self.gone,
            "urls_failed": sum(len(urls) for urls in self.failed.values()),
            "urls_undecided": self.undecided,
        }

    def findings(self, environment: str) -> list[Finding]:
        """One for each kind of fault, with how many and some of them."""
        found = []
        for level, told in ((Level.FAIL, self.failed), (Level.WARN, self.warned)):
            for code, texts in sorted(told.items()):
                text = f"{len(texts)} addresses {_SAYS[code]}: {'; '.join(texts[:_EXAMPLES])}"
                found.append(Finding(code, level, environment, text, _WAYS.get(code, ""), {"addresses": len(texts)}))
        return found


@dataclass(frozen=True)
class Question:
    """A row of the map and the URL that this environment is asked for it."""

    row: MapRow
    url: str


def questions(rows: Iterable[MapRow], addresses: AddressMap) -> list[Question]:
    """What is asked for the decided rows of a map."""
    made = []
    for row in rows:
        if row.match == "exact" and row.action != "unknown":
            source = address_of(row.source)
            url = addresses.asked(source) if source else ""
            if url:
                made.append(Question(row, url))
        elif row.match == "host":
            made.append(Question(row, f"{urlsplit(row.target).scheme}://{row.source}/"))
    return made


class Replay:
    """One environment's replay. `known` are answers of an earlier, unfinished one; `keep` is called with each new."""

    def __init__(
        self, rows: Sequence[MapRow], addresses: AddressMap, environment: str, crawler: Crawler, progress: Progress,
        known: Mapping[str, Seen], keep: Callable[[Seen], None],
    ) -> None:  # fmt: skip
        self.rows, self.addresses, self.environment = rows, addresses, environment
        self.crawler, self.progress = crawler, progress
        self.known: dict[str, Seen] = dict(known)
        self.keep = keep
        self.token = f"crossdock-{secrets.token_hex(6)}"
        self.nonsense: dict[str, Seen] = {}
        self.homes = {address_of(f"{store.target_url}/") for site in addresses.sites for store in site.stores}
        self.hosts = addresses.target_hosts | {row.source for row in rows if row.match == "host"}

    def run(self) -> Replayed:
        """Asks what is not known yet, then what the answers point to, and judges. Errors: those of `keep`."""
        asked = questions(self.rows, self.addresses)
        nonsense = {f"{_base(one.url)}/{self.token}/": _base(one.url) for one in asked}
        self._ask("nonsense", list(nonsense), kept=False)
        self.nonsense = {base: self.known.pop(url) for url, base in nonsense.items() if url in self.known}
        self._ask("replay", [one.url for one in asked])
        self._ask("replay targets", list(self._targets(asked)))
        result = Replayed(undecided=sum(row.action == "unknown" for row in self.rows))
        for one in asked:
            self._judge(one, result)
        return result

    def _ask(self, stage: str, urls: Sequence[str], *, kept: bool = True) -> None:
        open_urls = [url for url in dict.fromkeys(urls) if url not in self.known]
        if not open_urls:
            return
        self.progress.start(f"{stage} {self.environment}", rows=len(open_urls), bytes_=0)

        def tell(answer: Answer) -> None:
            one = seen(answer, "" if kept else self.token)
            self.known[one.url] = one
            # What was refused is asked again next time.
            if kept and one.status and one.problem != "blocked":
                self.keep(one)
            self.progress.advance(urlsplit(one.url).netloc, rows=1, bytes_=len(answer.body))

        try:
            self.crawler.ask(open_urls, tell)
        finally:
            self.progress.finish()

    def _targets(self, asked: Iterable[Question]) -> Iterator[str]:
        """Where the redirects lead to, within this environment."""
        for one in asked:
            first = self.known.get(one.url)
            if first and first.status in REDIRECTS:
                there = self._location(one.url, first)
                if (
                    there
                    and address_of(there)
                    and urlsplit(there).netloc in self.hosts
                    and _scheme(there) == _scheme(one.url)
                ):
                    yield there

    def _location(self, url: str, answer: Seen) -> str:
        """The absolute address of a Location in its normal spelling; '' for none."""
        try:
            there = address_of(urljoin(url, answer.location)) if answer.location else None
            return f"{_scheme(urljoin(url, answer.location))}://{there}" if there else ""
        except ValueError:
            return ""

    # -- verdicts ----------------------------------------------------------------------------------------------------

    def _judge(self, one: Question, result: Replayed) -> None:
        result.total += 1
        code, text = self._verdict(one, result)
        if code:
            result.failed.setdefault(code, []).append(f"{address_of(one.url)}{f' ({text})' if text else ''}")
            return
        result.ok += 1
        result.moved += one.row.action == "moved"
        result.gone += one.row.action == "gone"

    def _verdict(self, one: Question, result: Replayed) -> tuple[str, str]:
        """Code and words of what is wrong; ('', '') when all is well."""
        first = self.known.get(one.url, Seen(one.url, problem="blocked"))
        if wrong := _unanswered(first):
            return wrong
        if first.seconds > SLOW_SECONDS:
            result.warned.setdefault("url.slow", []).append(f"{address_of(one.url)} ({first.seconds:.0f} s)")
        if one.row.action == "gone" or first.status == GONE:
            if one.row.action == "gone" and first.status == GONE:
                return "", ""
            return ("url.gone", "") if first.status == GONE else ("url.not-gone", f"answers {first.status}")
        if first.status in REDIRECTS:
            return self._hop(one, first)
        return self._page(one.url, first)

    def _hop(self, one: Question, first: Seen) -> tuple[str, str]:
        there = self._location(one.url, first)
        place = address_of(there) if there else None
        if place is None:
            return "url.location", ""
        asked, target = address_of(one.url), address_of(one.row.target)
        if place == asked and _scheme(there) == _scheme(one.url):
            return "url.loop", ""
        if one.row.match == "exact" and one.row.action == "moved" and target != place:
            return "url.elsewhere", f"to {place}, not {target}"
        if self._is_sent_home(one, first, place):
            return "url.soft-404", "sent to the start page for good"
        if place.host not in self.hosts:
            return ("", "") if target == place else ("url.foreign", f"to {place.host}")
        if _scheme(there) != _scheme(one.url):
            return "url.scheme", f"to {_scheme(there)}"
        second = self.known.get(there, Seen(there, problem="blocked"))
        if wrong := _unanswered(second):
            return wrong
        if second.status in REDIRECTS:
            onward = self._location(there, second)
            return ("url.loop", f"by {place}") if onward in (one.url, there) else ("url.chain", f"by {place}")
        code, text = self._page(there, second)
        return code, f"after {place}{f', {text}' if text else ''}" if code else ""

    def _is_sent_home(self, one: Question, first: Seen, place: Address) -> bool:
        """What the source shows and the target does not have, plugins send to the start page: search engines take that
        for what it is. (What redirects for the moment, as an empty checkout does, is none of it.)"""
        asked = address_of(one.url)
        kept = one.row.match == "exact" and one.row.action == "kept" and first.status in (301, 308)
        return kept and place in self.homes and asked is not None and asked.path not in (place.path, "/index.php")

    def _page(self, url: str, answer: Seen) -> tuple[str, str]:
        if answer.status == 404:
            return "url.missing", ""
        if answer.status in (401, 403):
            return "url.refused", str(answer.status)
        if answer.status != 200:
            return ("url.error", str(answer.status)) if answer.status >= 500 else ("url.status", str(answer.status))
        if answer.flaw in ("broken", "empty", "cut"):
            return "url.soft-error", answer.flaw
        is_page = answer.kind in ("text/html", "application/xhtml+xml", "")
        if answer.flaw == "not-found" or (is_page and _FILE.search(urlsplit(url).path)):
            return "url.soft-404", ""
        nonsense = self.nonsense.get(_base(url))
        if is_page and nonsense and answer.page and (
            answer.page == nonsense.page or (answer.title and answer.title == nonsense.title)
        ):  # fmt: skip
            return "url.soft-404", "as a nonsense address"
        there = address_of(answer.canonical) if answer.canonical.startswith("http") else None
        if answer.canonical and answer.canonical.startswith("http") and (there is None or there.host not in self.hosts):
            return "url.canonical", answer.canonical[:100]
        return "", ""


def _unanswered(answer: Seen) -> tuple[str, str] | None:
    if answer.problem == "blocked":
        return "replay.blocked", ""
    if answer.status:
        return None
    return ("url.slow", "no whole answer in time") if answer.problem == "slow" else ("url.unreachable", answer.problem)


def _base(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _scheme(url: str) -> str:
    return urlsplit(url).scheme.lower()


_SAYS = {
    "url.missing": "answer 404",
    "url.gone": "answer 410, which nobody declared",
    "url.not-gone": "are declared gone and do not answer 410",
    "url.error": "answer with a server error",
    "url.refused": "are refused",
    "url.status": "answer with an odd status",
    "url.soft-404": "answer 200 with the page of what is not found",
    "url.soft-error": "answer 200 with an error",
    "url.loop": "are redirected to themselves",
    "url.chain": "need more than one hop",
    "url.elsewhere": "are redirected to another address than the map says",
    "url.foreign": "leave this environment",
    "url.scheme": "change the scheme",
    "url.location": "are redirected to what is no address",
    "url.canonical": "name a canonical address on another host",
    "url.slow": "were slow",
    "url.unreachable": "could not be reached",
    "replay.blocked": "were not answered: the host refuses our rate",
}
_WAYS = {
    "url.missing": "if they are to move, the map must be in force there: crossdock move redirects emit",
    "url.elsewhere": "bring the newest map there: crossdock move redirects emit",
    "replay.blocked": "lower [policies.replay], or ask the host to let this machine in; then start again: it goes on",
    "url.slow": "look at the host's load, or raise [policies.replay].timeout_seconds",
    "url.soft-error": "read the host's PHP error log",
}
