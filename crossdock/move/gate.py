"""Nothing is written to a target before every store's server has a proven backup. Reads receipts and
decisions alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from crossdock.core.config import Config
from crossdock.core.errors import BlockedError
from crossdock.core.evidence import Finding, Level, Receipt
from crossdock.core.ports import Journal

PROOF = "backup.proof"
WITHOUT = "without"
# Clocks of the machines that share a project may differ by so much.
_SKEW_SECONDS = 60
_WAY_OUT = "crossdock move backup"


def refuse_unproved(config: Config, journal: Journal, step: str, now: datetime | None = None) -> None:
    """Tells what a person has waived, as findings of `step`. Errors: BlockedError naming each server whose newest proof
    is missing, red, too old or from the future, its age, and the way out."""
    moment = now or datetime.now(UTC)
    refused = []
    for server in dict.fromkeys(store.server for store in config.stores):
        why = lacking(journal.receipts(PROOF, server), config.policies.backup_hours, moment)
        if not why:
            continue
        decision = config.decisions.get(decision_key(server))
        if decision is not None and decision.choice == WITHOUT:
            told = f"goes on without a proven backup ({why}); decided by {decision.by}: {decision.reason}"
            facts = {"decision": decision_key(server), **decision.model_dump()}
            journal.finding(Finding("backup.waived", Level.WARN, server, told, data=facts), step=step)
        else:
            refused.append(f"{server}: {why}")
    if refused:
        raise BlockedError(
            "nothing is written to a target without a proven backup: " + "; ".join(refused),
            where=f"{len(refused)} of the stores' servers",
            way_out=f'{_WAY_OUT}; or a person decides otherwise under [decisions]: "{decision_key("SERVER")}" = '
            f'{{ choice = "{WITHOUT}", by = "...", reason = "..." }}',
        )


def decision_key(server: str) -> str:
    """Its name under [decisions]."""
    return f"backup:{server}"


def lacking(proofs: Sequence[Receipt], hours: int, now: datetime) -> str:
    """Why a server's proofs (oldest first) do not do; empty when they do. The newest one counts: what it found stands
    against all before it. Its age is that of the backup, not of the proof."""
    if not proofs:
        return "no backup was proved yet"
    data = proofs[-1].data
    if data.get("proved") is not True:
        return "its newest proof is red"
    try:
        began = datetime.fromisoformat(str(data["began"]))
        age = (now - began).total_seconds()
    except (KeyError, ValueError, TypeError):
        return "its newest proof does not say when the backup was made"
    if age < -_SKEW_SECONDS:
        return f"its backup is from the future ({data['began']}): a clock is wrong"
    if age > hours * 3600:
        return f"its backup is {age / 3600:.1f} hours old, and may be {hours}"
    return ""
