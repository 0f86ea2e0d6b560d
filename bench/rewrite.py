"""How fast a dump's addresses are rewritten, and how rightly, beside the tools that people use for it.

    python bench/rewrite.py [--rows 1000000] [--runs 5] [--json out.json]

Generates a WooCommerce database and adds a table of values that PHP itself made (serialized in serialized, in JSON, in
custom formats), dumps it with mariadb-dump, and rewrites the dump by each tool in turn (A B C, A B C, ...). Then each
tool's result is loaded, and PHP reads every value that it changed, before and after.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import engine
import peers
import values
from dump_verdict import Verdict, verdict_of
from rich.console import Console
from rich.table import Table
from stage import SOURCE_DATABASE, Stage, open_stage

from crossdock.lab.data.table_sql import table_sql

SOURCE_URL, TARGET_URL = f"https://{values.HOST}", f"https://{engine.TARGET_HOST}"
OURS, GO, SED, WP = "crossdock rewrite", "go-search-replace", "sed", "wp search-replace"
_ORACLE = Path(__file__).parents[1] / "tests" / "edges" / "rewriting_oracle.php"
_HARD_VALUES, _HARD_TABLE = 5_000, "wp_hard_values"


@dataclass
class Tool:
    """`argv` rewrites a dump from stdin to stdout; None: WP-CLI, which works in the loaded database."""

    name: str
    argv: list[str] | None
    seconds: list[float] = field(default_factory=list)
    verdict: Verdict | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def main() -> None:
    wanted = _arguments()
    with open_stage(wanted.rows, wanted.seed, keep=wanted.keep) as stage:
        _add_hard_values(stage)
        dump, store = stage.folder / "dump.sql", stage.folder / "store.sql"
        _to_file(peers.dump(stage), dump)
        # Speed is told of a store as it is; the hard values are there for the verdict.
        _to_file([*peers.dump(stage), f"--ignore-table={SOURCE_DATABASE}.{_HARD_TABLE}"], store)
        size = store.stat().st_size
        share = stage.made.url_rows / stage.made.rows
        print(f"dump of {size / 1e6:,.0f} MB, {share:.1%} of its rows with URLs", file=sys.stderr)
        tools, missing = _tools()
        for tool in tools * wanted.runs:
            if tool.argv:
                tool.seconds.append(_seconds(tool.argv, store))
                print(f"  {tool.name}: {size / tool.seconds[-1] / 1e6:,.0f} MB/s", file=sys.stderr, flush=True)
        for tool in tools:
            _judge(stage, tool, dump)
    _show(tools, missing, size)
    if wanted.json:
        wanted.json.write_text(json.dumps(_result(tools, missing, size), indent=1) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--keep", action="store_true", help="keep the generated database for the next bench")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _tools() -> tuple[list[Tool], list[str]]:
    crossdock = Path(sys.executable).with_name("crossdock")
    hosts = [values.HOST, engine.TARGET_HOST]
    found = [
        Tool(OURS, [str(crossdock), "rewrite", SOURCE_URL, TARGET_URL, "--json"]),
        Tool(GO, [GO, *hosts]),
        Tool(SED, [SED, f"s/{values.HOST}/{engine.TARGET_HOST}/g"]),
        Tool(WP, None),
    ]
    programs = {WP: "php"}
    missing = [tool.name for tool in found if shutil.which(programs.get(tool.name, (tool.argv or [""])[0])) is None]
    return [tool for tool in found if tool.name not in missing], missing


def _add_hard_values(stage: Stage) -> None:
    """Values that PHP made, with the bench's host in them."""
    script = stage.folder / "oracle.php"
    script.write_text(_ORACLE.read_text(encoding="utf-8").replace("south.example", values.HOST), encoding="utf-8")
    lines = subprocess.run(
        ["php", str(script), "generate", "1", str(_HARD_VALUES)], capture_output=True, check=True
    ).stdout.splitlines()
    connection = stage.source.connect(SOURCE_DATABASE)
    connection.query(f"DROP TABLE IF EXISTS {_HARD_TABLE}")
    connection.query(table_sql(_HARD_TABLE, "id serial_id; value longtext; PRIMARY KEY (id)"))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {_HARD_TABLE} (value) VALUES (CONVERT(FROM_BASE64(%s) USING utf8mb4))",
            [line.split(b" ")[0].decode() for line in lines],
        )
    connection.close()


