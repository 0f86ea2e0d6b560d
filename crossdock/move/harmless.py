"""Staging proved harmless: mails, webhooks, gateway calls and scheduled work are provoked, and none may leave."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from crossdock.core.errors import CrossdockError
from crossdock.core.evidence import Finding, Level
from crossdock.core.ports import Shell, Web
from crossdock.core.signing import BridgeKey
from crossdock.move.health import Expected, Health, ask_health, findings

_MARK = b"\nCROSSDOCK"
# Names below .invalid are nobody's (RFC 2606): were the guard to fail, nothing would reach a stranger.
CALL_URL = "https://pay.crossdock-probe.invalid/v1/charges"
HOOK_URL = "https://hooks.crossdock-probe.invalid/orders"
_TELLS = {
    "mail": "a mail to a customer left",
    "order-mail": "an order's mail left",
    "webhook": "a webhook was delivered, or would be",
    "gateway": "a payment gateway that could take money is offered",
    "gateway-call": "a request to a payment gateway left",
    "action": "a scheduled action ran",
    "cron": "a due cron event ran",
}


@dataclass(frozen=True)
class Provocation:
    """One thing that was provoked in one store. `tried` is false where this WordPress has nothing of the kind."""

    store: str
    kind: str
    tried: bool
    left: bool
    told: str


@dataclass(frozen=True)
class Site:
    """One store of the staging: where its code lies, and its address (scheme://host)."""

    store: str
    url: str
    root: str


@dataclass
class Harmless:
    """What came of all provocations. `proved` when each store was provoked, nothing left and no finding is red."""

    provocations: list[Provocation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def leaks(self) -> int:
        return sum(one.left for one in self.provocations)

    @property
    def proved(self) -> bool:
        return bool(self.provocations) and not any(one.level in (Level.FAIL, Level.BLOCK) for one in self.findings)

    def figures(self) -> dict[str, int]:
        """The counts that demo.json and the receipt hold."""
        tried = [one for one in self.provocations if one.tried]
        return {"staging_provocations": len(tried), "staging_leaks": self.leaks}


def check(shell: Shell, web: Web, key: BridgeKey, sites: Sequence[Site], expected: Expected) -> Harmless:
    """Asks each store's bridge first, its active code included, and provokes only behind a guard that is on: a provoked
    order of an unguarded shop would write to its owner. Never raises for what a site answers."""
    made = Harmless()
    for site in sites:
        health = ask_health(web, key, site.url, query="scan")
        found = findings(health, expected)
        made.findings += found
        if not _is_guarded(health):
            told = "nothing was provoked here, because the guard is not on"
            made.findings.append(Finding("harmless.unproved", Level.FAIL, site.url, told, expected.mend))
            continue
        try:
            provoked = provoke(shell, web, site)
        except CrossdockError as error:
            made.findings.append(Finding("harmless.unproved", Level.FAIL, site.url, error.what, error.way_out))
            continue
        made.provocations += provoked
        made.findings += leaks(site, provoked)
    return made


def _is_guarded(health: Health) -> bool:
    guard = health.part("guard")
    return not health.problem and all(guard.get(one) is True for one in ("on", "mail", "http", "webhooks", "cron"))


def leaks(site: Site, provoked: Sequence[Provocation]) -> list[Finding]:
    """A finding for each provocation that left."""
    return [
        Finding(f"leak.{one.kind}", Level.FAIL, f"{site.url}: {one.kind}", f"{_TELLS[one.kind]} ({one.told})")
        for one in provoked
        if one.left
    ]


def provoke(
    shell: Shell, web: Web, site: Site, *, call_url: str = CALL_URL, hook_url: str = HOOK_URL
) -> list[Provocation]:
    """Provokes one store, guarded or not, and tells what became of each. Rows are rolled back, and a due cron event is
    taken away again. Errors: CrossdockError when its WordPress can't be run, AccessError."""
    ask = {"nonce": secrets.token_hex(8), "call_url": call_url, "hook_url": hook_url}
    told = _run(shell, site, {**ask, "mode": "provoke"})
    made = [
        Provocation(site.store, str(one["kind"]), bool(one["tried"]), bool(one["left"]), str(one["told"]))
        for one in told["provoked"]
    ]
    return [*made, _cron(shell, web, site, ask)]


def _cron(shell: Shell, web: Web, site: Site, ask: dict[str, str]) -> Provocation:
    """A due event, both ways that would run it (wp-cron.php, then a visitor), and whether it is still due."""
    begun = _run(shell, site, {**ask, "mode": "begin"})
    try:
        # In this order: a visitor takes the lock that wp-cron.php then waits for.
        web.get(site.url + "/wp-cron.php?crossdock-probe=" + ask["nonce"])
        web.get(site.url + "/?crossdock-probe=" + ask["nonce"])
    finally:
        ended = _run(shell, site, {**ask, "mode": "end", "existed": begun["existed"]})
    still = "still due" if ended["due"] else "ran"
    return Provocation(site.store, "cron", bool(begun["due"]), bool(begun["due"]) and not ended["due"], still)


def _run(shell: Shell, site: Site, ask: dict[str, Any]) -> dict[str, Any]:
    parts = urlsplit(site.url)
    request = {**ask, "root": site.root, "host": parts.netloc, "scheme": parts.scheme}
    script = resources.files("crossdock.move").joinpath("provoke.php").read_bytes()
    argument = base64.b64encode(json.dumps(request).encode()).decode()
    done = shell.run(["php", "--", argument], input=script, timeout_seconds=300, check=False)
    _, mark, answer = done.stdout.rpartition(_MARK)
    if not mark:
        said = (done.stderr or done.stdout)[-300:].decode("utf-8", "replace").strip()
        raise CrossdockError(f"WordPress could not be run on {shell.name}: {said or 'no answer'}", where=site.url)
    found: dict[str, Any] = json.loads(answer)
    if "error" in found:
        raise CrossdockError(f"WordPress could not be run on {shell.name}: {found['error']}", where=site.url)
    return found
