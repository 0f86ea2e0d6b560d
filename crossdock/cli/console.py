"""What all commands print with: tables for people, JSON for programs, live progress."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from crossdock.core.evidence import Finding, Level

ConfigFile = Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="The project's crossdock.toml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ToEnvironment = Annotated[str, typer.Option("--to", metavar="ENV", help="staging or production")]
DEFAULT_CONFIG = Path("crossdock.toml")
QUIET_SECONDS = 10.0
RED = 1
BLOCKED = 4
_STYLES = {Level.BLOCK: "bold red", Level.FAIL: "red", Level.WARN: "yellow", Level.INFO: "dim"}

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: Any, *, to_stderr: bool = False) -> None:
    """One JSON document on stdout. Floats only where the value has them; dates as text."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str), err=to_stderr)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], console: Console = out) -> None:
    """A plain table on stdout; columns whose values are all integers stand right."""
    shown = [list(row) for row in rows]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, column in enumerate(columns):
        numeric = bool(shown) and all(isinstance(row[position], int) for row in shown)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in shown:
        table.add_row(*(Text(f"{cell:,}" if isinstance(cell, int) else str(cell)) for cell in row))
    console.print(table)


def print_findings(found: Sequence[Finding]) -> None:
    """Each finding on a line; the way out under those that stop something."""
    if found:
        out.print("\nFindings", style="bold")
    for one in found:
        out.print(f"{one.level!s:5} {one.code:24} {one.place}: {one.text}", style=_STYLES[one.level], markup=False)
        if one.way_out and one.level in (Level.BLOCK, Level.FAIL):
            out.print(f"      {one.way_out}", markup=False)


def end_blocked(found: Sequence[Finding]) -> None:
    """Ends with exit code 4 while a person must decide."""
    if any(one.level is Level.BLOCK for one in found):
        raise typer.Exit(BLOCKED)


class LiveProgress:
    """core.ports.Progress on stderr: a bar on a terminal, elsewhere a line now and then."""

    def __init__(self, console: Console = err) -> None:
        self._console = console
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._stage, self._noun = "", "rows"
        self._rows = self._bytes = self._rows_total = 0
        self._began = self._told = 0.0

    def start(self, stage: str, *, rows: int, bytes_: int, noun: str = "rows") -> None:
        """Begins a stage. `rows` and `bytes_` are what is expected; 0 where unknown. `noun` names what is counted."""
        self.finish()
        self._stage, self._rows_total, self._noun = stage, rows, noun
        self._rows = self._bytes = 0
        self._began = self._told = time.monotonic()
        if self._console.is_terminal:
            self._bar = _bar(self._console)
            self._task = self._bar.add_task(stage, total=rows or None, place="", pace="")
            self._bar.start()

    def advance(self, place: str, *, rows: int, bytes_: int) -> None:
        self._rows += rows
        self._bytes += bytes_
        if self._bar:
            self._bar.update(self._task, completed=self._rows, place=place, pace=self._pace())
        elif time.monotonic() - self._told >= QUIET_SECONDS:
            self._told = time.monotonic()
            left = f", about {self._seconds_left():,.0f} s left" if self._rows_total else ""
            done = f"{self._rows:,} of about {self._rows_total:,} {self._noun}"
            self._tell(f"{self._stage}: {done}, {self._pace()}{left} ({place})")

    def finish(self) -> None:
        if not self._stage:
            return
        if self._bar:
            self._bar.stop()
            self._bar = None
        seconds = time.monotonic() - self._began
        self._tell(f"{self._stage}: {self._rows:,} {self._noun}, {decimal(self._bytes)} in {seconds:.1f} s")
        self._stage = ""

    def _pace(self) -> str:
        seconds = max(time.monotonic() - self._began, 0.001)
        return f"{self._rows / seconds:,.0f} {self._noun}/s, {decimal(int(self._bytes / seconds))}/s"

    def _seconds_left(self) -> float:
        seconds = time.monotonic() - self._began
        return seconds * max(self._rows_total - self._rows, 0) / max(self._rows, 1)

    def _tell(self, line: str) -> None:
        self._console.print(line, markup=False)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[pace]}", markup=False),
        TextColumn("{task.fields[place]}", markup=False, style="dim"),
        console=console,
        transient=True,
    )
