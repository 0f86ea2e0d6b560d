"""crossdock move redirects: parse, call once, render."""

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
    ToEnvironment,
    end_blocked,
    out,
    print_findings,
    print_json,
    print_table,
)
from crossdock.core.config import load
from crossdock.hub.boot import booted
from crossdock.hub.moves.redirects import FORMATS, Mapped, Redirects

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def redirects() -> None:
    """Every address that the stores are known by: mapped, reviewed, carried out and replayed.

    Example: crossdock move redirects harvest --to staging -c lumen/crossdock.toml
    """


@contextmanager
def _redirects(kind: str, config: Path, environment: str) -> Iterator[Redirects]:
    project = load(config)
    project.environment(environment)
    with booted(project.state) as hub, hub.running(kind, subject=environment) as journal:
        yield Redirects(project, environment, journal, hub.watched(journal, LiveProgress()))


@app.command("harvest")
def harvest_command(to: ToEnvironment, config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Collect the stores' addresses and decide what each becomes: kept, moved, gone, or a person's question.

    Asks WordPress, sitemaps, access logs and old rules, read-only. The map is redirects-ENV.csv in the state folder;
    what people decided in it stays. Ends with exit code 4 while addresses that the source answers have no target.

    Example: crossdock move redirects harvest --to staging -c lumen/crossdock.toml
    """
    with _redirects("redirects harvest", config, to) as moving:
        made = moving.harvest()
    _print_map(to, made, as_json)
    end_blocked(made.findings)


@app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="The edited map (CSV).", show_default=False)],
    to: ToEnvironment,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who decided.")],
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Take an edited map in place of the one that stands. Every mistake is told at once, with its line.

    Example: crossdock move redirects import map.csv --to staging --by "Ada Berg" -c lumen/crossdock.toml
    """
    with _redirects("redirects import", config, to) as moving:
        made = moving.review(file, by.strip())
    _print_map(to, made, as_json)


@app.command("emit")
def emit_command(
    to: ToEnvironment,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help=f"One of {', '.join(FORMATS)}.")],
    folder: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Where the files go; default: the state folder.")
    ] = None,
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Write the map for the bridge (PHP table), nginx (maps and returns), Apache (RedirectMatch) or people (CSV).

    Example: crossdock move redirects emit --to staging --format nginx --out rules -c lumen/crossdock.toml
    """
    if form not in FORMATS:
        raise typer.BadParameter(f"{form!r} is no format; one of: {', '.join(FORMATS)}")
    with _redirects("redirects emit", config, to) as moving:
        files = moving.emit(form, folder or moving.config.state)
    for path in files:
        out.print(str(path), markup=False)


@app.command("replay")
def replay_command(to: ToEnvironment, config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Ask an environment every address of the map: one hop, then 200 or a declared 410; no loop, chain or soft 404.

    Keeps the pace of [policies.replay] and slows down when the host asks for it. Stopped or killed, the same command
    goes on. Ends with exit code 1 when any address fails.

    Example: crossdock move redirects replay --to staging -c lumen/crossdock.toml
    """
    with _redirects("redirects replay", config, to) as moving:
        result, findings = moving.replay()
    if as_json:
        print_json({**result.figures(), "findings": [one.as_json() for one in findings]})
    else:
        print_table([f"replay {to}", ""], [[name, count] for name, count in result.figures().items()])
        print_findings(findings)
    if result.failed:
        raise typer.Exit(RED)


def _print_map(environment: str, made: Mapped, as_json: bool) -> None:
    figures = {**made.figures, "changed": made.changed} if made.changed else made.figures
    if as_json:
        told = {
            "map": str(made.path),
            "digest": made.digest,
            **figures,
            "findings": [one.as_json() for one in made.findings],
        }
        print_json(told)
        return
    print_table([f"addresses of {environment}", ""], [[name, count] for name, count in figures.items()])
    print_findings(made.findings)
    out.print(f"\n{made.path}\nMap {made.digest}", markup=False)
