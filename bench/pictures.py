"""How fast two pictures of nine megapixels are compared, beside pixelmatch and Pillow's ImageChops.

    python bench/pictures.py [--runs 5] [--json out.json]

Draws a page of text and pictures at 1280 x 7200, alters 1 % of it, and compares the two by each way in turn: A B C,
A B C, ...; medians. pixelmatch (its Python port) is fetched from PyPI into a folder of its own that goes away again; it
looks for anti-aliasing too, which we need not: both pictures are of one browser. ImageChops tells where bytes differ,
and knows nothing of eyes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw
from rich.console import Console
from rich.table import Table

from crossdock.edges import pictures as files
from crossdock.move import pictures

WIDTH, HEIGHT = 1280, 7200
SLOW_RUNS = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    one, other = pair()
    with tempfile.TemporaryDirectory(prefix="cd-bench-") as folder:
        ways = {
            "crossdock: compare": lambda: pictures.compare(one, other).share,
            "crossdock: mask, compare, mark": lambda: judged(one, other),
            "ImageChops.difference": lambda: chops(one, other),
            "pixelmatch": pixelmatch(Path(folder), one, other),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        shares: dict[str, float] = {}
        for run in range(options.runs):
            for name, way in ways.items():
                if name == "pixelmatch" and run >= SLOW_RUNS:
                    continue
                began = time.perf_counter()
                shares[name] = way()
                seconds[name].append(time.perf_counter() - began)
    png = files.png(one)
    began = time.perf_counter()
    files.pixels(png)
    tell(seconds, shares, time.perf_counter() - began)
    if options.json:
        options.json.write_text(json.dumps({"seconds": seconds, "shares": shares}, indent=1))


def pair() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Two pages, the second with 1 % of its area altered."""
    random = np.random.default_rng(1)
    page = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(page)
    for y in range(20, HEIGHT, 24):
        draw.text(
            (40, y), " ".join("lorem ipsum dolor sit amet"[: int(n)] for n in random.integers(4, 26, 12)), "black"
        )
    for y in range(100, HEIGHT, 900):
        photo = random.integers(0, 255, (300, 500, 3), dtype=np.uint8)
        page.paste(Image.fromarray(photo), (700, y))
    one = np.asarray(page)
    other = one.copy()
    other[3000:3072, :] = 255 - other[3000:3072, :]
    return one, other


def judged(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """All that a pair costs: each side beside itself, one beside the other, and the picture of the difference."""
    masked = pictures.united(pictures.unsteady(one, one.copy()), pictures.unsteady(other, other.copy()))
    found = pictures.compare(one, other, masked)
    pictures.marked(other, found)
    return found.share


def chops(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    found = np.asarray(ImageChops.difference(Image.fromarray(one), Image.fromarray(other)))
    return float(found.any(axis=2).mean())


def pixelmatch(folder: Path, one: NDArray[np.uint8], other: NDArray[np.uint8]) -> Callable[[], float]:
    fetch = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), "pixelmatch"]
    subprocess.run(fetch, check=True)
    sys.path.insert(0, str(folder))
    match = import_module("pixelmatch").pixelmatch
    flat = [np.dstack([some, np.full(some.shape[:2], 255, np.uint8)]).ravel().tolist() for some in (one, other)]

    def run() -> float:
        return float(match(flat[0], flat[1], WIDTH, HEIGHT, threshold=0.1, includeAA=True) / (WIDTH * HEIGHT))

    return run


def tell(seconds: dict[str, list[float]], shares: dict[str, float], decoding: float) -> None:
    table = Table("", "ms a pair", "from - to", "different", box=None)
    for name, some in seconds.items():
        span = f"{1000 * min(some):,.0f} - {1000 * max(some):,.0f}"
        table.add_row(name, f"{1000 * statistics.median(some):,.0f}", span, f"{100 * shares[name]:.2f} %")
    Console().print(table)
    print(f"{WIDTH * HEIGHT / 1e6:.1f} megapixels; reading one of the PNGs takes {1000 * decoding:,.0f} ms beside that")


if __name__ == "__main__":
    main()
