"""crossdock verify-evidence and crossdock runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Annotated

import typer

from crossdock.cli.console import DEFAULT_CONFIG, AsJson, ConfigFile, out, print_json, print_table
from crossdock.core.config import load
from crossdock.core.errors import EvidenceError
from crossdock.core.evidence import Receipt
from crossdock.hub.boot import boot

app = typer.Typer(add_completion=False)
runs_app = typer.Typer(add_completion=False)


@app.command()
def verify_evidence(
    config: ConfigFile = DEFAULT_CONFIG,
    expect_head: Annotated[
        str, typer.Option(metavar="DIGEST", help="A head printed earlier: it must still be in the chain.")
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="Print every receipt, not only the count of each step.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check the chain of receipts, link by link.

    Ends with exit code 8 and names the first bad receipt if one was changed, removed or moved. A cut end can be seen
    only by a head that was kept elsewhere: pass it with --expect-head.

    Example: crossdock verify-evidence -c lumen/crossdock.toml
    """
    project = load(config)
    chain = boot(project.state).chain(expect_head)
    if as_json:
        print_json({**asdict(chain), "holds": chain.holds, "receipts": [asdict(receipt) for receipt in chain.receipts]})
    else:
        _print_receipts(chain.receipts, every=every)
    if not chain.holds:
        way_out = "restore the hub's database from a backup, and find out who could write to it"
        raise EvidenceError(chain.fault, where=f"receipt {chain.bad_number}", way_out=way_out)
    if not as_json:
        after = f"; {chain.since:,} receipts after the expected head" if expect_head else ""
        out.print(f"{len(chain.receipts):,} receipts, and the chain holds{after}.\nHead: {chain.head}", markup=False)


def _print_receipts(receipts: tuple[Receipt, ...], *, every: bool) -> None:
    if every:
        cells = ([str(r.number), r.at, r.run, r.step, r.subject, r.digest[:16]] for r in receipts)
        print_table(["No.", "At", "Run", "Step", "Subject", "Digest"], cells)
    else:
        steps = Counter(receipt.step for receipt in receipts)
        last = {receipt.step: receipt.at for receipt in receipts}
        print_table(["Step", "Receipts", "Last"], ([step, count, last[step]] for step, count in steps.items()))


@runs_app.command()
def runs(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """List the runs of this project and how they ended.

    A run that was killed reads "interrupted". Example: crossdock runs -c lumen/crossdock.toml
    """
    rows = boot(load(config).state).runs()
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    cells = ([r.id, r.kind, r.subject, r.state, f"{r.pid} on {r.host}", f"{r.started:%Y-%m-%d %H:%M:%S}"] for r in rows)
    print_table(["Run", "Kind", "Subject", "State", "Process", "Started (UTC)"], cells)
