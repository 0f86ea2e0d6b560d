"""The steps of a move, each leaving its receipt, and the run that goes on from the last finished one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from crossdock.core.config import Config
from crossdock.core.errors import BlockedError, ConfigError, StaleError
from crossdock.core.evidence import Finding, Level, digest_of
from crossdock.core.inventory import Item
from crossdock.core.ports import Journal, JudgeFactory, Progress
from crossdock.edges.judge import JudgeAt
from crossdock.edges.processes import worker_pool
from crossdock.edges.whole_file import write_whole
from crossdock.hub.moves import screenshots
from crossdock.hub.moves.access import Access, shell
from crossdock.hub.moves.assessment_page import write_page
from crossdock.hub.moves.files import attachments, files_order
from crossdock.hub.moves.redirects import Redirects
from crossdock.hub.moves.screenshots import Album
from crossdock.hub.moves.surroundings import Surroundings, look_around_project
from crossdock.hub.moves.wordpress_items import wordpress_found
from crossdock.move import assess, network, plan
from crossdock.move.copy import copy
from crossdock.move.destinations import Destinations, Placed, appeared, code_of, destinations, settled
from crossdock.move.destinations import placed as placed_of
from crossdock.move.files import FilesResult, carry, prove
from crossdock.move.gate import refuse_unproved
from crossdock.move.items import items
from crossdock.move.ledger import DISCARDED
from crossdock.move.order import Order
from crossdock.move.plan import Plan
from crossdock.move.sessions import over
from crossdock.move.site import SiteOrder, SiteVerdict, check_site
from crossdock.move.survey import SourceFacts, TargetFacts
from crossdock.move.validate import Result, placed_people, validate
from crossdock.move.wordpress_items import bare_items, known_to_rules
from crossdock.wordpress.people import Placement

ENVIRONMENTS = ("staging", "production")


@dataclass(frozen=True)
class Assessment:
    """Fresh facts of both sides and what they mean."""

    sources: list[SourceFacts]
    targets: list[TargetFacts]
    findings: list[Finding]
    destinations: Destinations
    around: Surroundings = field(default_factory=Surroundings)

    def as_json(self) -> dict[str, Any]:
        """The facts and findings for programs; people only as counts."""
        facts = assess.facts_json(self.sources, self.targets)
        for one in self.sources:
            facts["sources"][one.server]["users"] = len(one.users)
            facts["sources"][one.server]["tables"] = {
                table.name: {"engine": table.engine, "rows": table.rows_estimate, "bytes": table.bytes_estimate}
                for table in one.schema.tables
            }
        facts["conflicts"] = assess.conflicts(self.sources)
        facts["findings"] = [one.as_json() for one in self.findings]
        facts |= self.around.as_json()
        facts["items"] = [{**item.as_json(), "destination": asdict(there)} for item, there in self.destinations.items]
        return facts


@dataclass(frozen=True)
class Planned:
    """A plan, what blocks it, and a preview of the people who are merged or renamed."""

    plan: Plan
    findings: list[Finding]
    people: dict[str, list[Placement]]


class Move:
    """One project's move over open access. Every step re-reads the facts it stands on."""

    def __init__(self, config: Config, access: Access, journal: Journal, progress: Progress) -> None:
        self.config, self.access, self.journal, self.progress = config, access, journal, progress

    # -- steps ---------------------------------------------------------------------------------------------------

    def assess(self, *, anew: bool = True) -> Assessment:
        """Surveys both sides; keeps the findings, assessment.json and assessment.html. Unless `anew`, an earlier look
        around the servers will do; their databases are always asked."""
        sources, targets = self.access.survey()
        around = look_around_project(self.config, self.access.sources, sources, anew=anew)
        there = wordpress_found(self.config, self.access.sources, sources)
        placed = self._destinations(items(around.items, there.items), sources, targets)
        found = assess.findings(self.config, sources, targets, placed.used)
        found = assess.in_order([*found, *around.findings, *there.findings, *placed.findings])
        made = Assessment(sources, targets, found, placed, around)
        for one in found:
            self.journal.finding(one, step="assess")
        _write(self.config.state / "assessment.json", made.as_json())
        write_page(self.config.state / "assessment.html", self.config.project.name, made.as_json())
        levels = {str(level): sum(one.level is level for one in found) for level in Level}
        kinds = Counter(item.kind for item, _ in placed.items)
        data = {
            "facts": assess.facts_digest(sources, targets),
            "findings": levels,
            **around.figures(),
            "items": dict(sorted(kinds.items())),
        }
        self.journal.receipt("assess", self.config.project.name, data)
        return made

    def plan(self, made: Assessment | None = None) -> Planned:
        """Makes and keeps the plan. A plan that blocks is kept too, for reading; nothing will apply it.

        Errors: StaleError when a copy of another plan is in a target.
        """
        made = made or self.assess(anew=False)
        placed, new = self._placed(made)
        drawn = plan.make(self.config, made.sources, made.targets, placed)
        people = plan.preview_people(drawn, made.sources, made.targets[0])
        found = [*made.findings, *assess.people_findings(people), *new]
        self._refuse_foreign_copy(drawn, made)
        _write(self.config.state / "plan.json", plan.as_data(drawn))
        _write(self.config.state / "facts.json", assess.facts_json(made.sources, made.targets))
        if not self._receipt("plan", self.config.project.name, drawn.digest):
            self.journal.receipt("plan", self.config.project.name, plan.describe(drawn))
        return Planned(drawn, found, people)

    def copy(self, environment: str) -> dict[str, Any]:
        """Copies to one environment, or goes on with it. Production only after a green validation of staging."""
        order = self._order(environment)
        refuse_unproved(self.config, self.journal, f"copy {environment}")
        if environment == "production":
            self._gate(order.plan)
        sums = copy(order, self.journal, self.progress)
        self.journal.receipt("copy", environment, {"plan": order.plan.digest, **sums})
        return sums

    def files(self, environment: str, *, full: bool = False) -> FilesResult:
        """Carries files to one environment, or what has changed since, and compares every file of both sides.

        Production only after a green validation of staging. `full` trusts no hash of an earlier run.
        """
        order = self._order(environment)
        refuse_unproved(self.config, self.journal, f"files {environment}")
        if environment == "production":
            self._gate(order.plan)
        with files_order(self.config, order) as files:
            return carry(files, self.journal, self.progress, full=full)

    def validate(self, environment: str, *, full: bool = False) -> Result:
        """Validates one environment, its files too if they were carried; a red result is kept and returned like a green
        one. All files of the target are read; those of the sources where they have changed, or all with `full`."""
        order = self._order(environment)
        site = self._site(environment, order.plan)
        result = validate(order, self.journal, self.progress, self._judge(environment), site)
        if self._receipt("files", environment, order.plan.digest):
            named = attachments(order)
            with files_order(self.config, order) as files:
                result.add_files(prove(files, self.journal, self.progress, named, full=full))
        else:
            self._tell_no_files(environment, result)
        redirects = Redirects(self.config, environment, self.journal, self.progress)
        if redirects.path.exists():
            replayed, told = redirects.replay()
            result.urls = replayed.figures()
            result.findings += told
        data = {"plan": order.plan.digest, "green": result.green, **result.figures()}
        data["findings"] = digest_of([one.as_json() for one in result.findings])
        data["places"] = order.places()
        self.journal.receipt("validate", environment, data)
        return result

    def _tell_no_files(self, environment: str, result: Result) -> None:
        text = "no files have been carried for this plan: this proof is of the rows alone"
        way_out = f"crossdock move files --to {environment}"
        one = Finding("file.not-carried", Level.WARN, f"environment {environment}", text, way_out)
        self.journal.finding(one, step=f"validate {environment}")
        result.findings.append(one)

    def check(self, environment: str) -> SiteVerdict:
        """The checks of the site alone: quick, so that what was mended can be looked at again. No gate reads it.

        Errors: BlockedError when there is no whole copy of the plan.
        """
        order = self._order(environment)
        placed_people(order)
        verdict = check_site(order, self._site(environment, order.plan))
        for one in verdict.findings:
            self.journal.finding(one, step=f"check {environment}")
        self.journal.receipt("check.site", environment, {"plan": order.plan.digest, **verdict.as_data()})
        return verdict

    def screenshots(self, environment: str, *, most_pages: int = 0) -> Album:
        """Pictures of each store's key pages, source beside target. Errors: as of screenshots.take."""
        return screenshots.take(self.config, self._order(environment), self.journal, self.progress, most_pages)

    def discard(self, environment: str) -> int:
        """Takes our copy out of an environment. Returns the tables dropped."""
        target = self.access.target(environment)
        prefix = target.installation.table_prefix
        # Before the first table goes: a copy that is half taken back counts as none.
        self.journal.receipt("discard", environment, {"begun": True})
        dropped = over(target.database.open_target, lambda session: network.discard(environment, prefix, session))
        self.journal.receipt("discard", environment, {"tables": dropped})
        return dropped

    def run(self, until: str, tell: Callable[[str], None]) -> Result | None:
        """All steps in order, from the first that has no receipt for this plan; returns the last validation.

        A red validation ends the run there. `until` is a step's name, such as `validate staging`.
        """
        made = self.assess(anew=False)
        planned = self.plan(made)
        plan.refuse_blocked(planned.findings)
        digest = planned.plan.digest
        tell(f"plan {digest[:12]}: {len(planned.plan.tables)} tables, nothing blocks")
        result: Result | None = None
        for environment in ENVIRONMENTS:
            if self._receipt("copy", environment, digest):
                tell(f"copy {environment}: done before")
            else:
                self.copy(environment)
            if until == f"copy {environment}":
                return result
            self._files_once(environment, digest, tell)
            if until == f"files {environment}":
                return result
            if self._green(environment, digest):
                tell(f"validate {environment}: green before")
            else:
                result = self.validate(environment)
                if not result.green:
                    return result
            if until == f"validate {environment}":
                return result
        return result

    def _files_once(self, environment: str, digest: str, tell: Callable[[str], None]) -> None:
        found = self._receipt("files", environment, digest)
        if found and found["green"]:
            tell(f"files {environment}: carried before")
        else:
            self.files(environment)

    # -- gates ---------------------------------------------------------------------------------------------------

    def _receipt(self, step: str, subject: str, digest: str) -> Mapping[str, Any] | None:
        """The newest receipt of a step for this plan, unless the copy was discarded since."""
        found: Mapping[str, Any] | None = None
        for one in self.journal.receipts(subject=subject):
            if one.step == step and one.data.get("plan") == digest:
                found = one.data
            elif one.step == "discard":
                found = None
        return found

    def _green(self, environment: str, digest: str) -> bool:
        found = self._receipt("validate", environment, digest)
        return bool(found and found["green"])

    def _gate(self, drawn: Plan) -> None:
        if not self._green("staging", drawn.digest):
            raise BlockedError(
                "staging is not validated green for this plan",
                where="environment production",
                way_out="crossdock move copy --to staging, then crossdock move validate --in staging",
            )

    def _refuse_foreign_copy(self, drawn: Plan, made: Assessment) -> None:
        for one in made.targets:
            if one.claimed_by and one.claimed_by != drawn.digest:
                changed = self._changed(drawn, made.sources, made.targets)
                raise StaleError(
                    "a copy is half taken back in it"
                    if one.claimed_by == DISCARDED
                    else f"the copy of another plan is in it; changed: {changed}",
                    where=f"environment {one.environment}",
                    way_out=f"crossdock move discard --from {one.environment}, then plan again",
                )

    def _changed(self, now: Plan, sources: Sequence[SourceFacts], targets: Sequence[TargetFacts]) -> str:
        """Where the facts differ from those that the kept plan rests on."""
        try:
            before: dict[str, Any] = json.loads((self.config.state / "facts.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return "unknown (facts.json can't be read)"
        places = assess.changed_places(before, assess.facts_json(sources, targets))
        return ", ".join(places[:8]) or self._changed_settings(now)

    def _changed_settings(self, now: Plan) -> str:
        """Where the kept plan differs from what crossdock.toml now makes of the same facts."""
        try:
            kept = json.loads((self.config.state / "plan.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return "unknown (plan.json can't be read)"
        before, after = _by_key(kept), _by_key(plan.as_data(now))
        places = [place for place in assess.changed_places(before, after) if place != "digest"]
        return f"crossdock.toml ({', '.join(places[:8])})"

    def _order(self, environment: str) -> Order:
        """The kept plan with fresh facts. Errors: BlockedError without a plan or with open questions; StaleError when
        a fact that the plan rests on has changed."""
        path = self.config.state / "plan.json"
        if environment not in self.config.environments:
            raise ConfigError(f"no environment {environment}", where=str(self.config.path))
        if not path.exists():
            raise BlockedError("there is no plan yet", where=str(path), way_out="crossdock move plan")
        drawn = plan.from_json(path.read_text(encoding="utf-8"))
        sources, targets = self.access.survey()
        there = self._destinations(self._kept_items(sources), sources, targets)
        plan.refuse_blocked([*assess.findings(self.config, sources, targets, there.used), *there.findings])
        now = plan.make(self.config, sources, targets, settled(drawn.destinations, placed_of(there)))
        if drawn.digest != now.digest:
            raise StaleError(
                f"what the plan rests on has changed: {self._changed(now, sources, targets)}",
                where=f"plan {drawn.digest[:12]}",
                way_out="look at what changed, then plan again: crossdock move plan",
            )
        return Order(
            plan=drawn,
            environment=environment,
            sources=self.access.sources,
            facts=sources,
            target=self.access.target(environment),
            target_facts=next(one for one in targets if one.environment == environment),
            pool=worker_pool,
            workers=self.config.policies.limits.workers,
            chunk_rows=self.config.policies.limits.chunk_rows,
        )

    # -- where everything goes -----------------------------------------------------------------------------------

    def _destinations(
        self, items: Sequence[Item], sources: Sequence[SourceFacts], targets: Sequence[TargetFacts]
    ) -> Destinations:
        return destinations(self.config, items, known_to_rules(self.config, sources, targets))

    def _placed(self, made: Assessment) -> tuple[Sequence[Placed], list[Finding]]:
        """What the plan holds of the destinations. Once a copy by the kept plan is begun, its own items stay the
        plan's, and what has appeared since is told beside it."""
        fresh = placed_of(made.destinations)
        try:
            kept = plan.from_json((self.config.state / "plan.json").read_text(encoding="utf-8"))
        except (OSError, StaleError):
            return fresh, []
        if all(one.claimed_by != kept.digest for one in made.targets):
            return fresh, []
        return settled(kept.destinations, fresh), appeared(kept.destinations, made.destinations)

    def _kept_items(self, sources: Sequence[SourceFacts]) -> list[Item]:
        """The items of the last assessment, and code that was added since. Errors: StaleError."""
        path = self.config.state / "assessment.json"
        try:
            told = json.loads(path.read_text(encoding="utf-8"))["items"]
            kept = [Item(one["kind"], one["server"], one["name"], one["text"], one["data"]) for one in told]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StaleError(
                f"the items of the last assessment can't be read ({type(error).__name__})",
                where=str(path),
                way_out="crossdock move plan",
            ) from None
        keys = {one.key for one in kept}
        return kept + [one for facts in sources for one in bare_items(facts) if one.key not in keys]

    def _site(self, environment: str, drawn: Plan) -> SiteOrder:
        approved = (*self.config.files.plugins, *code_of(drawn.destinations, "plugin", "kept"))
        return SiteOrder(
            neighbours=tuple(one for one in self.access.targets if one.environment != environment),
            approved_plugins=(*approved, *code_of(drawn.destinations, "plugin", "replaced")) if approved else (),
            approved_themes=self.config.files.themes,
        )

    def _judge(self, environment: str) -> JudgeFactory:
        return JudgeAt.local_or_over(shell(environment, self.config.environments[environment]))


def placements_json(people: Mapping[str, Sequence[Placement]]) -> dict[str, list[dict[str, Any]]]:
    """Decisions about people for programs: IDs and reasons; new logins only where one was made."""
    return {server: [asdict(one) for one in some] for server, some in people.items()}


def _write(path: Path, content: Any) -> None:
    write_whole(path, json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def _by_key(data: Mapping[str, Any]) -> dict[str, Any]:
    """A plan's data with its destinations by item, so that a difference names the item."""
    return {**data, "destinations": {one["key"]: [one["choice"], one["by"]] for one in data.get("destinations", ())}}
