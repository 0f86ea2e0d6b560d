"""The assessment on a terminal, and that of a server that no configuration knows."""

from __future__ import annotations

from pathlib import Path

from crossdock.cli.console import end_blocked, err, out, print_findings, print_json, print_table
from crossdock.hub.moves.stranger import assess_stranger
from crossdock.hub.moves.surroundings import Surroundings

_SHOWN_OF_A_KIND = 3


def tell_stranger(server: str, ssh_config: Path | None, to: Path | None, as_json: bool) -> None:
    """Assesses a server by its address alone, prints it, and keeps it where `to` says."""
    with err.status(f"Looking at {server}, and around it"):
        made = assess_stranger(server, ssh_config)
    if to is not None:
        made.keep(to)
    if as_json:
        print_json(made.as_json())
    else:
        print_kinds(made.around)
        print_costs(made.around)
        print_findings(made.findings)
        if to is not None:
            out.print(f"\nKept: {to / 'assessment.json'}, {to / 'assessment.html'}", markup=False)
    end_blocked(made.findings)


def print_kinds(around: Surroundings) -> None:
    """How much there is of each kind on each server, with the first of them."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for item in around.items:
        kinds.setdefault((item.kind, item.server), []).append(item.name if item.kind != "server" else item.text)
    rows = [[kind, server, len(names), _some(names)] for (kind, server), names in kinds.items()]
    if rows:
        out.print()
        print_table(["Found", "Where", "How many", "Such as"], rows)


def print_costs(around: Surroundings) -> None:
    """What a month costs, and what the look itself cost the servers."""
    if around.costs:
        cost = around.costs
        out.print(
            f"\nA month costs {cost['before_month']:,.2f} {cost['currency']} before, {cost['after_month']:,.2f} after"
            + (f"; no price for {', '.join(cost['unpriced'])}" if cost["unpriced"] else ""),
            markup=False,
        )
    if around.load:
        load = ", ".join(f"{name} {one['cpu_seconds']:.2f} s" for name, one in around.load.items())
        out.print(f"\nThe look around took {around.seconds:.1f} s; processor time on the servers: {load}", markup=False)


def _some(names: list[str]) -> str:
    shown = ", ".join(name if len(name) < 60 else f"{name[:57]}..." for name in names[:_SHOWN_OF_A_KIND])
    return shown + (", ..." if len(names) > _SHOWN_OF_A_KIND else "")
