"""Receipts and findings of a move as its steps leave them, for the tests of the report."""

from __future__ import annotations

from typing import Any

PLAN, OTHER_PLAN = "a" * 64, "b" * 64
ROWS = {"source": 12, "moved": 10, "target": 10, "declared": {"session": 2}, "missing": 0, "extra": 0, "different": 0}
TREE = {"files": 3, "links": 0, "folders": 1, "bytes": 12_345, "missing": 0, "extra": 0, "different": 0}
FIGURES = {
    "rows_source": 1_234_567, "rows_moved": 1_234_560, "rows_declared": 7, "rows_missing": 0, "rows_extra": 0,
    "rows_different": 0, "values_judged": 99, "oracle_failures": 0, "source_urls_left": 0,
    "things_read_by_wordpress": 40, "files_total": 444, "files_missing": 0, "files_extra": 0, "files_different": 0,
    "urls_total": 20, "urls_ok": 20, "urls_moved": 5, "urls_gone": 1, "urls_failed": 0, "urls_undecided": 0,
    "site_checks": 69, "site_failed": 0, "site_skipped": 3,
}  # fmt: skip
PLACES = {
    "servers": {"north": {"wordpress": "6.1", "database": "10.11.6-MariaDB"}},
    "target": {"wordpress": "7.1.1", "database": "10.11.6-MariaDB"},
    "stores": {"north": {"server": "north", "source": "https://north.example", "target": "https://n.lumen.example"}},
}


def planned(plan: str = PLAN) -> tuple[str, str, dict[str, Any]]:
    return "plan", "Lumen", {"plan": plan, "facts": "f", "stores": ["north"], "tables": {"carry": 2, "leave": 1}}


def moved(environment: str = "production", plan: str = PLAN, **figures: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """The receipts of a whole move to one environment, in order."""
    told = {"plan": plan, **FIGURES, "green": True, "places": PLACES, **figures}
    return [
        ("copy", environment, {"plan": plan, "tables": 2, "rows_moved": 10, "rows_source": 12, "rows_declared": 2}),
        ("files.store", f"{environment}/north/uploads", {"plan": plan, **TREE, "manifest": "c" * 64}),
        ("validate.store", f"{environment}/north", {"plan": plan, "tables": {"wp_posts": ROWS}, "left": {"wp_old": 4}}),
        ("validate.site", environment, {"plan": plan, "checks": {"pages": {"run": 4, "failed": 0, "skipped": 0}}}),
        ("redirects.replay", environment, {"plan": plan, "map": "d" * 64, **FIGURES}),
        ("validate", environment, told),
    ]
