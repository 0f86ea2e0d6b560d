"""What the evidence says about one environment: receipts and findings, put in a reader's order. Pure.

Only receipts of the plan in force count, and none from before our copy was last taken out of the environment.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crossdock.core.errors import BlockedError, CrossdockError
from crossdock.core.evidence import Finding, Json, Level, Receipt
from crossdock.move.screenshots import Seen

# A report says nothing of reports, and a signature or milestone after it changes nothing that it tells.
NO_EVIDENCE = frozenset({"report", "milestone", "sign"})
OPEN = (Level.BLOCK, Level.FAIL)
_EXAMPLES = 3


@dataclass(frozen=True)
class Told:
    """A finding, with the step that found it and the run it belongs to."""

    step: str
    run: str
    finding: Finding


@dataclass(frozen=True)
class Group:
    """Findings with one code and level; `examples` are its first few."""

    code: str
    level: Level
    findings: tuple[Finding, ...]

    @property
    def examples(self) -> tuple[Finding, ...]:
        return self.findings[:_EXAMPLES]

    @property
    def more(self) -> int:
        return len(self.findings) - len(self.examples)


@dataclass(frozen=True)
class ServerRows:
    """A source server's rows, by its newest proof, or by its copy where there is none. `tables` by source name; `left`
    are the rows of tables that were not carried."""

    server: str
    proved: bool
    tables: Mapping[str, Json]
    left: Mapping[str, int]

    def total(self, name: str) -> int:
        return sum(int(one.get(name, 0)) for one in self.tables.values())

    @property
    def source(self) -> int:
        return self.total("source") + sum(self.left.values())

    @property
    def moved(self) -> int:
        return self.total("moved")

    @property
    def declared(self) -> int:
        return sum(sum(one["declared"].values()) for one in self.tables.values()) + sum(self.left.values())

    @property
    def wrong(self) -> int:
        return self.total("missing") + self.total("extra") + self.total("different")


@dataclass(frozen=True)
class Backup:
    """What is known of a server's backup: the newest receipts, and whether each was good."""

    server: str
    made: Receipt | None
    proof: Receipt | None

    @property
    def proved(self) -> bool:
        return bool(self.proof) and _is_good(self.proof)


@dataclass(frozen=True)
class Report:
    """Everything that is told of one environment; `head` is the digest of the last receipt that was read, `number` its
    number. Receipts are None where there is none under the plan in force."""

    project: str
    environment: str
    plan: str
    head: str
    number: int
    first_at: str
    last_at: str
    stores: tuple[str, ...]
    tables: Mapping[str, int]
    copied: Receipt | None = None
    written: Receipt | None = None
    validated: Receipt | None = None
    rehearsed: Receipt | None = None
    rows: tuple[ServerRows, ...] = ()
    trees: tuple[tuple[str, Json], ...] = ()
    addresses: Receipt | None = None
    map: Receipt | None = None
    checks: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    harmless: Receipt | None = None
    backups: tuple[Backup, ...] = ()
    groups: tuple[Group, ...] = ()
    decisions: tuple[Finding, ...] = ()
    pictures: Receipt | None = None
    seen: tuple[Seen, ...] = ()
    not_real: tuple[str, ...] | None = None

    @property
    def figures(self) -> Json:
        """The counts of the newest validation; empty where there is none."""
        return self.validated.data if self.validated else {}

    @property
    def places(self) -> Json:
        """Versions and addresses of both sides, as the newest validation found them."""
        found: Json = self.figures.get("places", {})
        return found

    @property
    def open(self) -> int:
        """Findings that stop something or are red."""
        return sum(len(one.findings) for one in self.groups if one.level in OPEN)

    @property
    def verdict(self) -> str:
        """proved, red, open (proved, but a person must still decide or mend something), stale (something was carried
        after the proof) or unproved."""
        if self.validated is None:
            return "unproved"
        if not self.validated.data["green"]:
            return "red"
        if self.written is not None and self.written.number > self.validated.number:
            return "stale"
        return "open" if self.open else "proved"

    @property
    def levels(self) -> dict[str, int]:
        counts = Counter({str(level): 0 for level in Level})
        for one in self.groups:
            counts[str(one.level)] += len(one.findings)
        return dict(counts)

    @property
    def declared(self) -> list[tuple[str, int]]:
        """Why rows were left behind on purpose, with their number; most first."""
        counts: Counter[str] = Counter()
        for server in self.rows:
            for table in server.tables.values():
                counts.update(table["declared"])
        return counts.most_common()

    @property
    def backups_proved(self) -> bool:
        return bool(self.backups) and all(one.proved for one in self.backups)


