"""What the bridge tells of itself: asked with our signature, believed only with its own, and judged."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from crossdock.core.errors import CrossdockError
from crossdock.core.evidence import Finding, Level
from crossdock.core.ports import Web
from crossdock.core.signing import BridgeKey

SWITCHES = ("mail", "http", "webhooks", "gateways", "cron", "indexing", "banner", "login")
MEND = "crossdock bridge install {environment}"


@dataclass(frozen=True)
class Health:
    """One domain's answer. `facts` as class-crossdock-bridge-health.php makes them; empty with a `problem`."""

    url: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""

    def part(self, name: str) -> Mapping[str, Any]:
        found = self.facts.get(name)
        return found if isinstance(found, dict) else {}


def ask_health(web: Web, key: BridgeKey, url: str, *, query: str = "") -> Health:
    """The signed answer of the bridge at `url` (scheme://host). `query`: "scan" reads the active code too, "forget" has
    the bridge take its used nonces away. Never raises for what the site answers."""
    nonce = secrets.token_hex(16)
    uri = f"/?crossdock-health={nonce}" + (f"&{query}=1" if query else "")
    try:
        status, body, headers = web.get(url + uri, key.headers("GET", urlsplit(url).netloc, uri, nonce=nonce))
    except CrossdockError as error:
        return Health(url, problem=error.what)
    if status != 200:
        to = f", to {headers['location']}" if "location" in headers else ""
        return Health(url, problem=f"answers {status}{to} instead of its bridge's health")
    if not key.signed_answer(nonce, body.encode(), headers.get("x-crossdock-signature", "")):
        return Health(url, problem="what answers is not our bridge: its signature does not fit")
    facts = json.loads(body)
    return Health(url, facts if isinstance(facts, dict) else {})


@dataclass(frozen=True)
class Expected:
    """What an environment's bridge should say. `blogs`: domain -> blog number. `config` and `redirects` are digests of
    the files we wrote ('' where unknown). `trusted`: code (plugins/name) that a person has looked at."""

    environment: str
    version: str
    config: str = ""
    redirects: str = ""
    sunrise: str = ""
    blogs: Mapping[str, int] = field(default_factory=dict)
    trusted: Sequence[str] = ()

    @property
    def guarded(self) -> bool:
        return self.environment == "staging"

    @property
    def mend(self) -> str:
        return MEND.format(environment=self.environment)


def findings(health: Health, expected: Expected) -> list[Finding]:
    """What is wrong with one domain's bridge; empty when all is as it was installed."""
    if health.problem:
        return [Finding("bridge.missing", Level.FAIL, health.url, health.problem, expected.mend)]
    return [
        *_code(health, expected),
        *_blog(health, expected),
        *_guard(health, expected),
        *_mail(health, expected),
        *_unguarded(health, expected),
        *_redirects(health, expected),
    ]


def _code(health: Health, expected: Expected) -> Iterator[Finding]:
    bridge = health.part("bridge")
    for kind, told in (("altered", "was altered by hand"), ("missing", "is gone"), ("unknown", "is not of the bridge")):
        for name in bridge.get(kind, ()):
            yield Finding(f"bridge.{kind}", Level.FAIL, f"{health.url}: {name}", told, expected.mend)
    if expected.config and bridge.get("config") != expected.config:
        place = f"{health.url}: crossdock-bridge/config.php"
        yield Finding("bridge.altered", Level.FAIL, place, "is not what Crossdock wrote", expected.mend)
    if bridge.get("version") != expected.version:
        told = f"version {bridge.get('version')} runs, and we carry {expected.version}"
        yield Finding("bridge.version", Level.WARN, health.url, told, expected.mend)
    if bridge.get("environment") != expected.environment:
        told = f"takes itself for {bridge.get('environment')}, not {expected.environment}"
        yield Finding("bridge.environment", Level.FAIL, health.url, told, expected.mend)
    if expected.sunrise and bridge.get("sunrise") != expected.sunrise:
        told = "sunrise.php is not ours or not loaded: other host names of the stores are not redirected"
        yield Finding("bridge.sunrise", Level.WARN, health.url, told, expected.mend)
    if bridge.get("nonces") == "unkept":
        told = "used nonces can't be kept there: a health request could be replayed for 300 s"
        yield Finding("bridge.nonces", Level.WARN, health.url, told, "let PHP write to its folder for temporary files")


def _blog(health: Health, expected: Expected) -> Iterator[Finding]:
    wanted = expected.blogs.get(urlsplit(health.url).hostname or "")
    found = health.part("blog").get("id")
    if wanted is not None and found != wanted:
        yield Finding("bridge.blog", Level.FAIL, health.url, f"leads to blog {found}, not {wanted}")


def _guard(health: Health, expected: Expected) -> Iterator[Finding]:
    guard = health.part("guard")
    if expected.guarded:
        for switch in ("on", *SWITCHES):
            if guard.get(switch) is not True:
                told = (
                    "the guard is off"
                    if switch == "on"
                    else f"the guard of {switch} is off, or another speaks after it"
                )
                yield Finding("guard.off", Level.FAIL, f"{health.url}: {switch}", told, expected.mend)
        cron = health.part("cron")
        if cron.get("runner") != "blocked" or cron.get("batches") != 0:
            yield Finding("guard.cron", Level.FAIL, health.url, "scheduled work can run", expected.mend)
        if health.part("blog").get("public") != "0":
            yield Finding("guard.indexing", Level.FAIL, health.url, "says that it may be indexed", expected.mend)
    elif guard.get("on") is not False:
        told = "the guard of a staging stands before production: nobody can buy"
        way_out = "look at WP_ENVIRONMENT_TYPE and the domains of staging; " + expected.mend
        yield Finding("guard.on", Level.FAIL, health.url, told, way_out)


