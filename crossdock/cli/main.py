"""The command line: parse -> call once -> render -> exit code.

A command's module is imported when the command runs, not before: `crossdock --help` needs no Django and no drivers.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from crossdock import __version__
from crossdock.core.errors import CrossdockError

UNEXPECTED = 70  # EX_SOFTWARE of sysexits.h


@dataclass(frozen=True)
class Entry:
    """Where a command is: `module` has a Typer app of this name. `help` is the first line of the command's own."""

    module: str
    app: str
    help: str


ENTRIES = {
    "init": Entry("crossdock.cli.init", "app", "Write a commented crossdock.toml to start from."),
    "rewrite": Entry(
        "crossdock.cli.rewrite", "app", "Rewrite the addresses in a SQL dump, from standard input to standard output."
    ),
    "move": Entry("crossdock.cli.move", "app", "Move the stores: assess, plan, backup, copy, files, validate."),
    "bridge": Entry("crossdock.cli.bridge", "app", "The plugin at the target: redirects, guard of staging, health."),
    "runs": Entry("crossdock.cli.evidence", "runs_app", "List the runs of this project and how they ended."),
    "verify-evidence": Entry("crossdock.cli.evidence", "app", "Check the chain of receipts, link by link."),
    "lab": Entry(
        "crossdock.cli.lab",
        "app",
        "Real servers on loopback to try a move on: three stores' servers and a managed host.",
    ),
    "demo": Entry("crossdock.cli.demo", "app", "Start the lab, move its stores and prove the result."),
}


class LazyGroup(TyperGroup):
    """Knows its commands by name and first line, and loads the one that is called."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, entry in ENTRIES.items():
            self.commands[name] = TyperCommand(name, help=entry.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, _, rest = super().resolve_command(ctx, args)
        return name, loaded(name) if name else None, rest


def loaded(name: str) -> Any:
    """The command itself, with its options and subcommands."""
    entry = ENTRIES[name]
    command = typer.main.get_command(getattr(import_module(entry.module), entry.app))
    command.name = name
    return command


app = typer.Typer(cls=LazyGroup, pretty_exceptions_enable=False, no_args_is_help=True, add_completion=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"crossdock {__version__}")
        raise typer.Exit


@app.callback()
def crossdock(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Moves self-managed WordPress/WooCommerce stores into one managed multisite, with every row proved.

    Start with: crossdock demo, or crossdock init
    """


def main() -> None:
    """Entry point. Errors that a person can act on are told in plain words and set the exit code of their kind."""
    try:
        app(prog_name="crossdock")
    except CrossdockError as error:
        typer.echo(error, err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        if os.environ.get("CROSSDOCK_DEBUG") == "1":
            raise
        typer.echo(f"Unexpected error: {type(error).__name__}: {error}".splitlines()[0], err=True)
        typer.echo("Way out: run again with CROSSDOCK_DEBUG=1 and report the traceback", err=True)
        sys.exit(UNEXPECTED)
