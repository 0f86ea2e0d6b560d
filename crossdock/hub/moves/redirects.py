"""The redirect map of an environment: harvested, reviewed, carried out, replayed; each step leaves its receipt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from crossdock.core.config import Config
from crossdock.core.errors import BlockedError, ConfigError
from crossdock.core.evidence import Finding
from crossdock.core.ports import Journal, Progress
from crossdock.core.redirects import MapRow
from crossdock.edges.crawl import SiteCrawler
from crossdock.edges.whole_file import write_whole
from crossdock.formats.bridge_table import render_bridge
from crossdock.formats.redirect_csv import parse_csv, render_csv
from crossdock.formats.server_rules import render_apache, render_nginx
from crossdock.hub.moves import bridge_secrets
from crossdock.hub.moves.harvest import Harvester
from crossdock.move import plan as plans
from crossdock.move.map_review import Mistake, mistakes, reviewed
from crossdock.move.redirects import asked_rows, counts, decide, with_decisions
from crossdock.move.replay import Replay, Replayed, Seen
from crossdock.wordpress.addresses import AddressMap

FORMATS = ("bridge", "nginx", "apache", "csv")
_MOST_MISTAKES = 200


@dataclass
class Mapped:
    """A map that was made or reviewed."""

    path: Path
    digest: str
    figures: dict[str, int]
    findings: list[Finding] = field(default_factory=list)
    changed: int = 0


class Redirects:
    """One environment's redirects. Only `harvest` reaches the sources, only `replay` the environment."""

    def __init__(self, config: Config, environment: str, journal: Journal, progress: Progress) -> None:
        self.config, self.environment, self.journal, self.progress = config, environment, journal, progress
        path = config.state / "plan.json"
        if not path.exists():
            raise BlockedError("there is no plan yet", where=str(path), way_out="crossdock move plan")
        self.plan = plans.from_json(path.read_text(encoding="utf-8"))
        self.addresses = AddressMap(self.plan.sites(environment))

    @property
    def path(self) -> Path:
        return map_path(self.config, self.environment)

    def harvest(self) -> Mapped:
        """Makes the map anew from everything that the sources know; what people decided before stays."""
        sites = self.plan.sites(self.environment)
        harvester = Harvester(self.config, sites, self.progress)
        harvest = harvester.collect()
        earlier = self.rows() if self.path.exists() else []
        settled = frozenset(row.source for row in earlier if row.origin.startswith("by ") and row.action != "unknown")
        decided = decide(harvest, self.addresses, self.environment, settled)
        for _ in range(3):
            # What the source answers may lead on to addresses that nobody had heard of.
            open_ = [one for one in decided.undecided if one not in harvest.answers]
            if not open_:
                break
            harvester.probe(open_)
            decided = decide(harvest, self.addresses, self.environment, settled)
        rows = with_decisions(decided.rows, earlier)
        return self._kept(rows, [*harvester.found, *decided.findings], "redirects.map", {})

    def rows(self) -> list[MapRow]:
        """The map as it stands. Errors: BlockedError without one; ConfigError when its file was spoilt."""
        if not self.path.exists():
            way_out = f"crossdock move redirects harvest --to {self.environment}"
            raise BlockedError("there is no redirect map yet", where=str(self.path), way_out=way_out)
        lines, wrong = parse_csv(self.path.read_bytes())
        if wrong:
            raise ConfigError(_listed(self.path, [Mistake(one.line, one.what) for one in wrong]))
        return [row for _, row in lines]

    def review(self, file: Path, by: str) -> Mapped:
        """Takes an edited map in place of the one that stands. Errors: ConfigError with every mistake and its line."""
        try:
            body = file.read_bytes()
        except OSError as error:
            raise ConfigError(f"can't be read: {error.strerror}", where=str(file)) from error
        current = self.rows()
        lines, wrong = parse_csv(body)
        found = [Mistake(one.line, one.what) for one in wrong] or mistakes(lines, current, self.addresses)
        if found:
            raise ConfigError(_listed(file, found), way_out="nothing was changed; mend these lines and import it again")
        rows, changed = reviewed(lines, current, by)
        data = {"changed": changed, "file": hashlib.sha256(body).hexdigest()}
        made = self._kept(rows, [], "redirects.import", data)
        made.changed = changed
        return made

    def emit(self, form: str, folder: Path) -> list[Path]:
        """Writes the map in a form that a web server, the bridge or a person reads; returns the files. What nobody has
        decided yet is in none of them but the CSV."""
        rows = self.rows()
        digest = self.digest(rows)
        asked = asked_rows(rows, self.addresses)
        name = f"redirects-{self.environment}"
        texts: dict[str, str] = {}
        if form == "bridge":
            texts[f"{name}.php"] = render_bridge(asked, digest)
        elif form == "nginx":
            texts[f"{name}-http.conf"], texts[f"{name}-server.conf"] = render_nginx(asked, digest)
        elif form == "apache":
            texts[f"{name}.htaccess"] = render_apache(asked, digest)
        else:
            texts[f"{name}.csv"] = render_csv(rows)
        folder.mkdir(parents=True, exist_ok=True)
        files = {file: hashlib.sha256(write_whole(folder / file, text)).hexdigest() for file, text in texts.items()}
        self.journal.receipt("redirects.emit", self.environment, {"map": digest, "format": form, "files": files})
        return [folder / file for file in texts]

    def replay(self) -> tuple[Replayed, list[Finding]]:
        """Asks the environment every address of the map; stopped or killed, the next one goes on."""
        rows = self.rows()
        digest = self.digest(rows)
        pace = self.config.policies.replay
        environment = self.config.environments[self.environment]
        memory = self.config.state / f"replay-{self.environment}.jsonl"
        with _memory(memory, digest) as (known, keep):
            hosts = self.addresses.target_hosts | {row.source for row in rows if row.match == "host"}
            crawler = SiteCrawler(
                environment.http, hosts, pace.requests_per_second, pace.concurrency, pace.timeout_seconds,
                bridge_secrets.key(self.config, self.environment),
            )  # fmt: skip
            result = Replay(rows, self.addresses, self.environment, crawler, self.progress, known, keep).run()
        if "replay.blocked" not in result.failed:
            memory.unlink()  # it came to its end: the next one asks everything anew
        found = result.findings(self.environment)
        for one in found:
            self.journal.finding(one, step=f"redirects.replay {self.environment}")
        failed = {code: len(urls) for code, urls in result.failed.items()}
        data = {"plan": self.plan.digest, "map": digest, **result.figures(), "failed": failed}
        self.journal.receipt("redirects.replay", self.environment, data)
        return result, found

    def digest(self, rows: list[MapRow]) -> str:
        """SHA-256 of a map's text."""
        return hashlib.sha256(render_csv(rows).encode()).hexdigest()

    def _kept(self, rows: list[MapRow], found: list[Finding], step: str, data: dict[str, object]) -> Mapped:
        digest, figures = self.digest(rows), dict(counts(rows))
        write_whole(self.path, render_csv(rows))
        for one in found:
            self.journal.finding(one, step=f"{step} {self.environment}")
        self.journal.receipt(step, self.environment, {"plan": self.plan.digest, "map": digest, **figures, **data})
        return Mapped(self.path, digest, figures, found)


