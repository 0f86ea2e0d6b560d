"""crossdock move screenshots and crossdock move report: parse, call once, render."""

from __future__ import annotations

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
from crossdock.core.config import load
from crossdock.hub.boot import booted
from crossdock.hub.moves.access import opened
from crossdock.hub.moves.actions import Move
from crossdock.hub.moves.report import make
from crossdock.hub.moves.report_words import LANGUAGES

InEnvironment = Annotated[str, typer.Option("--in", metavar="ENV", help="staging or production")]


def screenshots_command(
    in_: InEnvironment,
    config: ConfigFile = DEFAULT_CONFIG,
    pages: Annotated[
        int, typer.Option(min=0, metavar="N", help="Key pages of each store; 0: [policies.screenshots] pages.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Take pictures of each store's key pages, source beside target, for a phone and a desk, and mark what differs.

    Needs Chromium (apt install chromium). Nothing but the stores is asked. Stopped or killed, the same command goes on.
    Ends with exit code 1 when a page could not be drawn.

    Example: crossdock move screenshots --in staging -c lumen/crossdock.toml
    """
    project = load(config)
    project.environment(in_)
    with booted(project.state) as hub, hub.running("screenshots", subject=in_) as journal, opened(project) as access:
        album = Move(project, access, journal, hub.watched(journal, LiveProgress())).screenshots(in_, most_pages=pages)
    if as_json:
        found = [one.as_json() for one in album.findings]
        print_json({**album.figures(), "pages": [one.as_json() for one in album.seen], "findings": found})
    else:
        rows = [[one.store, one.page, one.width, f"{one.different_percent:.2f} %"] for one in album.seen]
        print_table(["Store", "Page", "Width", "Different"], rows)
        print_findings(album.findings)
        out.print(f"\n{album.figures()['pictures']} pictures in {album.folder}", markup=False)
    if not album.green:
        raise typer.Exit(RED)


def report_command(
    in_: InEnvironment,
    config: ConfigFile = DEFAULT_CONFIG,
    language: Annotated[str, typer.Option("--language", metavar="LANG", help=f"One of {', '.join(LANGUAGES)}.")] = "en",
    as_json: AsJson = False,
) -> None:
    """Write the report of one environment, as a web page and as a PDF, from receipts and findings alone.

    Reaches no server. Refuses evidence that was changed, and pictures that are not those which were taken.

    Example: crossdock move report --in production --language de -c lumen/crossdock.toml
    """
    project = load(config)
    project.environment(in_)
    with booted(project.state) as hub, hub.running("report", subject=in_) as journal:
        made = make(project, in_, language, hub, journal, hub.watched(journal, LiveProgress()))
    if as_json:
        print_json({"verdict": made.verdict, "html": str(made.html), "pdf": str(made.pdf), **made.figures})
        return
    out.print(f"{in_}: {made.verdict}; {made.figures['pages']} pages, {made.figures['findings']:,} findings")
    out.print(f"{made.html}\n{made.pdf}", markup=False)
