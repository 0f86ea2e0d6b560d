"""crossdock demo: the whole job on the lab, watched from one terminal."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from crossdock.cli.backup import print_backups
from crossdock.cli.bridge import print_harmless
from crossdock.cli.console import LiveProgress, err, out
from crossdock.cli.lab import profile_of
from crossdock.cli.move import print_assessment, print_plan, print_result
from crossdock.core.config import Config, load
from crossdock.core.errors import CrossdockError
from crossdock.formats.redirect_csv import render_csv
from crossdock.hub.boot import booted
from crossdock.hub.moves.access import opened
from crossdock.hub.moves.actions import Move
from crossdock.hub.moves.backups import Backups
from crossdock.hub.moves.bridges import Bridge, own_redirects
from crossdock.hub.moves.redirects import Redirects
from crossdock.hub.moves.report import make as make_report
from crossdock.lab.access import config_with_state
from crossdock.lab.lab import Lab
from crossdock.move import plan as plans
from crossdock.move.validate import Result

app = typer.Typer(add_completion=False)
DEFAULT_STATE = Path("demo")
_SUMS = (
    "rows_source", "rows_moved", "rows_declared", "rows_missing", "rows_extra", "rows_different", "oracle_failures",
    "source_urls_left", "files_total", "files_missing", "files_extra", "files_different", "urls_total", "urls_moved",
    "urls_gone", "urls_failed", "site_checks", "site_failed",
)  # fmt: skip
_DEAD = "answered nobody before the move either"


@app.command()
def demo(
    state: Annotated[Path, typer.Option(help="Folder for what the demo leaves: demo.json, plan, evidence.")] = (
        DEFAULT_STATE
    ),
    profile: Annotated[str, typer.Option(help="The managed host's manners: gateway or tunnel.")] = "gateway",
    size: Annotated[str, typer.Option(help="tiny, small, medium or large.")] = "small",
    seed: Annotated[int, typer.Option(help="The same seed makes the same stores.")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the servers running at the end.")] = False,
) -> None:
    """Start the lab, move its stores and prove the result.

    Three real servers with four stores become one multisite, on staging first, then on production; then one order's
    total is altered to show that the proof finds it. Ends with exit code 1 if anything was lost.

    Example: crossdock demo --size small --keep
    """
    _clear(state)
    watch = Stopwatch()
    lab = Lab(profile=profile_of(profile), size=size, seed=seed)
    with watch.stage("lab up"), err.status("Starting the lab") as status:
        lab.up(lambda step: status.update(f"Lab: {step}"))
    try:
        # The lab's folder goes away: what the demo leaves must not.
        project = load(config_with_state(lab.config, state.absolute()))
        facts = _moved(lab, project, watch)
        facts["seconds"] = watch.seconds
        facts["not_real"] = not_real(lab)
        (state / "demo.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        _tell(lab, state, facts)
        _wait(lab, keep)
    except BaseException:
        if keep:
            err.print("The servers are still up. To stop them: crossdock lab down", markup=False)
        raise
    finally:
        if not keep:
            lab.down()
    if not facts["proved"]:
        raise typer.Exit(1)


def not_real(lab: Lab) -> list[str]:
    """What a reader of the demo's report must know."""
    return [
        "the servers: real daemons on loopback, no network between them",
        "the person who looks at the addresses that were dead at the sources already: the demo declares them gone",
        *lab.not_real,
    ]


