"""The evidence of a move that was never made, as large as asked: for the report's tests and its bench."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from crossdock.core.evidence import Finding, Level
from crossdock.core.ports import Journal
from crossdock.edges import pictures as files
from crossdock.move.screenshots import WIDTHS, Picture, Seen

PLAN, OTHER_PLAN = "ab" * 32, "cd" * 32
PAGES = ("home", "product", "category", "page", "post")
ENVIRONMENT = "production"


def write_plan(journal: Journal, stores: Sequence[str], plan: str = PLAN) -> None:
    tables = {"carry": 30 * len(stores), "leave": 1, "network": 2}
    journal.receipt("plan", "Lumen Outdoor", {"plan": plan, "facts": "ef" * 32, "stores": [*stores], "tables": tables})


def write_move(
    journal: Journal, stores: Sequence[str], *, plan: str = PLAN, green: bool = True, rows: int = 1000
) -> None:
    """Copy, files, addresses, checks and validation of production under a plan: one server for each store."""
    table = {"source": rows, "moved": rows - 3, "target": rows - 3, "declared": {"transients": 3}, "missing": 0,
             "extra": 0, "different": 0, "own": 0, "judged": 7, "newly_broken": 0, "urls_left": 0}  # fmt: skip
    names = [f"wp_table_{number}" for number in range(30)]
    journal.receipt("copy", ENVIRONMENT, {"plan": plan, "rows_moved": rows, "rows_declared": 3, "tables": 30})
    for store in stores:
        where = f"{ENVIRONMENT}/{store}"
        journal.receipt(
            "validate.store", where, {"plan": plan, "tables": dict.fromkeys(names, table), "left": {"old": 9}}
        )
        tree = {"plan": plan, "files": 400, "bytes": 12_345_678, "missing": 0, "extra": 0, "different": 0,
                "manifest": hashlib.sha256(store.encode()).hexdigest()}  # fmt: skip
        journal.receipt("validate.files", f"{where}/uploads", tree)
    replay = {"urls_total": 402, "urls_ok": 402, "urls_moved": 40, "urls_gone": 5, "urls_failed": 0,
              "urls_undecided": 0}  # fmt: skip
    journal.receipt("redirects.replay", ENVIRONMENT, {"plan": plan, "map": "12" * 32, **replay})
    checks = {name: {"run": len(stores), "failed": 0, "skipped": 0} for name in ("login", "carts", "pages")}
    journal.receipt("validate.site", ENVIRONMENT, {"plan": plan, "checks": checks})
    total = rows * 30 * len(stores)
    figures = {"rows_source": total, "rows_moved": total, "rows_declared": 90, "rows_missing": 0 if green else 4,
               "rows_extra": 0, "rows_different": 0, "oracle_failures": 0, "source_urls_left": 0, "values_judged": 700,
               "things_read_by_wordpress": 120, "files_total": 400 * len(stores), "files_missing": 0, "files_extra": 0,
               "files_different": 0, "attachments_missing": 0, "site_checks": 3 * len(stores), "site_failed": 0,
               "site_skipped": 1, **replay}  # fmt: skip
    version = {"wordpress": "6.9", "database": "10.11.14-MariaDB"}
    places = {
        "servers": dict.fromkeys(stores, version),
        "target": version,
        "stores": {
            one: {"server": one, "source": f"http://www.{one}.example", "target": f"https://{one}.lumen.example"}
            for one in stores
        },
    }
    journal.receipt("validate", ENVIRONMENT, {"plan": plan, "green": green, **figures, "places": places})


def write_findings(journal: Journal, count: int) -> None:
    """Remarks of a large move, in twenty codes."""
    for number in range(count):
        level = Level.WARN if number % 4 else Level.INFO
        place = f"store-{number % 7}.wp_{number % 60}_posts -> wp_{number % 9}_posts"
        text = f"{number} values look serialized and do not parse at the source: post_content of {number}"
        one = Finding(f"value.kind-{number % 20}", level, place, text, "PHP could not read them before either")
        journal.finding(one, step=f"validate {ENVIRONMENT}")


def write_pictures(
    journal: Journal, folder: Path, stores: Sequence[str], *, plan: str = PLAN, pages: Sequence[str] = PAGES
) -> int:
    """Pictures of noisy pages, 3000 pixels high, source and target, and the receipt; returns how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    random, seen = np.random.default_rng(1), []
    for store in stores:
        for page in pages:
            for width in WIDTHS:
                body = np.full((3000, width, 3), 250, dtype=np.uint8)
                for top in range(40, 2900, 60):
                    body[top : top + 24, 20 : width - 20] = random.integers(0, 255, 3, dtype=np.uint8)
                body[300:700, 30 : width // 2] = random.integers(0, 255, (400, width // 2 - 30, 3), dtype=np.uint8)
                png, kept = files.png(body), {}
                for side in ("source", "target"):
                    name = f"{store}-{page}-{width}-{side}.png"
                    (folder / name).write_bytes(png)
                    kept[side] = Picture(name, hashlib.sha256(png).hexdigest(), width, 3000)
                here, there = f"http://www.{store}.example/{page}/", f"https://{store}.lumen.example/{page}/"
                seen.append(Seen(store, page, width, here, there, pictures=kept, different_percent=0.12))
    data = {"plan": plan, "pairs": len(seen), "pictures": 2 * len(seen), "differing": 0, "unsettled": 0, "failed": 0}
    told = {"differ_percent": 1, "browser": "Chromium 140", "pages": [one.as_json() for one in seen]}
    journal.receipt("screenshots", ENVIRONMENT, data | told)
    return 2 * len(seen)
