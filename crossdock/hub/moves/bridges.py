"""The bridge of one environment: put there, asked, proved, and taken away again, each with its receipt."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from crossdock.core.config import Config
from crossdock.core.errors import BlockedError, TargetError
from crossdock.core.evidence import Finding, Level, digest_of
from crossdock.core.ports import Files, Journal, Progress, RemoteFile, Web
from crossdock.edges.http import SiteWeb
from crossdock.edges.remote_files import RemoteFiles
from crossdock.hub.moves import bridge_secrets
from crossdock.hub.moves.redirects import Redirects, map_path
from crossdock.move import bridge, harmless, health
from crossdock.move.bridge import BridgeSettings, Places
from crossdock.move.gate import refuse_unproved
from crossdock.move.harmless import Harmless, Site
from crossdock.move.health import Expected, Health
from crossdock.move.sessions import over
from crossdock.move.survey import Target, text
from crossdock.wordpress.ddl import quoted


@dataclass
class Outcome:
    """What was done and found. `changed`: absolute paths that were written or removed; `answers` by domain."""

    changed: list[str] = field(default_factory=list)
    answers: dict[str, Health] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    login: str = ""

    @property
    def green(self) -> bool:
        return not any(one.level in (Level.FAIL, Level.BLOCK) for one in self.findings)

    def as_json(self) -> dict[str, Any]:
        """For programs: no secret, only the place of one."""
        return {
            "green": self.green,
            "changed": self.changed,
            "login": self.login,
            "domains": {url: one.facts or {"problem": one.problem} for url, one in self.answers.items()},
            "findings": [one.as_json() for one in self.findings],
        }


class Bridge:
    """One environment's bridge over an open target."""

    def __init__(self, config: Config, target: Target, journal: Journal) -> None:
        self.config, self.target, self.journal = config, target, journal
        self.environment = target.environment
        self.place = config.environments[self.environment]
        self.files: Files = RemoteFiles(target.shell)
        self.plain: Web = SiteWeb(self.place.http)
        self.key = bridge_secrets.key(config, self.environment)

    # -- steps ---------------------------------------------------------------------------------------------------

    def install(self, redirects: bytes | None = None) -> Outcome:
        """Writes what differs and proves that it works. `redirects`: a redirects.php; None leaves the one that is
        there. Stopped half way, the same call goes on. Errors: BlockedError without proven backups."""
        refuse_unproved(self.config, self.journal, f"bridge {self.environment}")
        places, found = self._places()
        wanted = bridge.writes(places, self._settings(), redirects)
        there = self.files.read(list(wanted))
        changes = {path: one for path, one in wanted.items() if not _same(there.get(path), one)}
        began = places.mu_plugins not in found
        if changes:
            self.journal.receipt("bridge.begin", self.environment, {"mu_plugins_made": began, "files": len(changes)})
            self.files.write(changes)
        stale = self._stale(places)
        self.files.remove(stale)
        made = Outcome(changed=[*changes, *stale])
        if self.target.installation.multisite:
            self._write_sunrise(made, places, bridge.plan_sunrise(places, found))
        expected = self._expected(places, redirects)
        self._prove(made, expected, fresh=bool(changes))
        if self.environment == "staging":
            made.login = bridge_secrets.login_place(self.config, self.environment)
        self._keep("bridge.install", made, {"redirects": expected.redirects, **self._written(wanted, places)})
        return made

    def status(self) -> Outcome:
        """Asks every domain, reads the active code, and compares the files with what we carry; changes nothing."""
        places, _ = self._places()
        made = Outcome()
        expected = self._expected(places, None)
        if not self._receipts("bridge.install"):
            told = "no bridge was installed from this project"
            made.findings.append(Finding("bridge.missing", Level.FAIL, self.environment, told, expected.mend))
            return made
        rendered = bridge.digest(bridge.render_config(self._settings(), bridge.files_for(self.environment)))
        if expected.config and expected.config != rendered:
            told = "crossdock.toml or our own version asks for other settings than those installed"
            made.findings.append(Finding("bridge.outdated", Level.WARN, self.environment, told, expected.mend))
        self._ask(made, expected, scan=True)
        made.findings += self._on_disk(places)
        self._keep("bridge.status", made, {})
        return made

    def prove_harmless(self) -> Harmless:
        """Provokes every store of this staging. Errors: BlockedError for production, or before a copy."""
        where = f"environment {self.environment}"
        if self.environment != "staging":
            raise BlockedError("only staging is provoked", where=where, way_out="crossdock bridge prove staging")
        places, _ = self._places()
        mapped = self._mapped()
        sites = [Site(store, url, self.target.installation.root) for url, store in mapped.items() if store]
        if not sites:
            raise BlockedError("no store answers there yet", where=where, way_out="crossdock move copy --to staging")
        made = harmless.check(self.target.shell, self.target.web, self.key, sites, self._expected(places, None))
        for one in made.findings:
            self.journal.finding(one, step=f"bridge.prove {self.environment}")
        data: dict[str, Any] = {**made.figures(), "stores": len(sites), "proved": made.proved}
        data["provocations"] = [f"{one.store} {one.kind}: {one.told}" for one in made.provocations]
        self.journal.receipt("bridge.prove", self.environment, data)
        return made

    def remove(self) -> Outcome:
        """Takes everything of ours away and proves that it is gone: files, sunrise.php, the lines of wp-config.php."""
        places, found = self._places()
        for url in list(self._mapped())[:1]:
            health.ask_health(self.plain, self.key, url, query="forget")
        made = Outcome()
        config = found.get(places.wp_config)
        if config is not None and (restored := bridge.without_sunrise(config.content)) != config.content:
            self.files.write({places.wp_config: replace(config, content=restored, like=places.wp_config)})
            made.changed.append(places.wp_config)
        gone = bridge.removals(places, self.files.digests(places.folder), found)
        there = self.files.read(gone)
        if any(one.data.get("mu_plugins_made") for one in self._receipts("bridge.begin")):
            gone.append(places.mu_plugins)
        self.files.remove(gone)
        made.changed += [path for path in gone if path in there]
        made.findings += self._traces(places)
        self._keep("bridge.remove", made, {"files": len(made.changed)})
        return made

    def _write_sunrise(self, made: Outcome, places: Places, plan: bridge.SunrisePlan) -> None:
        """What is for a person becomes a finding: the bridge works without it, but for the stores' other names."""
        steps = plan.steps
        try:
            self.files.write(plan.writes)
            made.changed += plan.writes
        except TargetError as error:
            steps = (f"{error}", *bridge.steps(places))
        told = "other host names of the stores need lines that we can't write"
        made.findings += [Finding("bridge.step", Level.WARN, places.wp_config, told, line) for line in steps]

    # -- what is there -------------------------------------------------------------------------------------------

    def _places(self) -> tuple[Places, dict[str, RemoteFile]]:
        """Where things are, and what is at those places now."""
        here = self.target.installation
        content = here.content_dir.rstrip("/")
        inside, above = f"{here.root}/wp-config.php", f"{here.root.rpartition('/')[0]}/wp-config.php"
        there = self.files.read([inside, above, f"{content}/sunrise.php", f"{content}/mu-plugins"])
        places = Places(content, inside if inside in there or above not in there else above)
        return places, there

    def _settings(self) -> BridgeSettings:
        rules, staging = self.place.bridge, self.environment == "staging"
        nothing = BridgeSettings(self.environment, self.key)
        hosts = tuple(sorted(store.domains["staging"] for store in self.config.stores))
        if not staging:
            return replace(nothing, staging_hosts=hosts)
        return replace(
            nothing,
            login_user=rules.login_user,
            login_hash=bridge_secrets.login_hash(self.config, self.environment, self.target.shell),
            mail_sink=rules.mail_sink or "",
            mail_allow=rules.mail_allow,
            allowed_hosts=rules.allowed_hosts,
            staging_hosts=hosts,
        )

    def _mapped(self) -> dict[str, str]:
        """Every address (scheme://host) of the network that a blog answers to -> its store's name, '' for the host's
        own."""
        stores = {store.domains[self.environment]: store.name for store in self.config.stores}
        return {f"{self.target.scheme}://{domain}": stores.get(domain, "") for domain in self._blogs()}

    def _blogs(self) -> dict[str, int]:
        table = quoted(self.target.installation.table_prefix + "blogs")
        sql = f"SELECT domain, blog_id FROM {table} WHERE path = '/' AND deleted = 0 ORDER BY blog_id"
        rows = over(self.target.database.open_target, lambda session: session.query(sql))
        return {text(row[0]): int(row[1] or 0) for row in rows}

    def _expected(self, places: Places, redirects: bytes | None) -> Expected:
        last = self._receipts("bridge.install")
        data: Mapping[str, Any] = last[-1].data if last else {}
        table = bridge.digest(redirects) if redirects is not None else str(data.get("redirects", ""))
        sunrise = bridge.digest(bridge.sunrise()) if self.target.installation.multisite else ""
        config = str(data.get("config", ""))
        return Expected(
            self.environment, bridge.version(), config, table, sunrise, self._blogs(), self.place.bridge.trusted
        )

    def _stale(self, places: Places) -> list[str]:
        """Classes of an earlier version that this one has no longer."""
        wanted = bridge.files_for(self.environment)
        there = self.files.digests(places.folder)
        ours = [name for name in there if name.startswith("class-crossdock-bridge") and name.endswith(".php")]
        return [f"{places.folder}/{name}" for name in ours if f"{bridge.FOLDER}/{name}" not in wanted]

    def _on_disk(self, places: Places) -> Iterator[Finding]:
        """The files as SSH sees them: a bridge that was altered could tell anything of itself."""
        wanted = bridge.files_for(self.environment)
        there = self.files.read([f"{places.mu_plugins}/{name}" for name in wanted])
        mend = health.MEND.format(environment=self.environment)
        for name, content in wanted.items():
            path = f"{places.mu_plugins}/{name}"
            if path not in there:
                yield Finding("bridge.missing", Level.FAIL, path, "is not on the server", mend)
            elif there[path].content != content:
                yield Finding("bridge.altered", Level.FAIL, path, "is not the file that we carry", mend)

    def _traces(self, places: Places) -> Iterator[Finding]:
        """What is left of us, by a new look at the server."""
        left = [f"{places.folder}/{name}" for name in self.files.digests(places.folder)]
        there = self.files.read([places.wp_config, places.sunrise, f"{places.mu_plugins}/{bridge.LOADER}"])
        for path, one in there.items():
            edited = path == places.wp_config and bridge.without_sunrise(one.content) != one.content
            if edited or path.endswith(bridge.LOADER) or bridge.SUNRISE_MARK in one.content:
                left.append(path)
        for path in left:
            yield Finding("bridge.left", Level.FAIL, path, "is still there", "remove it by hand")

    # -- proofs --------------------------------------------------------------------------------------------------

    def _ask(self, made: Outcome, expected: Expected, *, scan: bool = False) -> None:
        for url in self._mapped():
            answer = health.ask_health(self.plain, self.key, url, query="scan" if scan else "")
            made.answers[url] = answer
            made.findings += health.findings(answer, expected)

    def _prove(self, made: Outcome, expected: Expected, *, fresh: bool) -> None:
        """Health by every domain, and each promise by a visitor's own request."""
        if fresh:
            # Hosts that keep compiled code for long run the former files once more: this request has them read anew.
            self._ask(Outcome(), expected)
        # What we have just written is compared on the server itself, so no earlier receipt decides here.
        self._ask(made, replace(expected, config=""))
        for answer in made.answers.values():
            if not answer.problem:
                made.findings += health.visit(self.plain, self.target.web, answer, expected, self._login())
        for store in self.config.stores:
            domain = store.domains[self.environment]
            if domain not in expected.blogs:
                told = "no blog answers to this domain yet"
                way_out = f"crossdock move copy --to {self.environment}, then install again"
                made.findings.append(Finding("bridge.unmapped", Level.INFO, domain, told, way_out))

    def _login(self) -> str:
        """The Authorization header of the staging login."""
        if self.environment != "staging":
            return ""
        password = bridge_secrets.login_password(self.config, self.environment)
        return "Basic " + base64.b64encode(f"{self.place.bridge.login_user}:{password}".encode()).decode()

    # -- evidence ------------------------------------------------------------------------------------------------

    def _receipts(self, step: str) -> list[Any]:
        """The receipts of a step since the bridge was last removed."""
        kept: list[Any] = []
        for one in self.journal.receipts(subject=self.environment):
            if one.step == "bridge.remove":
                kept = []
            elif one.step == step:
                kept.append(one)
        return kept

    def _written(self, wanted: Mapping[str, RemoteFile], places: Places) -> dict[str, Any]:
        return {
            "version": bridge.version(),
            "config": bridge.digest(wanted[f"{places.mu_plugins}/{bridge.CONFIG}"].content),
            "files": digest_of({path: bridge.digest(one.content) for path, one in wanted.items()}),
        }

    def _keep(self, step: str, made: Outcome, data: dict[str, Any]) -> None:
        for one in made.findings:
            self.journal.finding(one, step=f"{step} {self.environment}")
        told = {"green": made.green, "changed": len(made.changed), "domains": len(made.answers), **data}
        told["findings"] = digest_of([one.as_json() for one in made.findings])
        self.journal.receipt(step, self.environment, told)


def own_redirects(config: Config, environment: str, journal: Journal, progress: Progress) -> bytes | None:
    """redirects.php of the project's own map, emitted anew; None where no map was harvested yet."""
    if not map_path(config, environment).exists():
        return None
    return Redirects(config, environment, journal, progress).emit("bridge", config.state)[0].read_bytes()


def _same(there: RemoteFile | None, wanted: RemoteFile) -> bool:
    return there is not None and there.content == wanted.content
