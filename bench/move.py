"""How fast a store's database moves, beside the tools that move it today.

    python bench/move.py [--rows 5000000] [--runs 5] [--peers all] [--json out.json]

Starts two MariaDB servers of its own, generates a WooCommerce database, and moves it by each tool in turn (A B C, A B
C, ...), each time into a fresh database. Prints medians and ratios, then Crossdock's peak memory.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import big_rows
import engine
import peers
import watch
from rich.console import Console
from rich.table import Table
from stage import SOURCE_DATABASE, Stage, connected, open_stage

COPY, COMPARED, JUDGED = "copy", "copy-compare", "copy-compare-judge"
TITLES = {
    COPY: "crossdock: copy, transform, load",
    COMPARED: "crossdock: and every row compared",
    JUDGED: "crossdock: and every rewritten value read by PHP",
}
BASE, THREADED = "dump-load", "mydumper"
LIMITS = {COPY: 0.5, COMPARED: 0.8}
_SLOW = ("wp-search-replace",)


@dataclass
class Figures:
    """Wall seconds by way of moving, and Crossdock's peaks in MiB by step."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=lambda: dict(TITLES))
    peaks_mib: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, seconds: float) -> None:
        self.seconds.setdefault(name, []).append(seconds)
        print(f"  {self.titles.get(name, name)}: {seconds:.1f} s", file=sys.stderr, flush=True)

    def median(self, name: str) -> float | None:
        return statistics.median(self.seconds[name]) if self.seconds.get(name) else None

    def ratio(self, name: str, to: str) -> float | None:
        mine, theirs = self.median(name), self.median(to)
        return mine / theirs if mine is not None and theirs else None


def main() -> None:
    wanted = _arguments()
    figures = Figures()
    with open_stage(wanted.rows, wanted.seed, keep=wanted.keep) as stage:
        made = stage.made
        say = f"{made.rows:,} rows, {made.url_rows / made.rows:.1%} with URLs, {made.data_bytes / 1e9:.2f} GB of data"
        print(f"{say} + {made.index_bytes / 1e9:.2f} GB of indexes", file=sys.stderr, flush=True)
        if wanted.profile:
            stage.fresh_target()
            stage.install_network()
            print(_engine(stage, "profile", wanted, shown=True).stdout.decode(), end="")
            return
        found, missing = peers.available(stage, engine.TARGET_HOST, wanted.threads)
        chosen = [peer for peer in found if wanted.peers == "all" or peer.name in wanted.peers.split(",")]
        figures.titles |= {peer.name: peer.title for peer in chosen}
        for number in range(wanted.runs):
            print(f"run {number + 1} of {wanted.runs}", file=sys.stderr, flush=True)
            _run(stage, figures, chosen, wanted, number)
        wide = [] if wanted.skip_wide else _wide(stage, wanted)
        result = _result(stage, figures, wide, missing, wanted)
    _show(result, figures, wide)
    if wanted.json:
        wanted.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    cores = os.cpu_count() or 1
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peers", default="all", help="all, none, or names: dump-load,mydumper,wp-search-replace,...")
    parser.add_argument("--slow-runs", type=int, default=1, help="runs of wp search-replace (default 1)")
    parser.add_argument("--threads", type=int, default=cores, help="Crossdock's processes and the peers' threads")
    parser.add_argument("--chunk-rows", type=int, default=20_000)
    parser.add_argument("--judge", action="store_true", help="also with PHP reading every rewritten value")
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--keep", action="store_true", help="keep the generated database for the next bench")
    parser.add_argument("--skip-wide", action="store_true", help="leave out the rows of 16 and 100 MB")
    parser.add_argument("--profile", action="store_true", help="only profile one copy, in one process")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


# -- running ---------------------------------------------------------------------------------------------------------


def _engine(stage: Stage, step: str, wanted: argparse.Namespace, *options: str, shown: bool = False) -> watch.Watched:
    """One step of Crossdock in a process of its own, start of Python, survey and plan included."""
    argv = [
        sys.executable, str(Path(engine.__file__)), step, "--source", str(stage.source.socket),
        "--target", str(stage.target.socket), "--password-file", str(stage.folder / "password"),
        "--workers", str(wanted.threads), "--chunk-rows", str(wanted.chunk_rows), *options,
    ]  # fmt: skip
    return watch.run(argv, shown=shown)


def _run(stage: Stage, figures: Figures, chosen: Sequence[peers.Peer], wanted: argparse.Namespace, number: int) -> None:
    _run_crossdock(stage, figures, wanted)
    dumped = 0.0
    for peer in chosen:
        if peer.name in _SLOW and number >= wanted.slow_runs:
            continue
        if not peer.after_dump:
            stage.fresh_target()
            seconds = peer.run()
            _same_rows(stage)
            figures.add(peer.name, seconds)
            dumped = seconds if peer.name == BASE else dumped
        elif dumped:
            if peer is not chosen[1] or chosen[0].name != BASE:
                stage.fresh_target()
                chosen[0].run()
            figures.add(peer.name, dumped + peer.run())


