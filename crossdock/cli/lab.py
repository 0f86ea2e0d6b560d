"""crossdock lab: real servers on loopback, for people who want to try or to show a move."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.console import Console
from rich.table import Column, Table

from crossdock.core.errors import ConfigError
from crossdock.lab.lab import Lab
from crossdock.lab.managed import ENVIRONMENTS, Profile

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Real servers on loopback to try a move on: three stores' servers and a managed host.\n\n"
    "Example: crossdock lab up && crossdock move run -c /tmp/crossdock-lab-$USER/crossdock.toml",
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Folder = Annotated[
    Path | None, typer.Option("--folder", help="The lab's folder (default: crossdock-lab-<user> in /tmp).")
]


@app.command()
def up(
    folder: Folder = None,
    profile: Annotated[
        str, typer.Option(help="What the managed host allows: gateway (little) or tunnel (port forwarding).")
    ] = "gateway",
    size: Annotated[str, typer.Option(help="Data of each store: empty, tiny, small, medium or large.")] = "small",
    seed: Annotated[int, typer.Option(help="The same seed makes the same data.")] = 1,
    session_limit: Annotated[int, typer.Option(help="Seconds until the gateway cuts an SSH session.")] = 600,
) -> None:
    """Build and start the lab; takes about half a minute.

    Example: crossdock lab up --profile gateway --size small --seed 1
    """
    lab = Lab(folder, profile=profile_of(profile), size=size, seed=seed, session_limit_seconds=session_limit)
    with err.status("Starting") as status:
        lab.up(lambda step: status.update(step))
    _tell(lab)


@app.command()
def status(
    folder: Folder = None, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False
) -> None:
    """Show each daemon of the lab; exit 1 when one is not alive.

    Example: crossdock lab status --json
    """
    rows = Lab.open(folder).status()
    if as_json:
        out.print_json(json.dumps(rows))
    else:
        table = Table("server", "daemon", Column("address", overflow="fold"), "pid", "alive")
        for row in rows:
            table.add_row(
                row["server"], row["daemon"], row["address"], str(row["pid"]), "yes" if row["alive"] else "NO"
            )
        out.print(table)
    if not all(row["alive"] for row in rows):
        raise typer.Exit(1)


@app.command()
def down(
    folder: Folder = None,
    keep: Annotated[bool, typer.Option("--keep", help="Stop the servers but leave the folder for a look.")] = False,
) -> None:
    """Stop the lab's servers and remove its folder.

    Example: crossdock lab down
    """
    lab = Lab.open(folder)
    lab.down(keep=keep)
    out.print(f"The lab is down; {lab.folder} is {'kept' if keep else 'gone'}.")


@app.command()
def reset(
    environment: Annotated[str, typer.Argument(help=f"One of {', '.join(ENVIRONMENTS)}.")], folder: Folder = None
) -> None:
    """Take an environment of the managed host back to its empty multisite.

    Example: crossdock lab reset staging
    """
    Lab.open(folder).managed.reset(environment)
    out.print(f"{environment} is an empty multisite again.")


def profile_of(name: str) -> Profile:
    for profile in get_args(Profile):
        if profile == name:
            return profile  # type: ignore[no-any-return]
    raise ConfigError(f"no profile {name}", where="--profile", way_out=f"one of {', '.join(get_args(Profile))}")


def _tell(lab: Lab) -> None:
    out.print(f"The lab is up after {lab.up_seconds:.0f} s in {lab.folder}")
    out.print(f"\nSources, with the HTTP proxy {lab.sources_proxy}:")
    for source in lab.sources.values():
        for blog in source.spec.blogs:
            out.print(f"  http://{blog.domain}/  {blog.title}")
    out.print(f"Target, with the HTTP proxy {lab.target_proxy}:")
    for domain in ENVIRONMENTS.values():
        out.print(f"  http://{domain}/")
    first = next(iter(lab.sources.values())).spec.domain
    out.print(f"\nIn a browser: chromium --proxy-server={lab.sources_proxy} http://{first}/")
    out.print(f"In a shell:   curl -x {lab.sources_proxy} http://{first}/")
    out.print(f"By SSH:       ssh -F {lab.ssh_config} north")
    out.print(f"The move:     crossdock move backup -c {lab.config} && crossdock move run -c {lab.config}")
    for sentence in lab.not_real:
        out.print(f"Not real here: {sentence}")
