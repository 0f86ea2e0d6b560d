"""crossdock move backup, crossdock move restore: parse, call once, render."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdock.cli.console import (
    DEFAULT_CONFIG,
    RED,
    AsJson,
    ConfigFile,
    LiveProgress,
    out,
    print_findings,
    print_json,
    print_table,
)
from crossdock.core.config import Config, load
from crossdock.core.errors import ConfigError
from crossdock.hub.boot import booted
from crossdock.hub.moves.backup_places import places_of_secrets
from crossdock.hub.moves.backups import Backups, Outcome
from crossdock.hub.moves.restores import Restores, parse_database


def backup_command(
    server: Annotated[str, typer.Option(metavar="NAME", help="One server alone; default: all.")] = "",
    prove: Annotated[bool, typer.Option("--prove", help="Make none; prove the newest once more.")] = False,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Back up every source server, databases, files and settings, and prove that it can be restored.

    Nothing is written to a target without a proven backup. Stopped, killed or run again later, it carries only what is
    missing or has changed. Ends with exit code 1 when a backup is not whole or not proved.

    Example: crossdock move backup --server north -c lumen/crossdock.toml
    """
    project = _project(config, server)
    names = [server] if server else []
    with booted(project.state) as hub, hub.running("backup") as journal:
        backups = Backups(project, journal, hub.watched(journal, LiveProgress()))
        made = backups.prove(names) if prove else backups.make(names)
    if as_json:
        print_json({"proved": all(one.proved for one in made), "servers": [one.as_json() for one in made]})
    else:
        print_backups(made)
        kept = places_of_secrets(project)
        out.print(f"Keep copies elsewhere of {kept['password']} and {kept['seal-key']}", markup=False)
    if not all(one.proved for one in made):
        raise typer.Exit(RED)


def restore_command(
    server: Annotated[str, typer.Option(metavar="NAME", help="Whose newest backup.")],
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="A folder that is empty or not there yet.")],
    into_database: Annotated[
        str, typer.Option(metavar="URL", help="An empty database too: mysql://USER@HOST/NAME, or ?socket=/PATH.")
    ] = "",
    password: Annotated[str, typer.Option(metavar="REF", help="That account's: env:NAME or file:PATH.")] = "",
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Bring a server's newest backup back into an empty folder, and its dump into an empty database.

    Every file and dump is compared with what was stored. Credentials and settings are unsealed there: keep the folder
    closed. Nothing is ever written over.

    Example: crossdock move restore --server north --to /srv/drill --into-database mysql://root@localhost/drill
    """
    project = _project(config, server)
    database = parse_database(into_database, password) if into_database else None
    with booted(project.state) as hub, hub.running("restore", subject=server) as journal:
        made = Restores(project, journal, hub.watched(journal, LiveProgress())).restore(server, to, database)
    if as_json:
        print_json(made.as_json())
    else:
        there = f"; its database into {made.database}" if made.database else ""
        out.print(
            f"{server}, as of {made.manifest.began}: {made.files:,} files, {made.rows:,} rows in dumps are in "
            f"{made.folder}{there}",
            markup=False,
        )


def print_backups(made: list[Outcome]) -> None:
    """Each server in a line, then what was found."""
    rows = []
    for one in made:
        facts, checked = one.as_json(), one.checked
        rows.append(
            [
                one.server, facts.get("rows", 0), facts.get("tables", 0), facts.get("files", 0),
                facts.get("file_bytes", 0), facts.get("lock_seconds", 0.0),
                f"{checked.rows:,} rows, {checked.files:,} files" if checked else "nothing",
                "proved" if one.proved else "NOT PROVED",
            ]
        )  # fmt: skip
    columns = ["Server", "Rows", "Tables", "Files", "Bytes", "Locked s", "Read back", ""]
    print_table(columns, rows)
    print_findings([finding for one in made for finding in one.findings])
    green = all(one.proved for one in made)
    out.print("GREEN" if green else "RED", style="bold green" if green else "bold red")


def _project(config: Path, server: str) -> Config:
    project = load(config)
    names = [one.name for one in project.servers]
    if server and server not in names:
        raise ConfigError(f"no server {server}", where=str(config), way_out=f"one of: {', '.join(names)}")
    return project
