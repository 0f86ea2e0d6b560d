"""crossdock rewrite: a SQL dump from standard input to standard output."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import asdict, astuple
from typing import Annotated, Any

import typer
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from crossdock.cli.console import AsJson, err, print_json, print_table
from crossdock.core.errors import ConfigError, SourceError, TargetError
from crossdock.formats.sql_dump import SqlDump
from crossdock.formats.sql_literals import TableCounts
from crossdock.wordpress.rewriting import Rewriter
from crossdock.wordpress.url_rules import url_rules

app = typer.Typer(add_completion=False)

_READ_BYTES = 1 << 18  # stays in the processor's cache, from reading to writing
_IN, _OUT = 0, 1


@app.command()
def rewrite(
    urls: Annotated[
        list[str], typer.Argument(metavar="FROM TO [FROM TO ...]", help="URLs: scheme, host, optional path.")
    ],
    backslash_escapes: Annotated[
        bool | None,
        typer.Option(
            "--backslash-escapes/--no-backslash-escapes",
            help="Whether a backslash escapes in strings. By default as the dump's own SET sql_mode says.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rewrite the addresses in a SQL dump, from standard input to standard output.

    Each address FROM, behind any scheme or //, plain, JSON-escaped or URL-encoded, at any depth of serialized data,
    becomes TO, and PHP still reads every value. All else stays byte for byte. Counts go to standard error.

    Ends with exit code 10 when the dump can't be read to its end: what is written until then is not whole.

    Example: crossdock rewrite https://shop.example https://www.network.example/shop < dump.sql > out.sql
    """
    try:
        rewriter = Rewriter(url_rules(urls))
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from None
    if not _is_given():
        raise typer.BadParameter("give a dump on standard input: crossdock rewrite FROM TO < dump.sql > out.sql")
    began, written = time.monotonic(), 0
    dump = SqlDump(rewriter, backslash_escapes=backslash_escapes)
    with _progress(hidden=as_json) as bar:
        task = bar.add_task("rewrite", total=_bytes_expected(), table="")
        for piece in dump.rewritten(_chunks()):
            _write(piece)
            written += len(piece)
            bar.update(task, completed=dump.bytes_read, table=dump.table)
    _tell(dump, written, time.monotonic() - began, as_json=as_json)


def _is_given() -> bool:
    """Whether standard input is open, and no terminal."""
    try:
        os.fstat(_IN)
    except OSError:
        return False
    return not os.isatty(_IN)


def _progress(*, hidden: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[table]}", markup=False, style="dim"),
        console=err,
        transient=True,
        disable=hidden or not err.is_terminal,
    )


def _bytes_expected() -> int | None:
    """The dump's size, where it is a file."""
    return os.fstat(_IN).st_size or None


def _chunks() -> Iterator[bytes]:
    try:
        while chunk := os.read(_IN, _READ_BYTES):
            yield chunk
    except OSError as error:
        raise SourceError(f"can't be read: {error.strerror}", where="standard input") from error


def _write(piece: bytes) -> None:
    left = memoryview(piece)
    try:
        while left:
            left = left[os.write(_OUT, left) :]
    except OSError as error:
        way_out = "make room and run it again: what has been written is not whole"
        raise TargetError(f"can't be written: {error.strerror}", where="standard output", way_out=way_out) from error


def _tell(dump: SqlDump, written: int, seconds: float, *, as_json: bool) -> None:
    total = TableCounts()
    for counts in dump.tables.values():
        total += counts
    if as_json:
        told: dict[str, Any] = {"bytes_read": dump.bytes_read, "bytes_written": written, "seconds": round(seconds, 3)}
        tables = {name: asdict(counts) for name, counts in dump.tables.items()}
        print_json({**told, "total": asdict(total), "tables": tables}, to_stderr=True)
        return
    shown = {name: counts for name, counts in dump.tables.items() if counts.values or counts.left}
    if shown:
        columns = ["Table", "Rows", "Values", "Addresses", "Broken before", "Left", "Too long"]
        print_table(columns, ([name, *astuple(counts)] for name, counts in shown.items()), err)
    if total.too_long:
        err.print(f"{total.too_long:,} values do not fit into their columns any more: a server refuses or cuts them")
    err.print(
        f"{total.addresses:,} addresses in {total.values:,} values of {len(shown):,} tables rewritten; "
        f"{len(dump.tables):,} tables, {total.rows:,} rows, {decimal(dump.bytes_read)} "
        f"in {seconds:.1f} s ({decimal(int(dump.bytes_read / max(seconds, 0.001)))}/s)"
    )
