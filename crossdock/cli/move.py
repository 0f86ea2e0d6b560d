"""crossdock move: parse, call once, render."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from crossdock.cli import report
from crossdock.cli.access import access_command
from crossdock.cli.assessment import print_costs, tell_stranger
from crossdock.cli.backup import backup_command, restore_command
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
from crossdock.cli.redirects import app as redirects_app
from crossdock.core.config import load
from crossdock.core.evidence import Finding
from crossdock.hub.boot import booted
from crossdock.hub.moves.access import opened
from crossdock.hub.moves.actions import Assessment, Move, Planned, placements_json
from crossdock.move import plan as plans
from crossdock.move.destinations import counts as destination_counts
from crossdock.move.destinations import open_block
from crossdock.move.files import FilesResult
from crossdock.move.site import SiteVerdict
from crossdock.move.validate import Result

app = typer.Typer(add_completion=False, no_args_is_help=True)
app.add_typer(redirects_app, name="redirects")
app.command("access")(access_command)
app.command("backup")(backup_command)
app.command("restore")(restore_command)
app.command("screenshots")(report.screenshots_command)
app.command("report")(report.report_command)


_STEPS = ("copy", "files", "validate")
_UNTIL = tuple(f"{step} {environment}" for environment in ("staging", "production") for step in _STEPS)

InEnvironment = Annotated[str, typer.Option("--in", metavar="ENV", help="staging or production")]
Full = Annotated[bool, typer.Option("--full", help="Read every file again, also those unchanged since an earlier run.")]
FromEnvironment = Annotated[str, typer.Option("--from", metavar="ENV", help="staging or production")]


@app.callback()
def move() -> None:
    """Move the stores: assess, plan, backup, copy, files, validate.

    Example: crossdock move run -c lumen/crossdock.toml
    """


@contextmanager
def _move(kind: str, config: Path, subject: str = "") -> Iterator[Move]:
    project = load(config)
    if subject:
        project.environment(subject)
    with booted(project.state) as hub, hub.running(kind, subject=subject) as journal, opened(project) as access:
        yield Move(project, access, journal, hub.watched(journal, LiveProgress()))


@app.command("assess")
def assess_command(
    server: Annotated[
        str, typer.Argument(metavar="[ssh://USER@HOST]", help="A server that no configuration knows yet.")
    ] = "",
    config: ConfigFile = DEFAULT_CONFIG,
    to: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Of such a server: where to keep the assessment.")
    ] = None,
    ssh_config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of such a server: the OpenSSH configuration, as in ssh -F.")
    ] = None,
    as_json: AsJson = False,
    open_: Annotated[
        bool, typer.Option("--open", help="Print only what a person must decide, ready to paste into crossdock.toml.")
    ] = False,
) -> None:
    """Survey all servers, read-only: what lives on them with its risks, sites, tables, users, DNS, mail, costs.

    Ends with exit code 4 while findings block; each names the decision it waits for. For a server that no configuration
    knows, nothing is kept but what --out names.

    Example: crossdock move assess -c lumen/crossdock.toml

    Example: crossdock move assess ssh://ada@shop.example:2222/var/www --out shop-assessment
    """
    if server:
        tell_stranger(server, ssh_config, to, as_json)
        return
    if to is not None or ssh_config is not None:
        raise typer.BadParameter(
            "--out and --ssh-config go with ssh://USER@HOST: crossdock.toml says both of a project"
        )
    with _move("assess", config) as moving:
        made = moving.assess()
    if as_json:
        print_json(made.as_json())
    elif open_:
        print_open(made.findings)
    else:
        print_assessment(made)
        print_costs(made.around)
        print_findings(made.findings)
        out.print(f"\nPage: {moving.config.state / 'assessment.html'}", markup=False)
    end_blocked(made.findings)


@app.command("plan")
def plan_command(
    config: ConfigFile = DEFAULT_CONFIG,
    tables: Annotated[bool, typer.Option("--tables", help="Print where every table goes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the plan: blog numbers, domains, paths, tables, people, what is left behind and why. Changes nothing.

    Ends with exit code 4 while findings block. Nothing is applied without a plan, and none whose facts have changed.

    Example: crossdock move plan -c lumen/crossdock.toml --json > plan.json
    """
    with _move("plan", config) as moving:
        planned = moving.plan()
    if as_json:
        facts: dict[str, Any] = plans.as_data(planned.plan)
        print_json(
            facts | {"people": placements_json(planned.people), "findings": [one.as_json() for one in planned.findings]}
        )
    else:
        print_plan(planned, tables=tables)
        print_findings(planned.findings)
        print_open(planned.findings)
    end_blocked(planned.findings)


