"""What the screens say about a move in one look. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crossdock.core.evidence import Receipt

# What is shown of each environment: receipt, word, and whether it must be of the plan in force.
STATIONS = (
    ("bridge.install", "Bridge", False),
    ("copy", "Rows", True),
    ("files", "Files", True),
    ("redirects.replay", "Addresses", True),
    ("validate", "Validation", True),
    ("report", "Report", False),
)
RECEIPTS_READ = frozenset({"discard", "bridge.remove", *(step for step, _, _ in STATIONS)})
_VERDICTS = ("green", "proved")
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ -]{0,120}")
PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}


@dataclass(frozen=True)
class Station:
    """One thing about one environment. `verdict`: green, red, done (it has no verdict), stale (of another plan), or
    none."""

    title: str
    verdict: str
    at: str = ""
    number: int = 0
    run: str = ""


def stations(receipts: Sequence[Receipt], environment: str, plan: str) -> list[Station]:
    """How far an environment is. `receipts` oldest first."""
    found: dict[str, Receipt] = {}
    for one in receipts:
        if one.subject != environment:
            continue
        if one.step == "discard":
            found = {step: kept for step, kept in found.items() if step.startswith("bridge")}
        elif one.step == "bridge.remove":
            found.pop("bridge.install", None)
        else:
            found[one.step] = one
    return [_station(found.get(step), title, of_plan, plan) for step, title, of_plan in STATIONS]


def _station(receipt: Receipt | None, title: str, of_plan: bool, plan: str) -> Station:
    if receipt is None:
        return Station(title, "none")
    told = [receipt.data[name] for name in _VERDICTS if name in receipt.data]
    if "urls_failed" in receipt.data and not told:
        told = [receipt.data["urls_failed"] == 0]
    verdict = ("green" if all(told) else "red") if told else "done"
    if of_plan and receipt.data.get("plan") != plan:
        verdict = "stale"
    return Station(title, verdict, receipt.at, receipt.number, receipt.run)


def picture_type(path: str) -> str:
    """The media type of a picture below the screenshots, if `path` is a plain relative path to one; else empty."""
    segments = path.split("/")
    if not all(_SEGMENT.fullmatch(one) and not one.endswith(".") for one in segments):
        return ""
    return PICTURES.get(f".{path.rpartition('.')[2].lower()}", "")


def report_names(environments: Iterable[str]) -> dict[str, str]:
    """The files that a report may have, and their media types."""
    kinds = {"html": "text/html; charset=utf-8", "pdf": "application/pdf"}
    return {f"report-{one}.{end}": kind for one in environments for end, kind in kinds.items()}