class Stopwatch:
    """Seconds for each stage, in whole milliseconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begin = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - begin, 3)


def _clear(state: Path) -> None:
    """Empties the folder of an earlier demo, and no other."""
    if state.exists():
        if any(state.iterdir()) and not (state / "demo.json").exists() and not (state / "hub.sqlite3").exists():
            raise CrossdockError(
                "the folder is not empty and holds no earlier demo", where=str(state), way_out="--state FOLDER"
            )
        shutil.rmtree(state)
    state.mkdir(parents=True)


def _moved(lab: Lab, project: Config, watch: Stopwatch) -> dict[str, Any]:
    with booted(project.state) as hub, hub.running("demo") as journal, opened(project) as access:
        moving = Move(project, access, journal, hub.watched(journal, LiveProgress()))
        with watch.stage("assess"):
            made = moving.assess()
        print_assessment(made)
        with watch.stage("plan"):
            planned = moving.plan(made)
        print_plan(planned)
        plans.refuse_blocked(planned.findings)
        journal.receipt("demo", project.project.name, {"not_real": not_real(lab)})
        with watch.stage("backup"):
            backups = Backups(project, journal, moving.progress).make()
        print_backups(backups)
        results: dict[str, Result] = {}
        for environment in ("staging", "production"):
            with watch.stage(f"bridge {environment}"):
                _bridge(moving, environment).install()
            with watch.stage(f"copy {environment}"):
                moving.copy(environment)
            with watch.stage(f"files {environment}"):
                moving.files(environment)
            with watch.stage(f"redirects {environment}"):
                _redirect(moving, environment)
            with watch.stage(f"validate {environment}"):
                results[environment] = moving.validate(environment)
            print_result(environment, results[environment])
            if environment == "staging":
                out.print("\nMails, an order, a webhook, a payment and due work are provoked on staging ...")
                with watch.stage("prove staging harmless"):
                    harmless = _bridge(moving, environment).prove_harmless()
                print_harmless(harmless)
        found = _altered(lab, moving, planned.plan.network("staging").first_blog, watch)
        with watch.stage("screenshots production"):
            album = moving.screenshots("production", most_pages=2)
        with watch.stage("report production"):
            report = make_report(project, "production", "en", hub, journal, moving.progress)
        levels = Counter(str(one.level) for one in hub.findings())
    figures = {name: result.figures() for name, result in results.items()}
    chain = hub.chain()
    green = all(result.green for result in results.values())
    return {
        "proved": green and harmless.proved and bool(found) and chain.holds and album.green,
        "backup_proved": all(one.proved for one in backups),
        "findings": dict(levels),
        "screenshots": album.figures(),
        "report": {"html": str(report.html), "pdf": str(report.pdf), "verdict": report.verdict, **report.figures},
        "stores": len(project.stores),
        **{name: sum(one[name] for one in figures.values()) for name in _SUMS},
        **harmless.figures(),
        "sinks_received": len(lab.sinks.requests()) + len(lab.sinks.mails()),
        "environments": figures,
        "alteration_found": found,
        "receipts": len(chain.receipts),
        "evidence_head": chain.head,
    }


def _bridge(moving: Move, environment: str) -> Bridge:
    return Bridge(moving.config, moving.access.target(environment), moving.journal)


def _redirect(moving: Move, environment: str) -> None:
    """Harvests the map, answers what only a person can, and gives it to the bridge."""
    redirects = Redirects(moving.config, environment, moving.journal, moving.progress)
    redirects.harvest()
    answered = [
        replace(row, action="gone", status=410, note=_DEAD) if row.action == "unknown" else row
        for row in redirects.rows()
    ]
    edited = redirects.path.with_suffix(".edited.csv")
    edited.write_text(render_csv(answered), encoding="utf-8", errors="surrogateescape")
    mapped = redirects.review(edited, "the demo")
    edited.unlink()
    told = ", ".join(f"{count:,} {name.removeprefix('urls_')}" for name, count in mapped.figures.items())
    out.print(f"\nAddresses of {environment}: {told}", markup=False)
    _bridge(moving, environment).install(own_redirects(moving.config, environment, moving.journal, moving.progress))


def _altered(lab: Lab, moving: Move, first_blog: int, watch: Stopwatch) -> list[str]:
    """Alters one order's total on staging, validates, and puts it back; returns the findings that name it."""
    table = f"wp_{first_blog}_wc_orders"
    database = moving.access.target("staging").installation.db_name
    with lab.connect("managed", database) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT id, total_amount FROM {table} WHERE type = 'shop_order' ORDER BY id LIMIT 1")
        row = cursor.fetchone()
        if row is None:
            raise CrossdockError("the first store has no order to alter", where=table)
        change = f"UPDATE {table} SET total_amount = %s WHERE id = %s"
        cursor.execute(change, (row[1] + Decimal("0.01"), row[0]))
        connection.commit()
        out.print(f"\nSomebody adds one cent to order {row[0]} of the first store, on staging ...")
        with watch.stage("validate altered"):
            result = moving.validate("staging")
        cursor.execute(change, (row[1], row[0]))
        connection.commit()
        with watch.stage("validate put back"):
            whole = moving.validate("staging")
    found = [f"{one.code} {one.place}: {one.text}" for one in result.findings if table in one.place]
    for line in found or ["... and nobody noticed: that is a fault of ours"]:
        out.print(f"... found: {line}" if found else line, style="bold", markup=False)
    return found if not result.green and whole.green else []


def _tell(lab: Lab, state: Path, facts: dict[str, Any]) -> None:
    total = round(sum(facts["seconds"].values()))
    out.print(
        f"\n{facts['stores']} stores moved to staging and production in {total} s: {facts['rows_moved']:,} of "
        f"{facts['rows_source']:,} rows moved and {facts['rows_declared']:,} declared; "
        f"{facts['rows_missing']} missing, {facts['rows_extra']} extra, {facts['rows_different']} different; "
        f"{facts['oracle_failures']} values broken; "
        f"{facts['source_urls_left']} old addresses left. {facts['files_total']:,} files, "
        f"{facts['files_missing'] + facts['files_extra'] + facts['files_different']} of them not the same; "
        f"{facts['urls_total']:,} addresses asked, {facts['urls_failed']} failed; {facts['site_checks']:,} checks of "
        f"the sites, {facts['site_failed']} failed; {facts['staging_leaks']} leaks from staging.",
        style="bold",
    )
    out.print("\nNot real here:")
    for line in facts["not_real"]:
        out.print(f"  - {line}", markup=False)
    out.print(
        f"\nOpen\n  {state}/report-production.html   what happened, for the owner; also as .pdf"
        f"\n  {state}/assessment.html   what was found on the servers"
        f"\n\nLook at\n  {state}/demo.json         all figures"
        f"\n  {state}/plan.json         where everything went, and why"
        f"\n  {state}/redirects-production.csv   what became of every address"
    )
    config = state / lab.config.name
    out.print(
        f"\nThe same on screens:\n  crossdock people add you@example.com --role operator -c {config}"
        f"\n  crossdock serve -c {config}\n  crossdock plan -c {config}   what of the whole project is done",
        markup=False,
    )


def _wait(lab: Lab, keep: bool) -> None:
    if not keep and not sys.stdin.isatty():
        out.print("\nThe servers are stopped now; to look at the stores in a browser: crossdock demo --keep")
        return
    out.print(
        "\nOpen the stores in a browser that uses the lab as its proxy:"
        f"\n  chromium --proxy-server={lab.sources_proxy} http://www.north.example/                 before the move"
        f"\n  chromium --proxy-server={lab.target_proxy} http://north.staging.lumen.example/       staging"
        f"\n  chromium --proxy-server={lab.target_proxy} http://www.north.example/                 production"
        f"\n  curl -x {lab.target_proxy} http://north.staging.lumen.example/                       without one"
    )
    if keep:
        out.print("\nThe servers stay up until: crossdock lab down")
    else:
        typer.prompt("\nEnter stops the servers", default="", show_default=False)