def _mail(health: Health, expected: Expected) -> Iterator[Finding]:
    replaced = health.part("mail").get("replaced_by")
    if expected.guarded and replaced and not _is_trusted(str(replaced), expected):
        told = "has a wp_mail of its own, which the guard may not reach"
        way_out = "deactivate it on staging, or name its folder in environments.staging.bridge.trusted"
        yield Finding("mail.replaced", Level.FAIL, f"{health.url}: {replaced}", told, way_out)


def _is_trusted(path: str, expected: Expected) -> bool:
    return any(f"{one}/" in f"{path}/" for one in expected.trusted)


def _unguarded(health: Health, expected: Expected) -> Iterator[Finding]:
    """Code that no hook reaches, a finding for each plugin and kind."""
    calls: dict[tuple[str, str], list[str]] = {}
    for one in health.facts.get("unguarded") or ():
        where = f"{one['call']} in {one['file']}:{one['line']}"
        calls.setdefault((str(one["plugin"]), str(one["kind"])), []).append(where)
    for (plugin, kind), places in calls.items():
        if not expected.guarded or plugin in expected.trusted:
            continue
        code = "mail.unguarded" if kind == "mail" else "http.unguarded"
        told = f"can reach the outside past the guard: {', '.join(places[:3])}"
        told += f" and {len(places) - 3} more" if len(places) > 3 else ""
        way_out = (
            f'deactivate it on staging, have the host close the way out, or look at the code and name "{plugin}" in '
            "environments.staging.bridge.trusted"
        )
        level = Level.FAIL if kind == "mail" else Level.WARN
        yield Finding(code, level, f"{health.url}: {plugin}", told, way_out, {"calls": len(places)})


def _redirects(health: Health, expected: Expected) -> Iterator[Finding]:
    table = health.part("redirects")
    place = f"{health.url}: crossdock-bridge/redirects.php"
    if table.get("present") and not table.get("valid"):
        told = "can't be used, so nothing is redirected"
        yield Finding("redirects.broken", Level.FAIL, place, told, "write the table again")
    if table.get("broken"):
        told = f"{table['broken']} patterns are no regular expressions"
        yield Finding("redirects.pattern", Level.WARN, place, told, "write the table again")
    if expected.redirects and table.get("file") != expected.redirects:
        yield Finding("bridge.altered", Level.FAIL, place, "is not what Crossdock wrote", expected.mend)


# -- a visitor's own requests ----------------------------------------------------------------------------------------


def visit(plain: Web, signed: Web, health: Health, expected: Expected, login: str) -> list[Finding]:
    """Each promise of the bridge by the request of a visitor: `plain` signs nothing. `login`: the Authorization header
    of the staging's login."""
    try:
        found = [*_visit_health(plain, health.url)]
        if expected.guarded:
            found += [*_visit_login(plain, health.url, expected, login), *_visit_robots(signed, health.url)]
        return [*found, *_visit_redirects(signed if expected.guarded else plain, health)]
    except CrossdockError as error:
        return [Finding("bridge.unreachable", Level.FAIL, health.url, error.what, error.way_out)]


def _visit_health(plain: Web, url: str) -> Iterator[Finding]:
    status, _, _ = plain.get(f"{url}/?crossdock-health={secrets.token_hex(16)}")
    if status != 404:
        told = f"an unsigned request for health is answered with {status}, not 404"
        yield Finding("bridge.open", Level.FAIL, url, told)


def _visit_login(plain: Web, url: str, expected: Expected, login: str) -> Iterator[Finding]:
    page = f"{url}/?crossdock-proof={secrets.token_hex(8)}"
    status, _, headers = plain.get(page)
    if status != 401:
        yield Finding("guard.login", Level.FAIL, url, f"a stranger is answered with {status}, not 401", expected.mend)
    if "noindex" not in headers.get("x-robots-tag", ""):
        yield Finding("guard.indexing", Level.FAIL, url, "the header X-Robots-Tag does not say noindex", expected.mend)
    status, _, _ = plain.get(page, {"Authorization": login})
    if status in (401, 403, 503):
        told = f"the staging's own login is answered with {status}"
        way_out = "see that the web server hands the Authorization header to PHP"
        yield Finding("guard.login", Level.FAIL, url, told, way_out)
    if plain.get(page)[0] != 401:
        told = "a cache shows a stranger the page that somebody with the login has seen"
        yield Finding("guard.cached", Level.FAIL, url, told, "have the host keep its page cache off for staging")
    elif plain.get(f"{url}/")[0] != 401:
        told = "a page that was cached before the guard came is still shown to strangers"
        yield Finding("guard.cached", Level.WARN, url, told, "empty the host's page cache")


def _visit_robots(signed: Web, url: str) -> Iterator[Finding]:
    status, body, _ = signed.get(f"{url}/robots.txt")
    if status == 200 and "Disallow: /" not in body.splitlines():
        told = (
            "robots.txt is a file of its own and lets search engines in; the header X-Robots-Tag still keeps them out"
        )
        yield Finding("guard.robots", Level.WARN, url, told, "remove that file from staging")


def _visit_redirects(web: Web, health: Health) -> Iterator[Finding]:
    for uri, status, target in health.part("redirects").get("sample", ()):
        answered, _, headers = web.get(health.url + uri)
        if answered != status or (status != 410 and headers.get("location") != target):
            told = f"answers {answered} {headers.get('location', '')}, and the table says {status} {target}"
            yield Finding("redirects.silent", Level.FAIL, health.url + uri, told)
