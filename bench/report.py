"""What a report costs: seconds, memory and size, for 3 stores with 60 pictures, and for 5,000 findings.

    python bench/report.py [--runs 3] [--json out.json]

Writes the evidence of a move that was never made into a hub of its own and runs `crossdock move report` on it, in a
process of its own each time; medians, peak memory of that process, and the sizes of both files. Its peer is the same
PDF printed by Chromium from the same HTML, in the same run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import watch
from report_data import ENVIRONMENT, write_findings, write_move, write_pictures, write_plan
from rich.console import Console
from rich.table import Table

from crossdock.cli.init import init
from crossdock.core.config import load
from crossdock.hub.boot import booted

STORES = ("north", "south", "east")
CASES = {"3 stores, 60 pictures": (60, 100), "5,000 findings": (0, 5000)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = {}
    for name, (pictures, findings) in CASES.items():
        with tempfile.TemporaryDirectory(prefix="cd-bench-") as folder:
            figures[name] = measured(Path(folder) / "lumen", pictures, findings, options.runs)
    tell(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def measured(folder: Path, pictures: int, findings: int, runs: int) -> dict[str, float]:
    """Seconds and MiB of the command, MB of its files, pages, and seconds of Chromium's PDF."""
    init(folder)
    config = folder / "crossdock.toml"
    state = load(config).state
    with booted(state) as hub, hub.running("run") as journal:
        write_plan(journal, STORES)
        write_move(journal, STORES)
        write_findings(journal, findings)
        if pictures:
            write_pictures(journal, state / "screenshots" / ENVIRONMENT, STORES)
    command = [str(Path(sys.executable).with_name("crossdock")), "move", "report", "--in", ENVIRONMENT, "--json"]
    done = [watch.run([*command, "-c", str(config)]) for _ in range(runs)]
    told = json.loads(done[-1].stdout)
    page = Path(told["html"])
    printed = ["--headless", "--no-sandbox", "--disable-gpu", f"--print-to-pdf={page.with_suffix('.chromium.pdf')}"]
    chromium = shutil.which("chromium")
    peer = [watch.run([chromium, *printed, page.as_uri()]).seconds for _ in range(runs)] if chromium else []
    return {
        "seconds": statistics.median(one.seconds for one in done),
        "peak_mib": max(one.largest_mib for one in done),
        "html_mb": told["html_bytes"] / 1e6,
        "pdf_mb": told["pdf_bytes"] / 1e6,
        "pages": told["pages"],
        "chromium_seconds": statistics.median(peer) if peer else 0.0,
    }


def tell(figures: dict[str, dict[str, float]]) -> None:
    table = Table("", "s", "peak MiB", "HTML MB", "PDF MB", "pages", "PDF alone by Chromium, s", box=None)
    for name, one in figures.items():
        table.add_row(name, *(f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" for value in one.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