def read(project: str, environment: str, receipts: Sequence[Receipt], told: Sequence[Told]) -> Report:
    """`receipts` oldest first, of a chain that holds; `told` oldest first, those that stand.

    Errors: BlockedError where there is nothing to report yet; CrossdockError for a receipt of another shape.
    """
    evidence = [one for one in receipts if one.step not in NO_EVIDENCE]
    plan = _plan_in_force(evidence, environment)
    if plan is None:
        way_out = "crossdock move plan, then copy and validate: a report is made of their receipts alone"
        raise BlockedError("there is nothing to report yet", where=f"environment {environment}", way_out=way_out)
    try:
        return _read(project, environment, evidence, _Kept(evidence, environment, plan), _standing(told, evidence))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise CrossdockError(
            f"a receipt has another shape than this version knows: {type(error).__name__}: {error}",
            where=f"environment {environment}", way_out="make the report with the version that wrote the receipts",
        ) from error  # fmt: skip


def _plan_in_force(receipts: Sequence[Receipt], environment: str) -> Receipt | None:
    """The plan's own receipt, of the plan that the newest receipt about this environment names, or the newest plan."""
    plans = {one.data["plan"]: one for one in receipts if one.step == "plan"}
    for one in reversed(receipts):
        mine = one.step == "plan" or one.subject.partition("/")[0] == environment
        if mine and one.data.get("plan") in plans:
            return plans[one.data["plan"]]
    return None


class _Kept:
    """The newest receipt of each step and subject that counts."""

    def __init__(self, receipts: Sequence[Receipt], environment: str, plan: Receipt) -> None:
        self.plan = plan
        self._newest: dict[tuple[str, str], Receipt] = {}
        for one in receipts:
            place = one.subject.partition("/")[0]
            if one.step == "discard":
                gone = [key for key in self._newest if key[1].partition("/")[0] == place]
                for key in gone:
                    del self._newest[key]
            elif one.data.get("plan", plan.data["plan"]) == plan.data["plan"]:
                self._newest[one.step, one.subject] = one

    def one(self, step: str, subject: str) -> Receipt | None:
        return self._newest.get((step, subject))

    def below(self, step: str, environment: str) -> dict[str, Receipt]:
        """By what stands behind `environment/`, in order."""
        start = f"{environment}/"
        found = {key[1].removeprefix(start): one for key, one in self._newest.items() if key[1].startswith(start)}
        return {
            name: self._newest[step, start + name] for name in sorted(found) if (step, start + name) in self._newest
        }

    def of(self, step: str) -> dict[str, Receipt]:
        """By subject, in order."""
        return {key[1]: self._newest[key] for key in sorted(self._newest) if key[0] == step}


def _read(project: str, environment: str, evidence: Sequence[Receipt], kept: _Kept, found: Sequence[Told]) -> Report:
    mine = [one.finding for one in found if _is_about(one.step, environment)]
    site, pictures = kept.one("validate.site", environment), kept.one("screenshots", environment)
    demo = next((one for one in reversed(evidence) if one.step == "demo" and "not_real" in one.data), None)
    return Report(
        project=project,
        environment=environment,
        plan=kept.plan.data["plan"],
        head=evidence[-1].digest,
        number=evidence[-1].number,
        first_at=evidence[0].at,
        last_at=evidence[-1].at,
        stores=tuple(kept.plan.data["stores"]),
        tables=kept.plan.data["tables"],
        copied=kept.one("copy", environment),
        written=_last_written(kept, environment),
        validated=kept.one("validate", environment),
        rehearsed=kept.one("validate", "staging") if environment != "staging" else None,
        rows=tuple(_rows(kept, environment)),
        trees=tuple(_trees(kept, environment)),
        addresses=kept.one("redirects.replay", environment),
        map=kept.one("redirects.import", environment) or kept.one("redirects.map", environment),
        checks=site.data["checks"] if site else {},
        harmless=kept.one("bridge.prove", "staging"),
        backups=tuple(_backups(kept)),
        groups=tuple(_groups(mine)),
        decisions=tuple(one for one in mine if _is_decision(one)),
        pictures=pictures,
        seen=tuple(Seen.of(one) for one in pictures.data["pages"]) if pictures else (),
        not_real=tuple(demo.data["not_real"]) if demo else None,
    )


def _rows(kept: _Kept, environment: str) -> Iterable[ServerRows]:
    copied, proved = kept.below("copy.store", environment), kept.below("validate.store", environment)
    for server in sorted({*copied, *proved}):
        if server in proved:
            data = proved[server].data
            yield ServerRows(server, True, data["tables"], data["left"])
        else:
            yield ServerRows(server, False, copied[server].data["by_table"], {})


def _last_written(kept: _Kept, environment: str) -> Receipt | None:
    """The newest receipt of something that was put there."""
    made = [kept.one("copy", environment), kept.one("files", environment)]
    some = [one for one in made if one and one.data.get("carried_files", 1)]
    return max(some, key=lambda one: one.number, default=None)


