"""crossdock people: parse, call once, render."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from crossdock.cli.console import DEFAULT_CONFIG, AsJson, ConfigFile, out, print_json, print_table
from crossdock.core.config import Config, Person, load
from crossdock.core.errors import ConfigError
from crossdock.core.secrets import Masked
from crossdock.hub.accounts.rules import Role
from crossdock.hub.boot import People, booted_people

app = typer.Typer(add_completion=False, no_args_is_help=True)

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The e-mail address that the person signs in with.")]
Generate = Annotated[
    bool, typer.Option("--generate", help="Make a password and print it, once. So it is where there is no terminal.")
]


@app.callback()
def people() -> None:
    """Who may sign in to the hub's screens.

    Example: crossdock people add ada@example.com --role operator -c lumen/crossdock.toml
    """


@app.command("add")
def add_command(
    email: Email,
    role: Annotated[
        str, typer.Option(metavar="ROLE", help=f"{', '.join(Role)}; default: that of [[people]] in crossdock.toml.")
    ] = "",
    name: Annotated[str, typer.Option(metavar="NAME", help="Default: that of [[people]] in crossdock.toml.")] = "",
    generate: Generate = False,
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Let a person sign in. The password is asked for, or made and printed once; it is nowhere kept in clear.

    Example: crossdock people add ada@example.com --role operator -c lumen/crossdock.toml
    """
    project = load(config)
    person = _person(project, email)
    given = _role(role or (person.role if person else ""), email)
    with booted_people(project.state) as accounts:
        password, made = _password(accounts, generate)
        accounts.add(email, given, password, name or (person.name if person else ""))
    _tell(email, f"may sign in as {given}", password if made else None)


@app.command("list")
def list_command(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """List who may sign in.

    Example: crossdock people list -c lumen/crossdock.toml
    """
    with booted_people(load(config).state) as accounts:
        found = accounts.accounts()
    if as_json:
        print_json([asdict(one) for one in found])
        return
    last = [f"{one.last_login:%Y-%m-%d %H:%M}" if one.last_login else "never" for one in found]
    rows = [[one.email, one.name, one.role, when] for one, when in zip(found, last, strict=True)]
    print_table(["E-mail address", "Name", "Role", "Last sign-in (UTC)"], rows)


@app.command("password")
def password_command(email: Email, generate: Generate = False, config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Give a person a new password; whoever is signed in with the former one is signed out.

    Example: crossdock people password ada@example.com --generate -c lumen/crossdock.toml
    """
    with booted_people(load(config).state) as accounts:
        password, made = _password(accounts, generate)
        accounts.give_password(email, password)
    _tell(email, "has a new password", password if made else None)


@app.command("remove")
def remove_command(email: Email, config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Let a person sign in no longer; whoever is signed in is out at once.

    Example: crossdock people remove ada@example.com -c lumen/crossdock.toml
    """
    with booted_people(load(config).state) as accounts:
        accounts.remove(email)
    _tell(email, "may sign in no longer", None)


def _person(project: Config, email: str) -> Person | None:
    return next((one for one in project.people if one.email.lower() == email.lower()), None)


def _role(given: str, email: str) -> Role:
    if not given:
        way_out = f"--role, one of: {', '.join(Role)}"
        raise ConfigError("is not in [[people]], so the role must be said", where=email, way_out=way_out)
    try:
        return Role(given)
    except ValueError:
        raise typer.BadParameter(f"{given!r} is no role; one of: {', '.join(Role)}", param_hint="--role") from None


def _password(accounts: People, generate: bool) -> tuple[Masked, bool]:
    """The password, and whether it was made here."""
    if generate or not sys.stdin.isatty():
        return accounts.generated_password(), True
    return Masked(typer.prompt("Password", hide_input=True, confirmation_prompt=True)), False


def _tell(email: str, what: str, password: Masked | None) -> None:
    out.print(f"{email} {what}.", markup=False)
    if password is not None:
        typer.echo(f"Password: {password!s}")