def _run_crossdock(stage: Stage, figures: Figures, wanted: argparse.Namespace) -> None:
    stage.fresh_target()
    stage.install_network()
    copied = _engine(stage, "copy", wanted)
    figures.add(COPY, copied.seconds)
    _settle_check(json.loads(copied.stdout), stage)
    compared = _engine(stage, "compare", wanted)
    _require_green(json.loads(compared.stdout))
    figures.add(COMPARED, copied.seconds + compared.seconds)
    for step, watched in (("copy", copied), ("compare", compared)):
        figures.peaks_mib.setdefault(step, []).append(round(watched.largest_mib, 1))
    if wanted.judge:
        judged = _engine(stage, "compare", wanted, "--judge")
        _require_green(json.loads(judged.stdout))
        figures.add(JUDGED, copied.seconds + judged.seconds)
    different = json.loads(_engine(stage, "check", wanted).stdout)["index_differences"]
    if different:
        raise RuntimeError(f"indexes differ from the source's: {', '.join(different)}")


def _settle_check(sums: dict[str, Any], stage: Stage) -> None:
    if sums["rows_source"] != sums["rows_moved"] + sums["rows_declared"] or sums["rows_source"] < stage.made.rows:
        raise RuntimeError(f"rows do not balance: {sums}")


def _require_green(sums: dict[str, int]) -> None:
    if any(sums[name] for name in ("missing", "extra", "different", "newly_broken", "urls_left")):
        raise RuntimeError(f"the comparison is red: {sums}")


def _same_rows(stage: Stage) -> None:
    """A peer's time counts only if it moved everything."""
    with connected(stage.source) as here, connected(stage.target) as there:
        for table in ("posts", "postmeta", "woocommerce_order_itemmeta", "usermeta"):
            here.execute(f"SELECT COUNT(*) FROM {SOURCE_DATABASE}.wp_{table}")
            there.execute(f"SELECT COUNT(*) FROM network.wp_{table}")
            if here.fetchone() != there.fetchone():
                raise RuntimeError(f"wp_{table} has not all its rows")


def _wide(stage: Stage, wanted: argparse.Namespace) -> list[big_rows.BigRows]:
    return big_rows.measure(stage, lambda step: _engine(stage, step, wanted))


# -- telling ---------------------------------------------------------------------------------------------------------


def _result(
    stage: Stage, figures: Figures, wide: Sequence[big_rows.BigRows], missing: Sequence[str], wanted: argparse.Namespace
) -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "memory_gib": round(memory / 2**30), "cpu": platform.processor()},
        "server": stage.versions(),
        "database": asdict(stage.made),
        "threads": wanted.threads,
        "chunk_rows": wanted.chunk_rows,
        "medians": {name: round(statistics.median(all_), 2) for name, all_ in figures.seconds.items()},
        "seconds": {name: [round(one, 2) for one in all_] for name, all_ in figures.seconds.items()},
        "ratios": {
            f"{name}/{to}": round(ratio, 3)
            for name in (COPY, COMPARED, JUDGED)
            for to in figures.seconds
            if to not in TITLES and (ratio := figures.ratio(name, to)) is not None
        },
        "peaks_mib": figures.peaks_mib,
        "wide_rows": [asdict(one) for one in wide],
        "left_out": list(missing),
    }


def _show(result: dict[str, Any], figures: Figures, wide: Sequence[big_rows.BigRows]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 120)
    shown = Table(title="Wall time, median", title_justify="left")
    for title in ("way", "runs", "seconds", "from - to", "of mariadb-dump | mariadb", "allowed"):
        shown.add_column(title, justify="left" if title == "way" else "right")
    for name in sorted(figures.seconds, key=lambda one: figures.median(one) or 0):
        every = figures.seconds[name]
        ratio = figures.ratio(name, BASE)
        shown.add_row(
            figures.titles[name], str(len(every)), f"{statistics.median(every):.1f}",
            f"{min(every):.1f} - {max(every):.1f}", f"{ratio:.2f}" if ratio is not None else "",
            f"{LIMITS[name]}" if name in LIMITS else "",
        )  # fmt: skip
    console.print(shown)
    ratio = figures.ratio(COPY, THREADED)
    if ratio is not None:
        console.print(f"copy, transform, load beside mydumper/myloader: {ratio:.2f} (allowed: below 1)")
    memory = Table(title="Peak memory of the largest process, MiB", title_justify="left")
    for title in ("what", "step", "MiB", "allowed"):
        memory.add_column(title, justify="left" if title in ("what", "step") else "right")
    for step, peaks in figures.peaks_mib.items():
        memory.add_row("the database above", step, f"{max(peaks):.0f}", str(big_rows.LIMIT_MIB))
    for one in wide:
        memory.add_row(one.title, one.step, f"{one.peak_mib:.0f}", f"{one.limit_mib:.0f}")
    console.print(memory)
    for line in result["left_out"]:
        console.print(line)


if __name__ == "__main__":
    begin = time.monotonic()
    main()
    print(f"took {time.monotonic() - begin:.0f} s", file=sys.stderr)