# -- running -----------------------------------------------------------------------------------------------------------


def _to_file(argv: list[str], path: Path) -> None:
    with path.open("wb") as file:
        subprocess.run(argv, stdout=file, check=True)


def _seconds(argv: list[str], dump: Path) -> float:
    """From start to end of the process; its output goes to /dev/null, so that no disk is measured."""
    begin = time.perf_counter()
    with dump.open("rb") as file:
        done = subprocess.run(
            argv, stdin=file, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=_env(), check=False
        )
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise RuntimeError(f"{argv[0]} ended with {done.returncode}: {done.stderr[-2000:].decode('utf-8', 'replace')}")
    return seconds


def _env() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C"}  # sed's fastest


def _judge(stage: Stage, tool: Tool, dump: Path) -> None:
    """Loads what the tool makes of the dump, and has PHP read it."""
    stage.fresh_target()
    made = stage.folder / "made.sql"
    try:
        with dump.open("rb") as source, made.open("wb") as target:
            subprocess.run(
                tool.argv or ["cat"], stdin=source, stdout=target, stderr=subprocess.DEVNULL, env=_env(), check=True
            )
        with made.open("rb") as file:
            subprocess.run(peers.load(stage), stdin=file, check=True)
    finally:
        made.unlink(missing_ok=True)
    if tool.argv is None:
        tool.seconds.append(peers.wp_search_replace(stage, engine.TARGET_HOST))
    tool.verdict = verdict_of(stage.endpoint(stage.source), stage.endpoint(stage.target), values.HOST)
    print(f"  {tool.name}: {tool.verdict}", file=sys.stderr, flush=True)


# -- telling -----------------------------------------------------------------------------------------------------------


def _result(tools: list[Tool], missing: list[str], size: int) -> dict[str, Any]:
    ours = next(tool for tool in tools if tool.name == OURS)
    return {
        "dump_bytes": size,
        "tools": {
            tool.name: {
                "seconds": [round(one, 3) for one in tool.seconds],
                "mb_per_second": round(size / tool.median / 1e6, 1),
                "crossdock_is_faster_by": round(tool.median / ours.median, 2),
                "verdict": asdict(tool.verdict) if tool.verdict else None,
            }
            for tool in tools
        },
        "left_out": missing,
    }


def _show(tools: list[Tool], missing: list[str], size: int) -> None:
    ours = next(tool for tool in tools if tool.name == OURS)
    console = Console(width=None if sys.stdout.isatty() else 140)
    table = Table(title="Rewriting a dump", title_justify="left")
    for title in (
        "tool",
        "crossdock is faster by",
        "MB/s, median",
        "runs",
        "values changed",
        "newly broken",
        "addresses left",
        "e-mails changed",
    ):
        table.add_column(title, justify="left" if title == "tool" else "right")
    for tool in tools:
        said = tool.verdict or Verdict()
        table.add_row(
            tool.name, f"{tool.median / ours.median:.2f}", f"{size / tool.median / 1e6:,.0f}", str(len(tool.seconds)),
            f"{said.changed:,}", f"{said.newly_broken:,}", f"{said.addresses_left:,}", f"{said.emails_changed:,}",
        )  # fmt: skip
    console.print(table)
    console.print(
        f"{WP}: its own run in the loaded database, of {size / 1e6:,.0f} MB as a dump; dump and load come on top"
    )
    for name in missing:
        console.print(f"{name}: not on PATH, left out")


if __name__ == "__main__":
    main()
