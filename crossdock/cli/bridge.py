"""crossdock bridge: parse, call once, render."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from crossdock.cli.console import (
    DEFAULT_CONFIG,
    RED,
    AsJson,
    ConfigFile,
    LiveProgress,
    err,
    out,
    print_findings,
    print_json,
    print_table,
)
from crossdock.core.config import load
from crossdock.core.errors import ConfigError
from crossdock.hub.boot import booted
from crossdock.hub.moves.access import opened_target
from crossdock.hub.moves.bridges import Bridge, Outcome, own_redirects
from crossdock.move.harmless import Harmless
from crossdock.move.health import Health

app = typer.Typer(add_completion=False, no_args_is_help=True)
Environment = Annotated[str, typer.Argument(metavar="ENV", help="staging or production", show_default=False)]


@app.callback()
def bridge() -> None:
    """The plugin at the target: redirects, guard of staging, health.

    Example: crossdock bridge install staging -c lumen/crossdock.toml
    """


@contextmanager
def _bridge(kind: str, config: Path, environment: str) -> Iterator[Bridge]:
    project = load(config)
    project.environment(environment)
    with (
        booted(project.state) as hub,
        hub.running(kind, subject=environment) as journal,
        opened_target(project, environment) as target,
        err.status(f"Bridge of {environment}"),
    ):
        yield Bridge(project, target, journal)


@app.command("install")
def install_command(
    environment: Environment,
    config: ConfigFile = DEFAULT_CONFIG,
    redirects: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A redirects.php to put there; default: the project's own map.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put the bridge there over SSH and prove that it works: signed health from every domain, redirects, the guard.

    On staging do it before the copy: the guard must be there before the customers are. It writes what differs, so that
    it can be repeated at any time, after a change of crossdock.toml or of Crossdock. Ends with exit code 1 when a proof
    fails. The login of staging is printed as the place of its password.

    Example: crossdock bridge install staging -c lumen/crossdock.toml
    """
    given = _read(redirects) if redirects else None
    with _bridge("bridge.install", config, environment) as here:
        made = here.install(given or own_redirects(here.config, environment, here.journal, LiveProgress()))
    if as_json:
        print_json(made.as_json())
    else:
        out.print(
            f"{environment}: {len(made.changed)} files written" if made.changed else f"{environment}: all in place"
        )
        _print_outcome(made)
        if made.login:
            user = here.place.bridge.login_user
            out.print(f"The login before staging: {user}, password in {made.login}", markup=False)
    _end(made.green)


@app.command("status")
def status_command(environment: Environment, config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Ask the bridge of every domain what runs there, and compare its files with ours. Changes nothing.

    It tells versions, the guard's switches, cron, mail, what is active, and code that no guard reaches. Ends with exit
    code 1 when something is not as it was installed.

    Example: crossdock bridge status staging --json
    """
    with _bridge("bridge.status", config, environment) as here:
        made = here.status()
    if as_json:
        print_json(made.as_json())
    else:
        _print_outcome(made)
    _end(made.green)


@app.command("prove")
def prove_command(
    environment: Annotated[str, typer.Argument(metavar="ENV", help="staging")] = "staging",
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Prove that staging is harmless: provoke mails, an order, a webhook, a payment call and due work; none may leave.

    What is written for it is rolled back. Nothing is provoked where the guard is not on. Ends with exit code 1 when
    something left, or could.

    Example: crossdock bridge prove staging -c lumen/crossdock.toml
    """
    with _bridge("bridge.prove", config, environment) as here:
        made = here.prove_harmless()
    if as_json:
        facts = [{"store": p.store, "kind": p.kind, "tried": p.tried, "left": p.left, "told": p.told}
                 for p in made.provocations]  # fmt: skip
        found = [one.as_json() for one in made.findings]
        print_json({**made.figures(), "proved": made.proved, "provocations": facts, "findings": found})
    else:
        print_harmless(made)
    _end(made.proved)


@app.command("remove")
def remove_command(
    environment: Environment,
    config: ConfigFile = DEFAULT_CONFIG,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take the bridge away again without a trace: files, sunrise.php, the lines in wp-config.php. Staging is then open.

    Example: crossdock bridge remove staging --yes
    """
    if not yes:
        typer.confirm(f"Remove the bridge, its redirects and its guard from {environment}?", abort=True)
    with _bridge("bridge.remove", config, environment) as here:
        made = here.remove()
    if as_json:
        print_json(made.as_json())
    else:
        out.print(f"{environment}: {len(made.changed)} files removed or restored")
        print_findings(made.findings)
    _end(made.green)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}", where=str(path)) from error


# -- rendering -------------------------------------------------------------------------------------------------------


def _print_outcome(made: Outcome) -> None:
    for url, one in made.answers.items():
        out.print(f"{url.partition('://')[2]}: {_line(one)}", markup=False)
    print_findings(made.findings)
    out.print("GREEN" if made.green else "RED", style="bold green" if made.green else "bold red")


def _line(one: Health) -> str:
    """One domain in a line: a table would fold the names of domains."""
    if one.problem:
        return one.problem
    versions, table, mail = one.part("versions"), one.part("redirects"), one.part("mail")
    shop = f", WooCommerce {versions['woocommerce']}" if versions.get("woocommerce") else ""
    goes = ("to the sink" if mail.get("sink") else "blocked") if mail.get("guarded") else "open"
    guard = "on" if one.part("guard").get("on") else "off"
    return (
        f"WordPress {versions.get('wordpress')}{shop}, PHP {versions.get('php')}; guard {guard}, mail {goes}, "
        f"cron {one.part('cron').get('runner')}; {table.get('exact')} redirects and {table.get('patterns')} patterns"
    )


def print_harmless(made: Harmless) -> None:
    """What was provoked, and what became of it."""
    rows = [
        [one.store, one.kind, "LEFT" if one.left else "stopped" if one.tried else "not there", one.told]
        for one in made.provocations
    ]
    print_table(["Store", "Provoked", "", "How"], rows)
    print_findings(made.findings)
    out.print(f"{made.leaks} left staging", style="bold green" if made.proved else "bold red")


def _end(green: bool) -> None:
    if not green:
        raise typer.Exit(RED)
