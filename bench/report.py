"""How long a report takes and how large it is, and what comparing two pictures costs beside other tools.

    python bench/report.py [--runs 5] [--findings 5000] [--json out.json]

The report: three stores with five key pages each, at two widths, 60 screenshots and 30 differences; then one with many
findings. Each in a process of its own, so that its memory is its own. The comparison: a pair of nine megapixels, one
third of which differs, by each tool in turn; pixelmatch is fetched from PyPI for this run alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageChops, ImageDraw
from rich.console import Console
from rich.table import Table

from crossdock.core.config import load
from crossdock.core.evidence import Finding, Level
from crossdock.edges import pictures as files
from crossdock.hub.boot import booted
from crossdock.move import pictures

STORES, PAGES, WIDTHS = ("north", "south", "east"), ("home", "product", "category", "page", "post"), (390, 1280)
HEIGHT = 7_200  # 1280 x 7200 is 9.2 megapixels
PLAN = "a" * 64
CONFIG = """
[project]
name = "Bench"
{servers}
[environments.staging]
ssh = "managed"
root = "/srv/staging"
[environments.production]
ssh = "managed"
root = "/srv/production"
"""
SERVER = """
[[servers]]
name = "{0}"
ssh = "{0}"
root = "/srv/www"
[[stores]]
name = "{0}"
server = "{0}"
[stores.domains]
staging = "{0}.staging.example"
production = "{0}.example"
"""


class Quiet:
    def start(self, stage: str, *, rows: int, bytes_: int, noun: str = "rows") -> None: ...

    def advance(self, place: str, *, rows: int, bytes_: int) -> None: ...

    def finish(self) -> None: ...


def page(width: int, height: int, seed: int) -> Image.Image:
    """Something like a shop's page: lines of text, and pictures with as many colours as photographs."""
    random = np.random.default_rng(seed)
    shown = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(shown)
    for y in range(40, height - 400, 420):
        photo = random.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        shown.paste(Image.fromarray(photo).resize((width // 3, 200), Image.Resampling.BICUBIC), (20, y))
        for line in range(9):
            draw.text(
                (20, y + 215 + line * 20), f"{random.integers(10**9)} a line of a product's text " * 4, fill="black"
            )
    return shown


def album(state: Path) -> dict[str, Any]:
    """Keeps 60 screenshots and 30 differences, and tells them as their receipt does."""
    folder = state / "screenshots" / "production"
    folder.mkdir(parents=True)
    seen = []
    for number, (store, name, width) in enumerate((s, p, w) for s in STORES for p in PAGES for w in WIDTHS):
        kept = {}
        for side in ("source", "target", "difference"):
            png = files.png(np.asarray(page(width, 3_000, number + (side == "difference"))))
            file = f"{store}-{name}-{width}-{side}.png"
            (folder / file).write_bytes(png)
            kept[side] = {"file": file, "sha256": hashlib.sha256(png).hexdigest(), "width": width, "height": 3_000}
        empty: dict[str, Any] = {key: {} for key in ("heights", "statuses", "broken", "blocked", "unsettled", "failed")}
        seen.append({
            "store": store, "page": name, "width": width, "source_url": f"https://{store}.example/",
            "target_url": f"https://{store}.lumen.example/", "pictures": kept, "different_percent": 0.4,
            "masked_percent": 0.0, **empty,
        })  # fmt: skip
    counts = {"pairs": len(seen), "pictures": 3 * len(seen), "differing": 0, "unsettled": 0, "failed": 0}
    return {"plan": PLAN, **counts, "differ_percent": 1, "browser": "Chromium", "pages": seen}


def make_report(told: Any, with_pictures: bool, findings: int) -> None:
    """One report in this process; sends seconds, megabytes of both files and of memory, pages."""
    with tempfile.TemporaryDirectory(prefix="cd-bench-") as name:
        path = Path(name) / "crossdock.toml"
        path.write_text(CONFIG.format(servers="".join(SERVER.format(one) for one in STORES)))
        config = load(path)
        with booted(config.state) as hub:
            from crossdock.hub.moves import report  # noqa: PLC0415 - needs Django's settings

            with hub.running("run") as journal:
                journal.receipt("plan", "Bench", {"plan": PLAN, "stores": list(STORES), "tables": {"carry": 266}})
                if with_pictures:
                    journal.receipt("screenshots", "production", album(config.state))
                for number in range(findings):
                    place = f"north.wp_{number}_posts -> wp_2_posts"
                    text = f"{number} rows are different in the target, key {number}; {number + 1}"
                    level = (Level.FAIL, Level.WARN, Level.INFO)[number % 3]
                    journal.finding(
                        Finding(f"bench.code-{number % 40}", level, place, text, "copy again"), step="assess"
                    )
            with hub.running("report", subject="production") as journal:
                begin = time.monotonic()
                made = report.make(config, "production", "en", hub, journal, Quiet())
                seconds = time.monotonic() - begin
        sizes = {f"{end}_mb": made.figures[f"{end}_bytes"] / 1e6 for end in ("html", "pdf")}
        # Not ru_maxrss, which begins with that of the process that started this one.
        status = Path("/proc/self/status").read_text()
        memory = int(status.partition("VmHWM:")[2].split()[0]) / 1024
        told.send({"seconds": seconds, **sizes, "pages": made.figures["pages"], "memory_mib": memory})


def measured(with_pictures: bool, findings: int) -> dict[str, float]:
    mine, theirs = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=make_report, args=(theirs, with_pictures, findings))
    process.start()
    theirs.close()
    try:
        found: dict[str, float] = mine.recv()
    finally:
        process.join()
    return found


def tools(folder: Path) -> dict[str, Callable[[Image.Image, Image.Image], object]]:
    """Ways to find what differs. All start from decoded pictures."""

    def ours(one: Image.Image, other: Image.Image) -> object:
        return pictures.compare(np.asarray(one), np.asarray(other))

    def chops(one: Image.Image, other: Image.Image) -> object:
        return ImageChops.difference(one, other).getbbox()

    found: dict[str, Callable[[Image.Image, Image.Image], object]] = {"crossdock": ours, "Pillow ImageChops": chops}
    fetched = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), "pixelmatch"]
    if subprocess.run(fetched, capture_output=True, check=False).returncode == 0:
        sys.path.insert(0, str(folder))
        from pixelmatch.contrib.PIL import pixelmatch  # noqa: PLC0415 - only for this run

        found["pixelmatch"] = lambda one, other: pixelmatch(one, other, threshold=0.1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--findings", type=int, default=5_000)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    one = page(1280, HEIGHT, 1)
    other = one.copy()
    other.paste(page(1280, HEIGHT // 3, 2), (0, HEIGHT // 3))
    took: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="cd-bench-") as name:
        ways = tools(Path(name))
        for _ in range(wanted.runs):
            for tool, way in ways.items():
                if tool == "pixelmatch" and tool in took:
                    continue  # it takes as long as all else together
                begin = time.monotonic()
                way(one, other)
                took.setdefault(tool, []).append(1000 * (time.monotonic() - begin))
    reports = {"60 screenshots": measured(True, 0), f"{wanted.findings:,} findings": measured(False, wanted.findings)}
    pairs = {tool: statistics.median(some) for tool, some in took.items()}
    _print(pairs, reports)
    if wanted.json:
        wanted.json.write_text(json.dumps({"pair_ms": pairs, "reports": reports}, indent=1) + "\n")


def _print(pairs: dict[str, float], reports: dict[str, dict[str, float]]) -> None:
    out = Console()
    table = Table("pair of 9.2 megapixels", "ms")
    for tool, milliseconds in pairs.items():
        table.add_row(tool, f"{milliseconds:,.0f}")
    out.print(table)
    table = Table("report", "seconds", "HTML MB", "PDF MB", "pages", "memory MiB")
    for name, one in reports.items():
        shown = (f"{one[key]:,.1f}" for key in ("seconds", "html_mb", "pdf_mb", "pages", "memory_mib"))
        table.add_row(name, *shown)
    out.print(table)


if __name__ == "__main__":
    main()
