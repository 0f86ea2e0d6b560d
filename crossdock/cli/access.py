"""crossdock move access: the checklist on a terminal."""

from __future__ import annotations

import typer
from rich.text import Text

from crossdock.cli.console import DEFAULT_CONFIG, RED, AsJson, ConfigFile, err, out, print_json, print_table
from crossdock.core.config import load
from crossdock.hub.boot import booted
from crossdock.hub.moves.checklist import Checklist, check_access

_STYLES = {"works": "green", "missing": "bold red", "not needed": "dim"}


def access_command(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Try every access that the move needs: what works, what is missing, who must give it and until when.

    Secrets are shown as references. Ends with exit code 1 while something needed is missing. What the assessment has
    found of peers and firewalls that may allow the old addresses is listed too.

    Example: crossdock move access -c lumen/crossdock.toml
    """
    project = load(config)
    with booted(project.state) as hub, hub.running("access") as journal, err.status("Trying every access"):
        made = check_access(project, journal)
    if as_json:
        print_json(made.as_json())
    else:
        print_checklist(made)
    if made.missing:
        raise typer.Exit(RED)


def print_checklist(made: Checklist) -> None:
    """The table for the client's IT, what to do about each that is missing, and whom to tell the new addresses."""
    rows = [
        [
            one.need.name,
            one.state,
            ", ".join(one.who) or one.need.role,
            one.until.isoformat(),
            one.need.secret,
            one.need.what,
        ]
        for one in made.needs
    ]
    print_table(["Access", "State", "Who gives it", "Until", "Secret", "What it is"], rows)
    if made.missing:
        out.print("\nMissing", style="bold red")
    for one in made.missing:
        late = " (overdue)" if one.is_overdue(made.today) else ""
        out.print(f"{one.need.name}{late}: {one.said}\n      {one.need.way_out}", markup=False)
    if made.allow:
        out.print("\nMay allow the old addresses: tell them the target's", style="bold")
        print_table(
            ["What", "Server", "Which", "Why"], [[one.kind, one.server, one.name, one.text] for one in made.allow]
        )
    figures = made.figures()
    told = f"\n{figures['works']} work, {figures['missing']} are missing, {figures['overdue']} of them overdue"
    out.print(Text(told, style=_STYLES["missing" if made.missing else "works"]))