def map_path(config: Config, environment: str) -> Path:
    """Where an environment's map stands."""
    return config.state / f"redirects-{environment}.csv"


def _listed(file: Path, found: list[Mistake]) -> str:
    lines = [f"{file}{f':{one.line}' if one.line else ''}: {one.what}" for one in found[:_MOST_MISTAKES]]
    if len(found) > _MOST_MISTAKES:
        lines.append(f"... and {len(found) - _MOST_MISTAKES} more")
    return "\n".join(lines)


@contextmanager
def _memory(path: Path, digest: str) -> Iterator[tuple[dict[str, Seen], Callable[[Seen], None]]]:
    """What an unfinished replay of the same map has been answered, and how to keep more."""
    known: dict[str, Seen] = {}
    head = json.dumps({"map": digest})
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    if lines[:1] == [head]:
        for line in lines[1:]:
            try:
                one = Seen(**json.loads(line))
            except (ValueError, TypeError):
                continue  # the last line of a process that was killed while it wrote
            known[one.url] = one
    write_whole(path, "\n".join([head, *(_line(one) for one in known.values())]) + "\n")
    with path.open("a", encoding="utf-8", buffering=1) as out:

        def keep(one: Seen) -> None:
            out.write(_line(one) + "\n")

        yield known, keep


def _line(one: Seen) -> str:
    return json.dumps(asdict(one), ensure_ascii=True)
