"""What a stage of the move works with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from crossdock.core.ports import PoolFactory
from crossdock.core.tables import Table
from crossdock.move.plan import Plan, TablePlan
from crossdock.move.survey import Source, SourceFacts, Target, TargetFacts
from crossdock.wordpress.catalogue import Scope


@dataclass(frozen=True)
class Order:
    """What a copy or a validation works with: the plan, fresh facts, and the ways to both sides."""

    plan: Plan
    environment: str
    sources: Sequence[Source]
    facts: Sequence[SourceFacts]
    target: Target
    target_facts: TargetFacts
    pool: PoolFactory
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    chunk_rows: int = 20_000

    def table(self, server: str, name: str) -> Table:
        facts = next(one for one in self.facts if one.server == server)
        found = facts.schema.table(name)
        if found is None:
            raise KeyError(name)
        return found

    def tables(self) -> dict[tuple[str, str], Table]:
        """Every carried table by (server, source name)."""
        return {(one.server, one.source): self.table(one.server, one.source) for one in self.carried()}

    def carried(self) -> Iterator[TablePlan]:
        for facts in self.facts:
            yield from self.plan.carried(facts.server)

    def places(self) -> dict[str, Any]:
        """Versions of both sides and the stores' addresses, for a receipt."""
        sites = self.plan.sites(self.environment)
        return {
            "servers": {one.server: _versions(one) for one in self.facts},
            "target": _versions(self.target_facts),
            "stores": {
                store.store: {"server": site.server, "source": store.source_urls[0], "target": store.target_url}
                for site in sites
                for store in site.stores
            },
        }

    def is_shared(self, server: str, table: str) -> bool:
        """Whether a table is one that all stores share (people)."""
        found = self.plan.site(server, self.environment).destination(table)
        return found is not None and found.scope is Scope.PEOPLE


def _versions(facts: SourceFacts | TargetFacts) -> dict[str, str]:
    return {"wordpress": facts.installation.wp_version, "database": facts.mysql.version}
