"""crossdock serve: parse, call once, render."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossdock.cli.console import DEFAULT_CONFIG, ConfigFile, err, out
from crossdock.core.config import load
from crossdock.hub.boot import booted_people
from crossdock.hub.serve import Listen, serve

app = typer.Typer(add_completion=False)


@app.command()
def serve_command(
    config: ConfigFile = DEFAULT_CONFIG,
    host: Annotated[str, typer.Option(help="Address of this machine to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="TCP port.", min=1, max=65535)] = 8000,
    url: Annotated[
        str, typer.Option(metavar="URL", help="Where people reach it through a proxy; default: [hub] url.")
    ] = "",
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Serve https with this certificate (PEM).", exists=True)
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The certificate's key (PKCS#8, PEM).", exists=True)
    ] = None,
) -> None:
    """Serve the hub's screens: runs, findings, reports, milestones.

    Runs until Ctrl-C or SIGTERM. Who may sign in: crossdock people add. Without --host it answers this machine alone;
    for others give it a certificate, or put a proxy with https before it and say its address with --url.

    Example: crossdock serve --port 8000 -c lumen/crossdock.toml
    """
    if (certificate is None) != (key is None):
        raise typer.BadParameter("--certificate and --key go together")
    project = load(config)
    listen = Listen(host, port, (url or project.hub.url or "").rstrip("/"), certificate, key)
    with booted_people(project.state) as people:
        nobody = not people.accounts()
    if nobody:
        err.print("Nobody can sign in yet. Way out: crossdock people add EMAIL --role operator", markup=False)
    if listen.in_clear:
        err.print("Passwords would cross the network in clear. Way out: --certificate and --key, or --url https://...")
    serve(project.state, project.path, listen, lambda: out.print(f"{listen.address}  (Ctrl-C stops it)", markup=False))