def _trees(kept: _Kept, environment: str) -> Iterable[tuple[str, Json]]:
    carried, proved = kept.below("files.store", environment), kept.below("validate.files", environment)
    for name in sorted({*carried, *proved}):
        yield name, (proved.get(name) or carried[name]).data


def _backups(kept: _Kept) -> Iterable[Backup]:
    made, proofs = kept.of("backup"), kept.of("backup.proof")
    for server in sorted({*made, *proofs}):
        yield Backup(server, made.get(server), proofs.get(server))


def _is_good(receipt: Receipt | None) -> bool:
    verdicts = [receipt.data[name] for name in ("proved", "green") if name in receipt.data] if receipt else [False]
    return all(verdicts)


# -- findings --------------------------------------------------------------------------------------------------------


def _is_about(step: str, environment: str) -> bool:
    """Whether a step's findings concern this environment: they are not about another one alone."""
    others = {"staging", "production"} - {environment}
    return others.isdisjoint(step.split())


def _is_decision(finding: Finding) -> bool:
    """Whether a person has decided: a waiver (`backup.waived`), or an answer to a question that blocks no more."""
    return finding.code.endswith(".waived") or ("decision" in finding.data and finding.level is not Level.BLOCK)


def _standing(told: Sequence[Told], receipts: Sequence[Receipt]) -> list[Told]:
    """Of each step only what its newest run found. A run of all steps and one of a single step do not know each other;
    the order in which they left evidence does."""
    runs = {run: position for position, run in enumerate(dict.fromkeys(one.run for one in receipts))}
    newest: dict[str, int] = defaultdict(lambda: -1)
    green: dict[str, bool] = {}
    for one in receipts:
        for step in (one.step, f"{one.step} {one.subject}"):
            newest[step] = runs[one.run]
            green[step] = bool(one.data.get("green", one.data.get("proved", False)))
    # A run that was killed has perhaps left findings and no receipt: it is newer than all that have. And what is red
    # beside a green receipt of the same run was mended between two turns of that step.
    return [
        one
        for one in told
        if runs.get(one.run, len(runs)) > newest[one.step]
        or (
            (one.run in runs and runs[one.run] == newest[one.step])
            and not (green.get(one.step) and one.finding.level in OPEN)
        )
    ]


def _groups(found: Iterable[Finding]) -> Iterable[Group]:
    by_code: dict[tuple[int, str], list[Finding]] = defaultdict(list)
    order = list(Level)
    # The same thing may be told by two steps, as by files and by validate.
    for one in {(one.code, one.place, one.text): one for one in found}.values():
        by_code[order.index(one.level), one.code].append(one)
    for (level, code), some in sorted(by_code.items()):
        yield Group(code, order[level], tuple(some))


@dataclass(frozen=True)
class Proof:
    """One thing that is proved or not. `state`: good, bad, look (a person should), none (not done)."""

    name: str
    state: str
    counts: Mapping[str, Any]


def proofs(report: Report) -> list[Proof]:
    """What an owner asks first, in one line each."""
    told, staging, pictures = report.figures, report.harmless, report.pictures
    rows_wrong = ("rows_missing", "rows_extra", "rows_different", "oracle_failures", "source_urls_left")
    backups = {"servers": len(report.backups), "proved": sum(one.proved for one in report.backups)}
    return [
        _proof("rows", told, "rows_moved", rows_wrong),
        _proof(
            "files", told, "files_total", ("files_missing", "files_extra", "files_different", "attachments_missing")
        ),
        _proof("addresses", told, "urls_total", ("urls_failed",)),
        _proof("sites", told, "site_checks", ("site_failed",)),
        Proof("staging", _state(staging, bool(staging and staging.data["proved"])), staging.data if staging else {}),
        Proof("backups", "none" if not report.backups else "good" if report.backups_proved else "bad", backups),
        Proof("pictures", _state_of_pictures(pictures), pictures.data if pictures else {}),
    ]


def _proof(name: str, told: Json, total: str, wrong: Sequence[str]) -> Proof:
    if not told.get(total):
        return Proof(name, "none", {})
    return Proof(name, "bad" if any(told.get(one, 0) for one in wrong) else "good", told)


def _state(receipt: Receipt | None, good: bool) -> str:
    return "none" if receipt is None else "good" if good else "bad"


def _state_of_pictures(receipt: Receipt | None) -> str:
    if receipt is None:
        return "none"
    return "bad" if receipt.data["failed"] else "look" if receipt.data["differing"] else "good"


def open_groups(report: Report) -> list[Group]:
    """What stops something or is red."""
    return [one for one in report.groups if one.level in OPEN]


def chosen(finding: Finding) -> dict[str, Any]:
    """Of a decision's finding: key, choice, by and reason, as far as they are told."""
    names = ("decision", "choice", "by", "reason")
    return {name: finding.data[name] for name in names if isinstance(finding.data.get(name), str)}
