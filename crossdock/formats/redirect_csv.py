"""The redirect map as CSV, for people and their spreadsheets: written, and read back with every error at once."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from crossdock.core.redirects import (
    ACTIONS,
    GONE,
    MATCHES,
    REDIRECTS,
    Action,
    MapRow,
    Match,
    address_of,
    landing,
    python_pattern,
)

COLUMNS = ("source", "match", "action", "target", "status", "origin", "hits", "note")
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)*(?::\d+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
MOST_BYTES = 200 << 20
_LONGEST_CELL = 8_192


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a line (1 is the header)."""

    line: int
    what: str


def render_csv(rows: Iterable[MapRow]) -> str:
    """The map as text: comma, double quotes, CRLF (RFC 4180). A cell that a spreadsheet would take for a formula gets
    an apostrophe in front, which `parse_csv` takes away again."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        cells = (row.source, row.match, row.action, row.target, row.status or "", row.origin, row.hits, row.note)
        writer.writerow([_safe(cell) if isinstance(cell, str) else cell for cell in cells])
    return out.getvalue()


def _safe(cell: str) -> str:
    clean = cell.strip().encode("utf-8", "replace").decode().replace("\0", "")
    return f"'{clean}" if clean.startswith((*_FORMULA, "'")) else clean


def parse_csv(body: bytes) -> tuple[list[tuple[int, MapRow]], list[Wrong]]:
    """Rows of a map with their lines, and everything that is wrong with it. Comma or semicolon, with or without BOM."""
    if len(body) > MOST_BYTES:
        return [], [Wrong(1, f"the file is larger than {MOST_BYTES >> 20} MB")]
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        return [], [Wrong(line, "is not UTF-8: save it as CSV UTF-8")]
    if "\0" in text:
        return [], [Wrong(text[: text.index("\0")].count("\n") + 1, "holds a NUL character")]
    first = text.partition("\n")[0]
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ",", strict=True
    )
    try:
        return _parsed(reader)
    except csv.Error as error:
        return [], [Wrong(reader.line_num, f"is no CSV: {error}")]


def _parsed(reader: Iterable[list[str]]) -> tuple[list[tuple[int, MapRow]], list[Wrong]]:
    rows: list[tuple[int, MapRow]] = []
    wrong: list[Wrong] = []
    header: list[str] = []
    lines = iter(reader)
    for cells in lines:
        header = [cell.strip().lower() for cell in cells]
        break
    if missing := [name for name in ("source", "action") if name not in header]:
        return [], [Wrong(1, f"column {' and '.join(missing)} is missing; the columns are {', '.join(COLUMNS)}")]
    for cells in lines:
        line = getattr(reader, "line_num", 0)
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header):
            wrong.append(Wrong(line, "has more cells than the header: quote cells that hold the separator"))
            continue
        row, problems = _row(dict(zip(header, (_plain(cell) for cell in cells), strict=False)))
        rows.append((line, row))
        wrong += [Wrong(line, problem) for problem in problems]
        if not problems:
            wrong += [Wrong(line, problem) for problem in _shape(row)]
    return rows, wrong


def _plain(cell: str) -> str:
    cell = cell.strip()
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*_FORMULA, "'")) else cell


def _row(cells: dict[str, str]) -> tuple[MapRow, list[str]]:
    wrong = [
        f"{name}: a cell of more than {_LONGEST_CELL} characters"
        for name, cell in cells.items()
        if len(cell) > _LONGEST_CELL
    ]
    match, action = cells.get("match", "").lower() or "exact", cells.get("action", "").lower()
    if match not in MATCHES:
        wrong.append(f"match: {match!r} is none of {', '.join(MATCHES)}")
    if action not in ACTIONS:
        wrong.append(f"action: {action!r} is none of {', '.join(ACTIONS)}")
    numbers = {}
    for name in ("status", "hits"):
        text = cells.get(name, "") or "0"
        if not text.isascii() or not text.isdigit() or len(text) > 12:
            wrong.append(f"{name}: {text!r} is no whole number")
        else:
            numbers[name] = int(text)
    usual = {"kept": 200, "moved": 301, "gone": GONE, "unknown": 0}
    row = MapRow(
        source=cells.get("source", ""),
        match=match if match in get_args(Match) else "exact",  # type: ignore[arg-type]
        action=action if action in get_args(Action) else "unknown",  # type: ignore[arg-type]
        target=cells.get("target", ""),
        status=numbers.get("status", 0) or usual.get(action, 0),
        origin=cells.get("origin", ""),
        hits=numbers.get("hits", 0),
        note=cells.get("note", ""),
    )
    return row, wrong


def _shape(row: MapRow) -> Sequence[str]:
    """What is wrong with a row by itself."""
    wrong = []
    if row.match == "exact" and address_of(row.source) is None:
        wrong.append(f"source: {row.source!r} is no http(s) address")
    if row.match == "pattern":
        host, pattern = row.parts
        try:
            python_pattern(pattern)
        except ValueError as error:
            wrong.append(f"source: {error}")
        if not host or not pattern:
            wrong.append("source: a pattern is written as: host, a blank, a regular expression")
    if row.match == "host" and (row.action != "moved" or not _HOST.fullmatch(row.source)):
        wrong.append("source: a host is written as its name alone, and moved")
    if row.action in ("kept", "moved") and landing(row) is None:
        wrong.append(f"target: {row.target!r} is no http(s) address")
    if row.action == "moved" and row.status not in REDIRECTS:
        wrong.append(f"status: {row.status} is no redirect")
    if row.action == "gone" and (row.status != GONE or not row.note):
        wrong.append("note: what is gone on purpose needs status 410, and a name and reason as its note")
    return wrong