@app.command("copy")
def copy_command(to: ToEnvironment, config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Copy every store into one environment by the plan. Stopped or killed, the same command goes on.

    Example: crossdock move copy --to staging -c lumen/crossdock.toml
    """
    with _move("copy", config, to) as moving:
        sums = moving.copy(to)
    if as_json:
        print_json(sums)
    else:
        out.print(
            f"{to}: {sums['rows_moved']:,} rows of {sums['tables']} tables are in, "
            f"{sums['rows_declared']:,} declared as left behind. Next: crossdock move validate --in {to}"
        )


@app.command("files")
def files_command(
    to: ToEnvironment, config: ConfigFile = DEFAULT_CONFIG, full: Full = False, as_json: AsJson = False
) -> None:
    """Carry uploads, themes and approved code into one environment, and compare every file of both sides by SHA-256.

    Stopped, killed or run again later, it carries only what is missing or has changed. Ends with exit code 1 when
    anything is missing, extra or different at the target.

    Example: crossdock move files --to staging -c lumen/crossdock.toml
    """
    with _move("files", config, to) as moving:
        result = moving.files(to, full=full)
    if as_json:
        print_json({**result.figures(), "green": result.green, "findings": [one.as_json() for one in result.findings]})
    else:
        print_result(f"files {to}", result)
    if not result.green:
        raise typer.Exit(RED)


@app.command("validate")
def validate_command(
    in_: InEnvironment, config: ConfigFile = DEFAULT_CONFIG, full: Full = False, as_json: AsJson = False
) -> None:
    """Prove a copy: every row both ways, values by PHP, samples by WordPress, each home by its domain, every file, and
    the site.

    Ends with exit code 1 when anything is missing, extra, different, broken or left, or a check of the site is red.

    Example: crossdock move validate --in staging -c lumen/crossdock.toml
    """
    with _move("validate", config, in_) as moving:
        result = moving.validate(in_, full=full)
    if as_json:
        print_json({**result.figures(), "green": result.green, "findings": [one.as_json() for one in result.findings]})
    else:
        print_result(in_, result)
    if not result.green:
        raise typer.Exit(RED)


@app.command("check")
def check_command(in_: InEnvironment, config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Check the site alone, without its rows: settings, domains, pages, uploads, signing in, carts. Takes seconds.

    For a second look after something was mended; only validate opens the way to production. Ends with exit code 1 when
    a check is red.

    Example: crossdock move check --in staging -c lumen/crossdock.toml
    """
    with _move("check", config, in_) as moving:
        verdict = moving.check(in_)
    if as_json:
        findings = [one.as_json() for one in verdict.findings]
        print_json({**verdict.figures(), "green": verdict.green, "findings": findings})
    else:
        print_result(in_, verdict)
    if not verdict.green:
        raise typer.Exit(RED)


@app.command("run")
def run_command(
    config: ConfigFile = DEFAULT_CONFIG,
    until: Annotated[str, typer.Option(metavar="STEP", help=f"Stop after this step: {', '.join(_UNTIL)}.")] = "",
) -> None:
    """Do the whole move in the foreground: assess, plan, staging, production. Killed, it goes on where it stopped.

    A red validation ends it with exit code 1 before anything further is touched.

    Example: crossdock move run -c lumen/crossdock.toml --until "validate staging"
    """
    if until and until not in _UNTIL:
        raise typer.BadParameter(f"{until!r} is no step; one of: {', '.join(_UNTIL)}")
    with _move("run", config) as moving:
        result = moving.run(until, lambda line: out.print(line, markup=False))
    if result is not None:
        print_result("last validation", result)
        if not result.green:
            raise typer.Exit(RED)


@app.command("discard")
def discard_command(
    from_: FromEnvironment,
    config: ConfigFile = DEFAULT_CONFIG,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Take our copy out of an environment again: its tables, people and network rows. The source is not touched.

    Example: crossdock move discard --from staging -c lumen/crossdock.toml
    """
    if not yes:
        typer.confirm(f"Remove everything that Crossdock copied to {from_}?", abort=True)
    with _move("discard", config, from_) as moving:
        dropped = moving.discard(from_)
    out.print(f"{from_}: {dropped} tables dropped, people and network rows taken back")


# -- rendering -------------------------------------------------------------------------------------------------------


def print_assessment(made: Assessment) -> None:
    """Both sides at a glance."""
    rows: list[list[object]] = []
    for one in made.sources:
        binlog = one.mysql.variables.get("binlog_format") if one.mysql.variables.get("log_bin") == "ON" else "off"
        rows.append(
            [
                one.server, one.installation.wp_version, len(one.blogs), one.installation.table_prefix,
                one.mysql.version.split("-")[0], str(binlog), len(one.schema.tables),
                sum(table.rows_estimate for table in one.schema.tables), len(one.users), one.transport,
            ]
        )  # fmt: skip
    columns = ["Source", "WordPress", "Blogs", "Prefix", "Database", "Binlog", "Tables", "Rows", "Users", "Way"]
    print_table(columns, rows)
    targets = [
        [
            one.environment,
            one.installation.wp_version,
            one.network_domain,
            one.mysql.version.split("-")[0],
            "on" if one.mysql.variables.get("local_infile") == "ON" else "off",
            one.transport,
        ]
        for one in made.targets
    ]
    print_table(["Target", "WordPress", "Network", "Database", "Local infile", "Way"], targets)
    print_items(made)


def print_items(made: Assessment) -> None:
    """What was found, by kind, and where it goes."""
    servers = [one.server for one in made.sources]
    placed: dict[str, list[tuple[str, str]]] = {}
    for item, there in made.destinations.items:
        placed.setdefault(item.kind, []).append((item.server, there.choice))
    rows: list[list[object]] = []
    for kind, some in sorted(placed.items()):
        choices = Counter(choice for _, choice in some)
        told = ", ".join(f"{count} {choice}" for choice, count in sorted(choices.items()) if choice != "open")
        rows.append([kind, *(sum(one == server for one, _ in some) for server in servers), told, choices["open"]])
    print_table(["Found", *servers, "goes", "open"], rows)


def print_open(found: Sequence[Finding]) -> None:
    """The lines of [decisions] that are still to be written."""
    lines = open_block(found)
    if lines:
        out.print("\nTo be decided, for crossdock.toml", style="bold")
    for line in lines:
        out.print(line, markup=False)


def print_plan(planned: Planned, *, tables: bool = False) -> None:
    """The plan for people."""
    drawn = planned.plan
    for environment in ("staging", "production"):
        rows: list[list[object]] = [
            [
                store.store, site.server, store.source_blog, store.target_blog, store.source_urls[0],
                store.target_url, store.source_prefix, store.target_prefix,
            ]
            for site in drawn.sites(environment)
            for store in site.stores
        ]  # fmt: skip
        if rows:
            out.print(f"\n{environment}", style="bold")
            print_table(["Store", "Server", "Blog", "becomes", "Address", "becomes", "Prefix", "becomes"], rows)
    left = [[one.server, one.source, one.reason] for one in drawn.tables if one.disposition != "carry"]
    if left:
        out.print("\nTables that are not carried", style="bold")
        print_table(["Server", "Table", "Why"], left)
    if tables:
        out.print("\nTables", style="bold")
        rows = [[one.server, one.source, *one.targets.values()] for one in drawn.tables if one.disposition == "carry"]
        print_table(["Server", "Table", *(f"in {one.environment}" for one in drawn.networks)], rows)
    out.print("\nLeft behind or rebuilt", style="bold")
    print_table(["What", "Why"], [list(one) for one in drawn.left_behind])
    people = [
        [server, one.source_id, one.target_id, "merged" if one.merged else f"renamed to {one.login}", one.reason]
        for server, some in planned.people.items()
        for one in some
    ]
    if people:
        out.print("\nPeople who are merged or renamed", style="bold")
        print_table(["Server", "User", "becomes", "How", "Why"], people)
    going = ", ".join(f"{count} {choice}" for choice, count in destination_counts(drawn.destinations).items())
    out.print(f"\nDestinations of what was found: {going or 'none'}")
    counts = plans.known_share(drawn)
    out.print(f"\nPlan {drawn.digest}\n{counts.get('carry', 0)} tables are carried; facts {drawn.facts[:12]}")


def print_result(title: str, result: Result | FilesResult | SiteVerdict) -> None:
    """The figures and findings of a validation, or of a check of the site."""
    print_table([title, ""], [[name, count] for name, count in result.figures().items()])
    print_findings(result.findings)
    out.print("GREEN" if result.green else "RED", style="bold green" if result.green else "bold red")
