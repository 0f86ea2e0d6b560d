"""How fast the replay asks a site, beside wrk on the same site: the replay must not be the limit.

    python bench/replay.py [--seconds 10] [--runs 3] [--concurrency 8] [--json out.json]

Starts a lab and asks one of its sources (nginx, PHP-FPM, WordPress without a page cache) for the pages of its own
sitemap, at as many at once as both are told, without a limit of the rate; then one small file, which shows where the
replay's own ceiling is. A B, A B, ...: medians and ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle, takewhile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from crossdock.core.ports import Answer
from crossdock.edges.crawl import SiteCrawler
from crossdock.edges.http import SiteWeb
from crossdock.formats.sitemap_files import parse_sitemap
from crossdock.lab.addresses import HTTP_PORT
from crossdock.lab.lab import Lab
from crossdock.move.replay import seen

SOURCE = "south"
FILE = "/wp-content/uploads/2024/11/tent.jpg"
_LUA = """local paths = {%s}
local at = 0
request = function() at = at %% #paths + 1; return wrk.format("GET", paths[at]) end
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("wrk is not on PATH. Way out: scripts/install-packages wrk")
    with Lab(Path(tempfile.mkdtemp(prefix="cd-bench-")), size="tiny") as lab:
        source = lab.sources[SOURCE]
        address, host = f"{source.server.address}:{HTTP_PORT}", source.spec.domain
        pages = sitemap_paths(address, host)
        figures: dict[str, dict[str, list[float]]] = {}
        for kind, paths in (("WordPress pages", pages), ("one small file", [FILE])):
            paths = warmed(address, host, paths)
            found = figures.setdefault(kind, {"crossdock": [], "wrk": []})
            for _ in range(options.runs):
                found["crossdock"].append(crossdock_rate(address, host, paths, options.seconds, options.concurrency))
                found["wrk"].append(wrk_rate(wrk, address, host, paths, options.seconds, options.concurrency))
    tell(figures, len(pages), options.concurrency)
    if options.json:
        options.json.write_text(json.dumps({"pages": len(pages), "urls_per_second": figures}, indent=1))


def sitemap_paths(address: str, host: str) -> list[str]:
    """Paths of every page in the store's own sitemaps."""
    web, paths = SiteWeb(address), []
    waiting = [f"http://{host}/wp-sitemap.xml"]
    while waiting:
        found = parse_sitemap(web.fetch(waiting.pop())[1])
        waiting += found.files
        paths += [page.removeprefix(f"http://{host}") for page in found.pages]
    return paths


def warmed(address: str, host: str, paths: list[str]) -> list[str]:
    """Asks for each once, so that PHP's code cache is filled. Returns those that answer 200: WordPress's own sitemap
    names authors whom WordPress then does not find."""
    web = SiteWeb(address)
    return [path for path in paths if web.fetch(f"http://{host}{path}")[0] == 200]


def crossdock_rate(address: str, host: str, paths: list[str], seconds: float, concurrency: int) -> float:
    """Addresses asked and judged a second."""
    answered = 0

    def tell_one(answer: Answer) -> None:
        nonlocal answered
        one = seen(answer, "")
        if one.status != 200 or one.flaw:
            raise RuntimeError(f"{one.url} answers {one.status} {one.problem} {one.flaw}")
        answered += 1

    crawler = SiteCrawler(address, frozenset({host}), 1_000_000, concurrency, 60)
    began = time.perf_counter()
    urls = takewhile(lambda _: time.perf_counter() - began < seconds, (f"http://{host}{path}" for path in cycle(paths)))
    crawler.ask(urls, tell_one)
    return answered / (time.perf_counter() - began)


def wrk_rate(wrk: str, address: str, host: str, paths: list[str], seconds: float, concurrency: int) -> float:
    """Requests a second, as wrk counts them; all of them must have succeeded."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_LUA % ", ".join(json.dumps(path) for path in paths))
        script.flush()
        done = subprocess.run(
            [wrk, "-t1", f"-c{concurrency}", f"-d{seconds:g}s", "--timeout", "60s", "-s", script.name,
             "-H", f"Host: {host}", f"http://{address}"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(done.stdout)
    return float(re.findall(r"Requests/sec:\s*([\d.]+)", done.stdout)[0])


def tell(figures: dict[str, dict[str, list[float]]], pages: int, concurrency: int) -> None:
    table = Table("", "crossdock / wrk", "crossdock, URLs/s", "wrk, URLs/s", box=None)
    for kind, found in figures.items():
        mine, theirs = statistics.median(found["crossdock"]), statistics.median(found["wrk"])
        table.add_row(kind, f"{mine / theirs:.2f}", f"{mine:,.0f}", f"{theirs:,.0f}")
    Console().print(table)
    print(f"{pages} pages, {concurrency} requests at once, {os.cpu_count()} cores for the site and the asking")


if __name__ == "__main__":
    main()
