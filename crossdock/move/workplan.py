"""The project's plan of work as data: phases, their steps, who owns each, when it is due, and what proves it.

Steps of work that is not built yet stand here too, with the receipts that will prove them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["operator", "qa", "client-it", "client-owner", "sales"]
# The receipt by which a person says that a step is done; its subject is the step's name.
SAID = "milestone"


@dataclass(frozen=True)
class Rule:
    """What proves a step: the newest receipt `step` about each of its subjects, if it is not red.

    `about`: `project`, `servers` (each of them), `any`, or an environment. `of_plan`: it must be of the plan in force.
    `zero`: counts that must be 0. `young`: not older than the project's limit for backups, `within_days`: than that;
    each at the moment of the first receipt `until` (step and subject, of the plan in force), or now without one.
    """

    step: str
    about: str = "project"
    of_plan: bool = False
    zero: tuple[str, ...] = ()
    young: bool = False
    within_days: int = 0
    until: tuple[str, str] = ("", "")

    def __str__(self) -> str:
        """For people: what has to be there."""
        about = {"project": "", "any": "", "servers": " of each server"}.get(self.about, f" of {self.about}")
        plan = ", of the plan in force" if self.of_plan else ""
        zero = "".join(f", {name} 0" for name in self.zero)
        age = (
            f", not older than {self.within_days} days" if self.within_days else ", young enough" if self.young else ""
        )
        if self.step == SAID:
            return f"a person's word{plan}"
        return f"receipt {self.step}{about}{plan}{zero}{age}"


SAY = Rule(SAID)
SAY_OF_PLAN = Rule(SAID, of_plan=True)


@dataclass(frozen=True)
class Step:
    """`name` is PHASE.WORD. Due `days` after the start, if there is one. `needs`: steps that must be done before it can
    begin. `how` is the command that does it, where there is one."""

    name: str
    title: str
    owner: Role
    days: int
    rule: Rule
    needs: tuple[str, ...] = ()
    how: str = ""


@dataclass(frozen=True)
class Phase:
    name: str
    title: str
    steps: tuple[Step, ...]


def _copied(environment: str) -> Rule:
    return Rule("copy", environment, of_plan=True)


def _proved_before(environment: str) -> Rule:
    return Rule("backup.proof", "servers", young=True, until=("copy", environment))


_WORKFLOW = Phase(
    "workflow",
    "Maintenance-workflow design",
    (
        Step("workflow.workshop", "Workshop held: how the stores are kept today", "operator", 5, SAY),
        Step(
            "workflow.rules", "Who may change what, and when, is written down", "operator", 12, SAY,
            ("workflow.workshop",),
        ),
        Step("workflow.approved", "The workflow is approved", "client-owner", 20, SAY, ("workflow.rules",)),
    ),
)  # fmt: skip

_MIGRATION = Phase(
    "migration",
    "Servers to the managed host",
    (
        Step(
            "migration.access", "Every access is there and works", "client-it", 5, Rule("access", zero=("missing",)),
            how="move access",
        ),
        Step("migration.assessed", "All servers assessed", "operator", 7, Rule("assess"), how="move assess"),
        Step(
            "migration.planned", "The plan is made", "operator", 12, Rule("plan", of_plan=True),
            ("migration.assessed",), "move plan",
        ),
        Step("migration.approved", "The plan is approved", "client-owner", 17, SAY_OF_PLAN, ("migration.planned",)),
        Step(
            "migration.saved", "Every server is backed up", "operator", 17, Rule("backup", "servers"),
            ("migration.assessed",), "move backup",
        ),
        Step(
            "migration.backup-proved", "Every backup is proved by restoring it", "operator", 18,
            _proved_before("staging"),
            ("migration.saved",), "move backup",
        ),
        Step(
            "migration.staging-copied", "Staging holds every row", "operator", 21, _copied("staging"),
            ("migration.planned", "migration.backup-proved"), "move copy --to staging",
        ),
        Step(
            "migration.staging-files", "Staging holds every file", "operator", 22,
            Rule("files", "staging", of_plan=True), ("migration.staging-copied",), "move files --to staging",
        ),
        Step(
            "migration.staging-harmless", "Staging can reach no customer", "qa", 22,
            Rule("bridge.prove", "staging"), ("migration.staging-copied",), "bridge prove staging",
        ),
        Step(
            "migration.addresses", "Every old address leads somewhere", "operator", 24,
            Rule("redirects.replay", "staging", of_plan=True, zero=("urls_failed", "urls_undecided")),
            ("migration.staging-files",), "move redirects replay --to staging",
        ),
        Step(
            "migration.staging-validated", "Staging is validated green", "qa", 26,
            Rule("validate", "staging", of_plan=True), ("migration.staging-files",), "move validate --in staging",
        ),
        Step(
            "migration.staging-accepted", "Staging is accepted", "client-owner", 33, SAY_OF_PLAN,
            ("migration.staging-validated", "migration.staging-harmless", "migration.addresses"),
        ),
        Step(
            "migration.backup-anew", "Every backup is proved anew", "operator", 35, _proved_before("production"),
            ("migration.staging-accepted",), "move backup",
        ),
        Step(
            "migration.production-copied", "Production holds every row", "operator", 36, _copied("production"),
            ("migration.backup-anew",), "move copy --to production",
        ),
        Step(
            "migration.production-validated", "Production is validated green", "qa", 38,
            Rule("validate", "production", of_plan=True), ("migration.production-copied",),
            "move validate --in production",
        ),
        Step(
            "migration.cutover-approved", "The hour of the switch is approved", "client-owner", 40,
            Rule("approval", "production", of_plan=True), ("migration.production-validated",),
        ),
        Step(
            "migration.switched", "The stores answer from the new host", "operator", 42,
            Rule("switch", "production", of_plan=True), ("migration.cutover-approved",),
        ),
        Step(
            "migration.names", "The stores' names lead to the new host", "client-it", 43, Rule("dns", "production"),
            ("migration.switched",),
        ),
        Step(
            "migration.verified", "The frozen source is verified in full", "qa", 44,
            Rule("verify", "production", of_plan=True), ("migration.switched",),
        ),
        Step(
            "migration.reported", "The report is made", "operator", 45, Rule("report", "production"),
            ("migration.production-validated",), "move report",
        ),
        Step(
            "migration.signed", "The report is signed", "client-owner", 50, Rule("sign", "production"),
            ("migration.reported", "migration.verified"),
        ),
        Step(
            "migration.retired", "The old servers are retired", "client-it", 80, Rule("retire", "servers"),
            ("migration.signed",),
        ),
    ),
)  # fmt: skip

_AUTOMATION = Phase(
    "automation",
    "Store automation",
    (
        Step(
            "automation.workshop", "Workshop held: what the ERP's files mean", "operator", 45, SAY,
            ("migration.staging-validated",),
        ),
        Step(
            "automation.stock", "Stock comes in from the ERP", "operator", 60, Rule("feed.applied", "any"),
            ("automation.workshop", "migration.switched"),
        ),
        Step(
            "automation.guard", "No more is sold than is there", "qa", 65, Rule("stock.guard", "any"),
            ("automation.stock",),
        ),
        Step(
            "automation.orders", "Every order reaches the ERP, once", "qa", 70, Rule("orders.prove", "any"),
            ("automation.stock",),
        ),
        Step(
            "automation.shipments", "Shipments come back to the store", "sales", 75, Rule("shipping.prove", "any"),
            ("automation.orders",),
        ),
    ),
)  # fmt: skip

_SITE = Phase(
    "site",
    "Site enhancements",
    (
        Step(
            "site.configurator", "The configurator is live", "sales", 85, Rule("configurator.publish", "any"),
            ("migration.switched",),
        ),
        Step(
            "site.translations", "The translations are live", "sales", 90, Rule("translations.publish", "any"),
            ("migration.switched",),
        ),
    ),
)  # fmt: skip

_DOWNLOADS = Phase(
    "downloads",
    "Download portal",
    (
        Step(
            "downloads.published", "The first files are published", "operator", 95, Rule("downloads.publish", "any"),
            ("migration.switched",),
        ),
        Step(
            "downloads.proved", "Only who may can fetch them", "qa", 97, Rule("downloads.prove", "any"),
            ("downloads.published",),
        ),
    ),
)  # fmt: skip

_CARE = Phase(
    "care",
    "Care plan",
    (
        Step("care.contract", "The contract is signed", "client-owner", 60, SAY, ("workflow.approved",)),
        Step(
            "care.watched", "The stores are watched", "operator", 62, Rule("care.check", "any", within_days=2),
            ("care.contract", "migration.switched"),
        ),
        Step(
            "care.updated", "Updates are tried on staging first", "operator", 75,
            Rule("care.update", "any", within_days=35), ("care.watched",),
        ),
        Step(
            "care.restored", "A restore is proved every month", "operator", 90,
            Rule("care.restore", "any", within_days=35), ("care.watched",),
        ),
    ),
)  # fmt: skip

PHASES = (_WORKFLOW, _MIGRATION, _AUTOMATION, _SITE, _DOWNLOADS, _CARE)
STEPS = {step.name: step for phase in PHASES for step in phase.steps}
